// What S3 servers answer in XML, read strictly: expat parses (no document types, so no entities of the document's own;
// depth and size bounded), and what is not understood is an Error, never a guess.
#pragma once

#include <string>
#include <string_view>

#include "objstore/store.h"

namespace holdfast::objstore {

/// <Error><Code/><Message/><Region/></Error>; what is missing stays empty.
struct S3Failure {
  std::string code;
  std::string message;
  std::string region;  ///< where the bucket really is, in answers about a wrong region
};

/// <ListBucketResult>. Keys and prefixes that no key may look like ("folder/" markers) are left out.
[[nodiscard]] Result<ListPage> parse_list_answer(std::string_view xml);
/// <InitiateMultipartUploadResult>: the UploadId.
[[nodiscard]] Result<std::string> parse_upload_answer(std::string_view xml);
/// <CompleteMultipartUploadResult>, or the <Error> that may come with status 200.
[[nodiscard]] Result<S3Failure> parse_completion_answer(std::string_view xml);
/// An <Error>; corrupt where it is none.
[[nodiscard]] Result<S3Failure> parse_failure(std::string_view xml);

/// Text of an XML element, escaped.
[[nodiscard]] std::string xml_escaped(std::string_view text);

}  // namespace holdfast::objstore

#include "objstore/s3_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::objstore {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string list_of(const std::string& inside) {
  return R"(<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)" +
         inside + "</ListBucketResult>";
}

constexpr const char* kObject =
    "<Contents><Key>a%2Bb+c%C3%A9</Key><LastModified>2026-11-21T06:18:56.000Z</LastModified>"
    "<ETag>&quot;9b2cf5&quot;</ETag><Size>42</Size><StorageClass>STANDARD</StorageClass></Contents>";

TEST(ListAnswer, GivesObjectsAndPrefixes) {
  const ListPage page =
      parse_list_answer(list_of(std::string("<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
                                            "<NextContinuationToken>tok&amp;en</NextContinuationToken>") +
                                kObject + "<CommonPrefixes><Prefix>p%20q/</Prefix></CommonPrefixes>"))
          .value();
  ASSERT_EQ(page.objects.size(), 1u);
  EXPECT_EQ(page.objects[0].key, "a+b c\xc3\xa9");
  EXPECT_EQ(page.objects[0].size, 42u);
  EXPECT_EQ(page.objects[0].etag, "9b2cf5");
  EXPECT_EQ(format_rfc3339(page.objects[0].modified), "2026-11-21T06:18:56Z");
  EXPECT_THAT(page.prefixes, ElementsAre("p q/"));
  EXPECT_EQ(page.next, "tok&en");
}

TEST(ListAnswer, LeavesNamesAloneThatAreNotEncoded) {
  const ListPage page = parse_list_answer(list_of(std::string("<IsTruncated>false</IsTruncated>") + kObject)).value();
  EXPECT_EQ(page.objects.at(0).key, "a%2Bb+c%C3%A9");
  EXPECT_EQ(page.next, "");
}

TEST(ListAnswer, LeavesOutWhatNoKeyMayBe) {
  const std::string marker =
      "<Contents><Key>folder/</Key><LastModified>2026-11-21T06:18:56Z</LastModified><Size>0</Size></Contents>";
  const ListPage page = parse_list_answer(list_of("<IsTruncated>false</IsTruncated>" + marker +
                                                  "<CommonPrefixes><Prefix>/</Prefix></CommonPrefixes>"))
                            .value();
  EXPECT_THAT(page.objects, IsEmpty());
  EXPECT_THAT(page.prefixes, IsEmpty());
}

TEST(ListAnswer, IsCorruptWhereItDoesNotSayEverything) {
  const std::string complete = std::string("<IsTruncated>false</IsTruncated>") + kObject;
  ASSERT_TRUE(parse_list_answer(list_of(complete)).ok());
  for (const std::string& inside :
       {std::string(kObject), std::string("<IsTruncated>maybe</IsTruncated>"),
        std::string("<IsTruncated>true</IsTruncated>"),
        std::string("<IsTruncated>false</IsTruncated><Contents><Key>k</Key><Size>1</Size></Contents>"),
        std::string("<IsTruncated>false</IsTruncated><Contents><Key>k</Key><Size>-1</Size>"
                    "<LastModified>2026-11-21T06:18:56Z</LastModified></Contents>"),
        std::string("<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType><Contents><Key>%4</Key>"
                    "<Size>1</Size><LastModified>2026-11-21T06:18:56Z</LastModified></Contents>")}) {
    EXPECT_TRUE(parse_list_answer(list_of(inside)).is(ErrorCode::corrupt)) << inside;
  }
  const std::string whole = list_of(complete);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(parse_list_answer(whole.substr(0, size)).is(ErrorCode::corrupt)) << size;
  }
}

TEST(Answers, TakeNoDocumentTypesNorDepth) {
  EXPECT_TRUE(
      parse_failure("<!DOCTYPE Error [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>").is(ErrorCode::corrupt));
  std::string deep;
  for (int level = 0; level < 1000; ++level) deep += "<Error>";
  EXPECT_TRUE(parse_failure(deep).is(ErrorCode::corrupt));
  EXPECT_TRUE(parse_failure("<html><body>502 Bad Gateway</body></html>").is(ErrorCode::corrupt));
  EXPECT_TRUE(parse_failure("<Error/><Error/>").is(ErrorCode::corrupt));
}

TEST(Answers, OfUploads) {
  EXPECT_EQ(parse_upload_answer("<InitiateMultipartUploadResult><UploadId>u&lt;1</UploadId>"
                                "</InitiateMultipartUploadResult>")
                .value(),
            "u<1");
  EXPECT_TRUE(parse_upload_answer("<InitiateMultipartUploadResult/>").is(ErrorCode::corrupt));
  EXPECT_EQ(parse_completion_answer("<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
                .value()
                .code,
            "");
  const S3Failure failure =
      parse_completion_answer("\n<Error><Code>InternalError</Code><Message>try again</Message></Error>").value();
  EXPECT_EQ(failure.code, "InternalError");
  EXPECT_EQ(failure.message, "try again");
  EXPECT_TRUE(parse_completion_answer("<Other/>").is(ErrorCode::corrupt));
}

TEST(XmlEscaped, RoundTrips) {
  const std::string odd = "a<b>&\"c";
  EXPECT_EQ(parse_failure("<Error><Code>" + xml_escaped(odd) + "</Code></Error>").value().code, odd);
}

}  // namespace
}  // namespace holdfast::objstore

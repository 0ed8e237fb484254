// An upload in parts: held in memory up to one part, so that small objects are put in one request.
#pragma once

#include "objstore/s3_client.h"

namespace holdfast::objstore {

/// The headers that carry a body's checksum; nothing without an algorithm.
void add_checksum(net::Headers& headers, ChecksumAlgorithm algorithm, std::string_view bytes);

[[nodiscard]] std::unique_ptr<Upload> start_s3_upload(std::shared_ptr<S3Client> client, std::string key,
                                                      std::string described, std::stop_token stop);

}  // namespace holdfast::objstore

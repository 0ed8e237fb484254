// Buckets that speak S3: Amazon's and those of look-alikes.
//
// Requests are signed here (SigV4) and sent through net/http. Over verified TLS the body goes as UNSIGNED-PAYLOAD, else
// with its hash. Nothing is repeated, except the parts of an upload, which nobody outside could repeat: each part is
// tried again under `part_retry`. A location that is set up wrongly (unknown bucket, region, TLS) is `invalid`, wrong
// keys or rights are `denied`; only a missing object is not_found.
#pragma once

#include "net/http.h"
#include "objstore/checksum.h"
#include "objstore/credentials.h"
#include "objstore/store.h"
#include "sync/retry.h"

namespace holdfast::objstore {

struct S3Options {
  std::string bucket;
  std::string region = "us-east-1";
  std::string endpoint = {};         ///< "http(s)://host[:port][/path]"; empty: Amazon's of that region
  std::string public_endpoint = {};  ///< the same for presigned URLs; empty: `endpoint`
  enum class Addressing {
    virtual_host,  ///< https://bucket.host/key; a bucket with dots falls back to path style over TLS
    path,          ///< https://host/bucket/key: what most look-alikes want
  } addressing = Addressing::virtual_host;
  Credentials credentials = {};
  std::string ca_pem = {};  ///< trusted instead of the system's authorities
  bool insecure_skip_tls_verify = false;
  std::string proxy = {};  ///< as net::ClientOptions::proxy
  ChecksumAlgorithm checksum = ChecksumAlgorithm::crc32;
  std::string server_side_encryption = {};  ///< "", "AES256", "aws:kms"
  std::string kms_key_id = {};
  std::string tagging = {};             ///< x-amz-tagging of new objects: "key=value&..."
  size_t part_size = size_t{16} << 20;  ///< of uploads; at least 5 MiB
  sync::RetrySchedule part_retry = {};
  Duration idle_timeout = std::chrono::seconds(60);  ///< longest silence of the server
};

/// Checks the options and opens nothing: the first call tells whether the bucket is there. `clock` signs.
[[nodiscard]] Result<std::shared_ptr<Store>> open_s3(S3Options options, Clock& clock = system_clock());

}  // namespace holdfast::objstore

// Where a store comes from: the settings of a BackupStorageLocation, or a repository's URL as restic writes it.
//
// The stores come as a stack: prefix over retry over limits over driver. Nothing is asked of the store yet.
#pragma once

#include <map>

#include "objstore/credentials.h"
#include "objstore/decorators.h"

namespace holdfast::objstore {

/// What every way of opening a store may take.
struct OpenOptions {
  std::map<std::string, std::string> config = {};  ///< as of a BackupStorageLocation; unknown keys are invalid
  std::string credentials = {};                    ///< text of an AWS credentials file; empty: the environment below
  Lookup environment = {};                         ///< where AWS_* variables are looked up; empty: there are none
  std::string ca_pem = {};                         ///< besides config's caCert
  std::string proxy = {};                          ///< as net::ClientOptions::proxy
  std::optional<sync::RetrySchedule> retry = sync::RetrySchedule{};
  Limits limits = {};
  bool create_directory = false;  ///< makes the directory of a file store where it is missing
};

/// The store of a backup location. Providers:
///  - "aws", "velero.io/aws": S3; config as Velero's plugin for AWS has it: region, s3ForcePathStyle, s3Url, publicUrl,
///    serverSideEncryption, kmsKeyId, signatureVersion (4), profile, enableSharedConfig, insecureSkipTLSVerify,
///    tagging, checksumAlgorithm (CRC32 where missing; "" for none), caCert, resticRepoPrefix;
///  - "holdfast.dev/directory": a directory, config path. The bucket's name has no meaning there.
/// unsupported for another provider, and for customer keys (SSE-C); invalid for a wrong or unknown setting, which is
/// named.
[[nodiscard]] Result<std::shared_ptr<Store>> open_location(const std::string& provider, const std::string& bucket,
                                                           const std::string& prefix, const OpenOptions& options,
                                                           Clock& clock = system_clock());

/// The store of a repository: "s3:https://host/bucket/prefix", "s3:host/bucket/prefix", "s3://host/bucket/prefix",
/// "local:PATH", or a path. Hosts of Amazon are addressed by virtual host, others by path; an Amazon host's region is
/// taken from its name where config has none.
[[nodiscard]] Result<std::shared_ptr<Store>> open_repository_url(const std::string& url, const OpenOptions& options,
                                                                 Clock& clock = system_clock());

}  // namespace holdfast::objstore

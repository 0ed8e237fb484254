// Files of the bucket for people without the bucket's keys: by DownloadRequest.
//
// The server answers with a presigned URL, or, where its store cannot sign, with the annotation
// holdfast.dev/download-key "LOCATION KEY": then the file is read in pieces by exec of `holdfast read-object` in a pod
// of the controller.
#pragma once

#include <string>
#include <vector>

#include "app/cli/cluster.h"

namespace holdfast::app {

/// --timeout, --cacert, --insecure-skip-tls-verify.
[[nodiscard]] std::vector<config::Option> download_options();

struct DownloadOptions {
  Duration timeout = std::chrono::minutes(1);  ///< until the server has answered
  std::string ca_pem = {};                     ///< empty: that of the backup's location
  bool verify = true;
};
[[nodiscard]] Result<DownloadOptions> download_options_of(const config::Arguments& arguments);

/// The file as it lies in the bucket. `kind` is a DownloadRequest's target kind (BackupLog, RestoreResults, ...).
/// timeout: no server answered; not_found: no such file.
[[nodiscard]] Result<std::string> download(const Surroundings& surroundings, const Cluster& cluster,
                                           const std::string& kind, const std::string& name,
                                           const DownloadOptions& options);
/// The same, unpacked.
[[nodiscard]] Result<std::string> download_text(const Surroundings& surroundings, const Cluster& cluster,
                                                const std::string& kind, const std::string& name,
                                                const DownloadOptions& options);

/// A downloaded file, read. One that cannot be had leaves its part of the description empty, with the reason on
/// standard error.
template <class T>
[[nodiscard]] std::optional<T> decoded(const Surroundings& surroundings, const Result<std::string>& text,
                                       Result<T> (*decode)(std::string_view)) {
  Result<T> value = text ? decode(*text) : Result<T>(text.error());
  if (value) return *std::move(value);
  surroundings.err("warning: " + value.error().to_string() + "\n");
  return std::nullopt;
}

/// Whether the files of a Backup or Restore in that phase are in the bucket.
[[nodiscard]] bool has_files(std::string_view phase);

}  // namespace holdfast::app

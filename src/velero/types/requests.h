// DownloadRequest and ServerStatusRequest (velero.io/v1).
#pragma once

#include "velero/types/meta.h"

namespace holdfast::velero {

struct DownloadTarget {
  std::string kind;  ///< BackupLog, BackupContents, RestoreResults, ...: layout.h maps it to a key
  std::string name;
  json::object extra;
};
struct DownloadRequestSpec {
  DownloadTarget target;
  json::object extra;
};
struct DownloadRequestStatus {
  std::string phase;
  std::string download_url;
  std::optional<Time> expiration;
  json::object extra;
};
struct DownloadRequest {
  static constexpr std::string_view kKind = "DownloadRequest";
  std::string kind{kKind};
  std::string api_version = "velero.io/v1";
  ObjectMeta metadata;
  DownloadRequestSpec spec;
  DownloadRequestStatus status;
  json::object extra;
};

struct PluginEntry {
  std::string name;
  std::string kind;
  json::object extra;
};
struct ServerStatusRequestSpec {
  json::object extra;
};
struct ServerStatusRequestStatus {
  std::string phase;
  std::optional<Time> processed_timestamp;
  std::string server_version;
  std::vector<PluginEntry> plugins;
  json::object extra;
};
struct ServerStatusRequest {
  static constexpr std::string_view kKind = "ServerStatusRequest";
  std::string kind{kKind};
  std::string api_version = "velero.io/v1";
  ObjectMeta metadata;
  ServerStatusRequestSpec spec;
  ServerStatusRequestStatus status;
  json::object extra;
};

}  // namespace holdfast::velero

// debug: what somebody who helps has to see, in one tarball. Secrets are not in it.
#include <archive.h>
#include <archive_entry.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "app/cli/commands.h"
#include "app/cli/download.h"
#include "app/cli/output.h"
#include "base/file.h"

namespace holdfast::app {

namespace {

/// A gzipped tar in memory. Its files go into one directory.
class Bundle {
 public:
  Bundle(std::string directory, Time now) : directory_(std::move(directory)), now_(now), archive_(archive_write_new()) {
    archive_write_add_filter_gzip(archive_);
    archive_write_set_format_pax_restricted(archive_);
    archive_write_set_bytes_in_last_block(archive_, 1);  // no padding behind the gzip member
    archive_write_open(archive_, this, nullptr, append, nullptr);
  }
  Bundle(const Bundle&) = delete;
  Bundle& operator=(const Bundle&) = delete;
  ~Bundle() { archive_write_free(archive_); }

  Status add(const std::string& name, std::string_view text) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, (directory_ + "/" + name).c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(text.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_mtime(entry, std::chrono::duration_cast<std::chrono::seconds>(now_.time_since_epoch()).count(),
                            0);
    const bool written = archive_write_header(archive_, entry) == ARCHIVE_OK &&
                         archive_write_data(archive_, text.data(), text.size()) == static_cast<la_ssize_t>(text.size());
    archive_entry_free(entry);
    if (written) return {};
    return Error(ErrorCode::internal, fmt::format("bundle: {}: {}", name, archive_error_string(archive_)));
  }
  Result<std::string> finish() {
    if (archive_write_close(archive_) != ARCHIVE_OK)
      return Error(ErrorCode::internal, fmt::format("bundle: {}", archive_error_string(archive_)));
    return std::move(bytes_);
  }

 private:
  static la_ssize_t append(archive* /*archive*/, void* self, const void* data, size_t size) {
    static_cast<Bundle*>(self)->bytes_.append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  }
  const std::string directory_;
  const Time now_;
  archive* const archive_;
  std::string bytes_;
};

/// What could not be had is told in the bundle itself: half a bundle is better than none.
Status add_or_tell(Bundle& bundle, const std::string& name, const Result<std::string>& text) {
  return bundle.add(text ? name : name + ".error", text ? *text : text.error().to_string() + "\n");
}

Status add_objects(Bundle& bundle, const Cluster& cluster) {
  for (const char* plural :
       {"backups", "restores", "schedules", "backupstoragelocations", "volumesnapshotlocations", "podvolumebackups",
        "podvolumerestores", "backuprepositories", "deletebackuprequests", "downloadrequests"}) {
    const Result<kube::ListPage> page = kube::list_all(*cluster.api, kube::types::velero(plural), cluster.ns);
    Result<std::string> text = page ? Result<std::string>(std::string()) : Result<std::string>(page.error());
    if (page) {
      json::array items(page->items.begin(), page->items.end());
      text = json::pretty(json::object{{"items", std::move(items)}}) + "\n";
    }
    TRY(add_or_tell(bundle, std::string(plural) + ".json", text));
  }
  return {};
}

Status add_pods(Bundle& bundle, const Cluster& cluster) {
  const Result<kube::ListPage> pods = kube::list_all(*cluster.api, kube::types::pods(), cluster.ns);
  if (!pods) return add_or_tell(bundle, "pods.json", Result<std::string>(pods.error()));
  for (const json::value& pod : pods->items) {
    const std::string name = json::string_at(pod, {"metadata", "name"});
    TRY(bundle.add(fmt::format("pods/{}.json", name), json::pretty(pod) + "\n"));
    for (const json::value& container : json::array_at(pod, {"spec", "containers"})) {
      const std::string which = json::string_at(container, {"name"});
      TRY(add_or_tell(bundle, fmt::format("logs/{}-{}.log", name, which), cluster.api->logs(cluster.ns, name, which)));
    }
  }
  return {};
}

Result<int> debug(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const Time now = surroundings.clock->now();
  const std::string stem = fmt::format("bundle-{:%Y-%m-%d-%H-%M-%S}", std::chrono::floor<std::chrono::seconds>(now));
  const std::string path = arguments.text("output").empty() ? stem + ".tar.gz" : arguments.text("output");
  Bundle bundle(stem, now);
  TRY(add_objects(bundle, cluster));
  TRY(add_pods(bundle, cluster));
  if (const std::string name = arguments.text("backup"); !name.empty())
    TRY(add_or_tell(bundle, "backup-" + name + ".log", download_text(surroundings, cluster, "BackupLog", name, {})));
  if (const std::string name = arguments.text("restore"); !name.empty())
    TRY(add_or_tell(bundle, "restore-" + name + ".log", download_text(surroundings, cluster, "RestoreLog", name, {})));
  const std::string bytes = TRY(bundle.finish());
  TRY(write_file_atomically(path, bytes, 0600));
  surroundings.out(fmt::format("Debug bundle written to {}\n", path));
  return 0;
}

}  // namespace

config::Command debug_command(const Surroundings& surroundings) {
  return {.name = "debug",
          .summary = "Collect objects and logs of an installation in a tarball",
          .examples = {"holdfast debug --backup nightly"},
          .options = {{.name = "backup", .help = "with the log of this backup", .value_name = "NAME"},
                      {.name = "restore", .help = "with the log of this restore", .value_name = "NAME"},
                      {.name = "output", .help = "file to write; bundle-TIME.tar.gz without it", .value_name = "FILE"},
                      {.name = "verbose", .kind = config::Kind::boolean, .help = "taken for Velero's sake"}},
          .run = runs(surroundings, debug)};
}

}  // namespace holdfast::app

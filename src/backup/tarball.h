// The tarball of a backup (Velero's backups/B/B.tar.gz): a streaming writer and a reader that trusts nothing.
//
// Layout: gzip of a tar with plain files only. First metadata/version ("1.1.0\n"), then every object as compact JSON at
//   resources/<plural[.group]>/namespaces/<ns>/<name>.json       (cluster/<name>.json without namespace) and again at
//   resources/<plural[.group]>/<version>-preferredversion/...    (other versions: <version>/..., only there).
// Format 1 lacks the second path. The writer keeps one object in memory. The reader keeps an index of about 250 bytes
// for each object and one object (Limits::object_bytes at most); bodies lie in an unnamed temporary file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "backup/item.h"
#include "backup/stream.h"
#include "base/clock.h"

namespace holdfast::backup {

/// Where an object stands in the tarball.
struct TarballItem {
  ItemKey key;
  std::string version;    ///< "v1"; empty where a format 1 tarball does not say
  bool preferred = true;  ///< the source cluster's preferred version of the type
};

class TarballWriter {
 public:
  /// Writes metadata/version at once. `now` is the time in the entries. Not for use from two threads at a time.
  [[nodiscard]] static Result<TarballWriter> create(ByteSink sink, Time now);
  TarballWriter(TarballWriter&&) noexcept;
  TarballWriter& operator=(TarballWriter&&) noexcept;
  ~TarballWriter();

  /// Writes one object at its path or paths. invalid for names that a reader would refuse.
  [[nodiscard]] Status add(const TarballItem& item, const json::value& object);
  /// Ends the stream; without it the tarball is cut off. Call once, last.
  [[nodiscard]] Status finish();

 private:
  struct State;
  explicit TarballWriter(std::unique_ptr<State> state);
  Status entry(const std::string& path, std::string_view body);
  std::unique_ptr<State> state_;
};

class Tarball {
 public:
  struct Limits {
    uint64_t object_bytes = uint64_t{64} << 20;  ///< of one entry
    uint64_t total_bytes = uint64_t{32} << 30;   ///< unpacked, of all entries
    uint64_t entries = 8'000'000;
    std::string spill_directory;  ///< empty: /var/tmp
  };
  struct Entry {
    TarballItem item;
    uint64_t offset = 0;
    uint64_t size = 0;
  };

  /// Reads the whole stream. corrupt: not gzip or tar, cut off, `..` or absolute or ill-formed paths, links and
  /// devices, two different bodies for one object, no metadata/version; unsupported: a format after 1.1; exhausted: a
  /// limit.
  [[nodiscard]] static Result<Tarball> read(const ByteSource& source, const Limits& limits, std::stop_token stop = {});
  Tarball(Tarball&&) noexcept;
  Tarball& operator=(Tarball&&) noexcept;
  ~Tarball();

  /// "1" or "1.1.0".
  [[nodiscard]] const std::string& format() const;
  /// Sorted by type, namespace, name; the preferred version of an object before others.
  [[nodiscard]] const std::vector<Entry>& entries() const;
  /// The object of an entry; corrupt where it is no JSON object or its name and namespace are not those of its path.
  /// From any thread.
  [[nodiscard]] Result<json::object> object(const Entry& entry) const;
  /// The preferred (or only) version of an object; nullptr where it is not there.
  [[nodiscard]] const Entry* find(const ItemKey& key) const;

 private:
  struct State;
  explicit Tarball(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::backup

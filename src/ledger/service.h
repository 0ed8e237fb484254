// The ledger's HTTP face and its freeze.
//
//   POST /entries {"key","amount"}   200 {"id","duplicate"} after the commit; 409 known key with another amount;
//                                    503: later
//   GET  /entries?after=ID&limit=N   {"entries":[{"id","key","amount"}]}
//   GET  /totals                     {"sum","count","last_id","instance"}
//   GET  /check                      {"integrity":"ok"}
//   GET  /restored                   {"restored":bool, "equal":bool, "entries":N, "manifest_sha256",
//   "differences":[...]} POST /freeze?max=30s             {"taken","manifest_sha256","freeze_ms","manifest_ms"}; 409
//   when frozen POST /thaw                       {"frozen_ms"}; 409 when the freeze had ended by itself: the copy is
//   not consistent GET  /manifest                   of the last freeze:
//   {"sha256","taken","manifest_ms","frozen_ms","manifest"};
//                                    frozen_ms is null until a thaw ended it; 404 before the first
//   GET  /healthz                    200 when the book is open
//
// Freezing writes MANIFEST.json into the volume; thawing removes it. So a volume that holds one at start is a copy
// taken while frozen: it is compared before the database is opened, and the verdict is kept for /restored, in
// RESTORED.json also for later starts.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"

namespace holdfast::ledger {

struct ServiceOptions {
  std::string directory;
  std::string address = "0.0.0.0";
  uint16_t port = 8080;
  uint64_t database_min = uint64_t{64} << 20;
  bool clutter = true;
};

class Service {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Service>> start(ServiceOptions options, Clock& clock, log::Logger log);
  virtual ~Service() = default;
  [[nodiscard]] virtual uint16_t port() const = 0;
};

}  // namespace holdfast::ledger

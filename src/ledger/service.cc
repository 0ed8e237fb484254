#include "ledger/service.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "crypto/sha256.h"
#include "ledger/book.h"
#include "ledger/clutter.h"
#include "ledger/manifest.h"
#include "net/http_server.h"

namespace holdfast::ledger {

namespace {

constexpr const char* kManifestName = "MANIFEST.json";
// The verdict of the first start on restored data, for the starts after it.
constexpr const char* kVerdictName = "RESTORED.json";
// What the volume holds but a manifest does not: itself, and the mark that a restore leaves.
const std::set<std::string> kSkipped = {kManifestName, ".velero", "lost+found"};

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string digest(std::string_view text) {
  return to_hex(crypto::sha256(as_bytes(text)));
}

int status_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::invalid:
      return 400;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::conflict:
      return 409;
    case ErrorCode::exhausted:
      return 507;
    default:
      return 503;
  }
}

/// What a start on a copied volume found.
struct Verdict {
  bool restored = false;
  size_t entries = 0;
  std::string manifest_sha256;
  std::vector<std::string> differences;
};

json::object to_json(const Verdict& verdict) {
  return {{"restored", verdict.restored},
          {"equal", verdict.restored && verdict.differences.empty()},
          {"entries", verdict.entries},
          {"manifest_sha256", verdict.manifest_sha256},
          {"differences", json::from_strings(verdict.differences)}};
}

/// The verdict that an earlier start left; that of a volume that was never restored where there is none.
Result<Verdict> earlier_verdict(const std::string& directory) {
  const Result<std::string> text = read_file(directory + "/" + kVerdictName);
  if (text.is(ErrorCode::not_found)) return Verdict{};
  if (!text) return text.error();
  const json::value v = TRY(json::parse(*text).in(kVerdictName));
  return Verdict{json::bool_at(v, {"restored"}), static_cast<size_t>(json::int_at(v, {"entries"})),
                 json::string_at(v, {"manifest_sha256"}), json::strings(json::array_at(v, {"differences"}))};
}

Result<Verdict> compare_with_manifest(const std::string& directory, ManifestReader& reader) {
  const std::string path = directory + "/" + kManifestName;
  const Result<std::string> text = read_file(path);
  if (text.is(ErrorCode::not_found)) return earlier_verdict(directory);
  if (!text) return text.error();
  Verdict verdict{true, 0, digest(*text), {}};
  const Result<json::value> parsed = json::parse(*text);
  Result<Manifest> wanted = parsed.ok() ? manifest_from_json(*parsed) : Result<Manifest>(parsed.error());
  if (!wanted) {
    verdict.differences = {std::string(kManifestName) + ": " + wanted.error().message()};
    return verdict;
  }
  const Manifest found = TRY(reader.read(directory, kSkipped));
  verdict.entries = wanted->size();
  verdict.differences = differences(*wanted, found, ::geteuid() == 0 ? Owners::compare : Owners::ignore);
  return verdict;
}

class RunningService final : public Service {
 public:
  RunningService(ServiceOptions options, Clock& clock, log::Logger log)
      : options_(std::move(options)), clock_(clock), log_(std::move(log)), instance_(random_uuid()) {}

  Status open() {
    verdict_ = TRY(compare_with_manifest(options_.directory, reader_));
    const std::string manifest = options_.directory + "/" + kManifestName;
    if (std::error_code error; std::filesystem::exists(manifest, error)) {
      log_.info("compared the volume with its manifest",
                {{"entries", verdict_.entries}, {"differences", verdict_.differences.size()}});
      // The pod may be replaced before anybody has asked: the verdict outlives it on the volume.
      TRY(write_file_atomically(options_.directory + "/" + kVerdictName, json::compact(to_json(verdict_))));
      TRY(remove_manifest());
    }
    book_ = TRY(Book::open(options_.directory, options_.database_min));
    if (options_.clutter)
      log_.info("left files on the volume", {{"directory", TRY(leave_clutter(options_.directory))}});
    const net::ServerOptions server{.address = options_.address, .port = options_.port, .connections_max = 256};
    server_ = TRY(net::HttpServer::start(
        server, [this](const net::ServerRequest& request, net::Responder& responder) { answer(request, responder); }));
    log_.info("serving", {{"port", server_->port()}, {"directory", options_.directory}});
    return {};
  }

  ~RunningService() override {
    server_.reset();
    limiter_ = {};
  }
  uint16_t port() const override { return server_->port(); }

 private:
  void answer(const net::ServerRequest& request, net::Responder& responder) {
    Result<json::value> result = dispatch(request);
    const int status = result.ok() ? 200 : status_of(result.error());
    const json::value body = result.ok() ? *result : json::object{{"error", result.error().message()}};
    // A poster that has gone does not get its answer; the load generator counts that as in doubt.
    static_cast<void>(responder.reply(status, {{"Content-Type", "application/json"}}, json::compact(body)));
  }

  Result<json::value> dispatch(const net::ServerRequest& request) {
    const std::string act = request.method + " " + request.path;
    if (act == "POST /entries") return post(request.body);
    if (act == "GET /entries") return list(request);
    if (act == "GET /totals") return totals();
    if (act == "GET /check") return json::object{{"integrity", TRY(book_->integrity())}};
    if (act == "GET /restored") return restored();
    if (act == "POST /freeze") return freeze(request.query_value("max"));
    if (act == "POST /thaw") return thaw();
    if (act == "GET /manifest") return manifest();
    if (act == "GET /healthz") return json::object{{"ok", true}};
    return Error(ErrorCode::not_found, act + " is not served here");
  }

  Result<json::value> post(const std::string& body) {
    const json::value v = TRY(json::parse(body));
    const std::string key = json::string_at(v, {"key"});
    const json::value* amount = json::find(v, {"amount"});
    if (key.empty() || key.size() > 200 || amount == nullptr || !amount->is_int64()) {
      return Error(ErrorCode::invalid, "an entry needs a key of 1 to 200 bytes and a whole amount");
    }
    const Posted posted = TRY(book_->post(key, amount->get_int64(), std::chrono::seconds(20)));
    return json::object{{"id", posted.id}, {"duplicate", posted.duplicate}};
  }

  Result<json::value> list(const net::ServerRequest& request) {
    const auto number = [&](const char* name, int64_t other) -> Result<int64_t> {
      const std::string text = request.query_value(name);
      if (text.empty()) return other;
      return parse_int(text);
    };
    const int64_t after = TRY(number("after", 0));
    const int64_t limit = TRY(number("limit", 10'000));
    json::array entries;
    for (const Entry& entry : TRY(book_->entries(after, std::min<int64_t>(limit, 100'000)))) {
      entries.push_back(json::object{{"id", entry.id}, {"key", entry.key}, {"amount", entry.amount}});
    }
    return json::object{{"entries", std::move(entries)}};
  }

  Result<json::value> totals() {
    const Totals totals = TRY(book_->totals());
    return json::object{
        {"sum", totals.sum}, {"count", totals.count}, {"last_id", totals.last_id}, {"instance", instance_}};
  }

  Result<json::value> restored() const { return to_json(verdict_); }

  Result<json::value> freeze(const std::string& max_text) {
    const Duration max = TRY(parse_go_duration(max_text.empty() ? "30s" : max_text));
    if (max <= Duration::zero()) return Error(ErrorCode::invalid, "a freeze needs a limit above zero");
    std::lock_guard lock(freeze_mutex_);
    const BootTime begin = clock_.boottime();
    TRY(book_->freeze());
    const Time taken = clock_.now();
    const Status written = write_manifest();
    if (!written) {
      static_cast<void>(remove_manifest());
      book_->thaw();
      return written.error();
    }
    const BootTime end = clock_.boottime();
    frozen_since_ = begin;
    frozen_ms_.reset();
    taken_ = taken;
    limiter_ =
        std::jthread([this, left = max - (end - begin)](std::stop_token stop) { thaw_after(std::move(stop), left); });
    return json::object{{"taken", format_rfc3339_nano(taken)},
                        {"manifest_sha256", digest(manifest_text_)},
                        {"freeze_ms", milliseconds(end - begin)},
                        {"manifest_ms", manifest_ms_}};
  }

  Status write_manifest() {
    const BootTime begin = clock_.boottime();
    const Manifest manifest = TRY(reader_.read(options_.directory, kSkipped));
    manifest_text_ = json::compact(to_json(manifest));
    TRY(write_file_atomically(options_.directory + "/" + kManifestName, manifest_text_));
    manifest_ms_ = milliseconds(clock_.boottime() - begin);
    return {};
  }

  Status remove_manifest() const {
    const std::string path = options_.directory + "/" + kManifestName;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error(errno, "remove " + path);
    return sync_directory(options_.directory);
  }

  /// The freeze's own end: nobody may hold the posters for ever.
  void thaw_after(std::stop_token stop, Duration limit) {
    if (!clock_.sleep(std::move(stop), limit)) return;
    static_cast<void>(remove_manifest());
    if (book_->thaw()) log_.warning("the freeze ended by itself; a copy taken meanwhile is not consistent");
  }

  Result<json::value> thaw() {
    std::lock_guard lock(freeze_mutex_);
    limiter_ = {};
    if (!book_->frozen())
      return Error(ErrorCode::conflict, "not frozen: the freeze had ended by itself, or there was none");
    // The manifest goes before the first new write, so that it never lies about the files beside it.
    TRY(remove_manifest());
    book_->thaw();
    frozen_ms_ = milliseconds(clock_.boottime() - frozen_since_);
    return json::object{{"frozen_ms", *frozen_ms_}};
  }

  Result<json::value> manifest() {
    std::lock_guard lock(freeze_mutex_);
    if (manifest_text_.empty()) return Error(ErrorCode::not_found, "there was no freeze yet");
    return json::object{{"sha256", digest(manifest_text_)},
                        {"taken", format_rfc3339_nano(taken_)},
                        {"manifest_ms", manifest_ms_},
                        {"frozen_ms", frozen_ms_ ? json::value(*frozen_ms_) : json::value(nullptr)},
                        {"manifest", manifest_text_}};
  }

  const ServiceOptions options_;
  Clock& clock_;
  const log::Logger log_;
  const std::string instance_;
  ManifestReader reader_;
  Verdict verdict_;
  std::unique_ptr<Book> book_;
  std::mutex freeze_mutex_;
  BootTime frozen_since_{};
  std::string manifest_text_;
  double manifest_ms_ = 0;
  Time taken_{};
  std::optional<double> frozen_ms_;  ///< of the last freeze, once it was thawed
  std::jthread limiter_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace

Result<std::unique_ptr<Service>> Service::start(ServiceOptions options, Clock& clock, log::Logger log) {
  auto service = std::make_unique<RunningService>(std::move(options), clock, std::move(log));
  TRY(service->open());
  return std::unique_ptr<Service>(std::move(service));
}

}  // namespace holdfast::ledger

#include "objstore/s3.h"

#include <fmt/format.h>

#include <atomic>
#include <ctime>

#include "base/text.h"
#include "objstore/keys.h"
#include "objstore/s3_client.h"
#include "objstore/s3_upload.h"

namespace holdfast::objstore {

namespace {

Result<Time> parse_http_date(std::string_view text) {
  tm parts{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return Error(ErrorCode::corrupt, "the answer has no Last-Modified time");
  return Time(std::chrono::seconds(::timegm(&parts)));
}

class S3Store final : public Store {
 public:
  explicit S3Store(std::shared_ptr<S3Client> client) : client_(std::move(client)) {}

  std::set<Capability> capabilities() const override {
    return {Capability::conditional_put, Capability::multipart, Capability::presign};
  }
  std::string name() const override { return "s3://" + client_->options().bucket; }

  Result<std::string> get(const std::string& key, std::optional<Range> range, std::stop_token stop) override {
    TRY(check("get", key, stop));
    return read(key, range, stop).in(described("get", key));
  }

  Result<ObjectMeta> head(const std::string& key, std::stop_token stop) override {
    TRY(check("head", key, stop));
    return look(key, stop).in(described("head", key));
  }

  Status put(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    TRY(check("put", key, stop));
    return write(key, bytes, client_->new_object_headers(), stop).in(described("put", key));
  }

  Status put_if_absent(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    TRY(check("put_if_absent", key, stop));
    net::Headers headers = client_->new_object_headers();
    headers.add("If-None-Match", "*");
    return write(key, bytes, std::move(headers), stop).in(described("put_if_absent", key));
  }

  Result<ListPage> list(const ListRequest& request, std::stop_token stop) override {
    TRY(check_list(request).in(name()));
    return read_page(request, stop).in(described("list", request.prefix));
  }

  Status remove(const std::string& key, std::stop_token stop) override {
    TRY(check("remove", key, stop));
    const Result<net::Response> answer = client_->call({.method = "DELETE", .key = key}, std::move(stop));
    if (!answer && !answer.is(ErrorCode::not_found)) return answer.error().in(described("remove", key));
    return {};
  }

  Result<std::unique_ptr<Upload>> start_upload(const std::string& key, std::stop_token stop) override {
    TRY(check("upload", key, stop));
    return start_s3_upload(client_, key, described("upload", key), std::move(stop));
  }

  Result<std::string> presign_get(const std::string& key, Duration valid) override {
    TRY(check("presign", key, {}));
    return client_->presigned(key, valid).in(described("presign", key));
  }

 private:
  Status check(std::string_view act, const std::string& key, const std::stop_token& stop) const {
    TRY(check_key(key).in(fmt::format("{} {}", act, name())));
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, described(act, key) + ": stopped");
    return {};
  }
  std::string described(std::string_view act, const std::string& key) const {
    return fmt::format("{} {}/{}", act, name(), key);
  }

  Status write(const std::string& key, std::string_view bytes, net::Headers headers, const std::stop_token& stop) {
    add_checksum(headers, client_->options().checksum, bytes);
    TRY(client_->call({.method = "PUT", .key = key, .headers = std::move(headers), .body = bytes}, stop));
    bucket_seen_ = true;
    return {};
  }

  Result<std::string> read(const std::string& key, const std::optional<Range>& range, const std::stop_token& stop) {
    if (range && range->length == uint64_t{0}) {
      const ObjectMeta meta = TRY(look(key, stop));
      TRY(window_of(range, meta.size));
      return std::string();
    }
    net::Headers headers;
    if (range) headers.add("Range", range_text(*range));
    Result<net::Response> answer = client_->call({.method = "GET", .key = key, .headers = std::move(headers)}, stop);
    if (!answer) return std::move(answer).error();
    if (!range || answer->status == 206) return std::move(answer->body);
    // The server gave the whole object.
    const Window window = TRY(window_of(range, answer->body.size()));
    return answer->body.substr(window.offset, window.length);
  }

  static std::string range_text(const Range& range) {
    if (!range.length || *range.length > UINT64_MAX - range.offset) return fmt::format("bytes={}-", range.offset);
    return fmt::format("bytes={}-{}", range.offset, range.offset + *range.length - 1);
  }

  Result<ObjectMeta> look(const std::string& key, const std::stop_token& stop) {
    Result<net::Response> answer = client_->call({.method = "HEAD", .key = key}, stop);
    if (answer.is(ErrorCode::not_found)) {
      TRY(check_bucket(stop));
      return Error(ErrorCode::not_found, "there is no such object");
    }
    if (!answer) return std::move(answer).error();
    bucket_seen_ = true;
    const Result<int64_t> size = parse_int(answer->headers.get("Content-Length"));
    if (!size || *size < 0) return Error(ErrorCode::corrupt, "the answer has no Content-Length");
    ObjectMeta meta{key, static_cast<uint64_t>(*size)};
    meta.modified = TRY(parse_http_date(answer->headers.get("Last-Modified")));
    meta.etag = answer->headers.get("ETag");
    std::erase(meta.etag, '"');
    return meta;
  }

  /// An answer to HEAD has no body: whether it was the object or the whole bucket that is missing, a list tells. Asked
  /// until the bucket was seen once.
  Status check_bucket(const std::stop_token& stop) {
    if (bucket_seen_) return {};
    TRY(read_page({.prefix = "", .delimiter = "", .after = "", .limit = 1}, stop));
    return {};
  }

  Result<ListPage> read_page(const ListRequest& request, const std::stop_token& stop) {
    S3Call call{.method = "GET"};
    call.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", std::to_string(request.limit)}};
    if (!request.prefix.empty()) call.query.emplace_back("prefix", request.prefix);
    if (!request.delimiter.empty()) call.query.emplace_back("delimiter", request.delimiter);
    if (!request.after.empty()) call.query.emplace_back("continuation-token", request.after);
    const net::Response answer = TRY(client_->call(call, stop));
    ListPage page = TRY(parse_list_answer(answer.body));
    bucket_seen_ = true;
    return page;
  }

  const std::shared_ptr<S3Client> client_;
  std::atomic<bool> bucket_seen_ = false;
};

}  // namespace

Result<std::shared_ptr<Store>> open_s3(S3Options options, Clock& clock) {
  std::shared_ptr<S3Client> client = TRY(S3Client::create(std::move(options), clock));
  return std::shared_ptr<Store>(std::make_shared<S3Store>(std::move(client)));
}

}  // namespace holdfast::objstore

// One call over libcurl's multi interface: the loop below is ours, so that a stop token ends a call at once
// (curl_multi_wakeup) and so that silence of the peer can be measured.
//
// Nothing is sent twice: libcurl repeats a request by itself when a kept-alive connection turns out to be dead, but it
// cannot rewind a body that comes from a read function without seek, and gives up with an error instead. That is what
// conditional puts and creates need; connections that the peer closed while idle are noticed before they are used.
#include "net/curl_slot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace holdfast::net {

namespace {

constexpr std::chrono::milliseconds kLongestPoll{1000};

struct Call {
  const Request* request = nullptr;
  const HeadSink* on_head = nullptr;
  const BodySink* on_body = nullptr;
  Response head = {};
  bool head_done = false;
  size_t body_sent = 0;
  bool sent = false;
  BootTime last_activity = {};
  std::optional<Error> failure = {};  ///< of a sink or source: becomes the result
};

void touch(Call& call) {
  call.last_activity = system_clock().boottime();
}

size_t read_body(char* buffer, size_t size, size_t count, void* user) noexcept {
  Call& call = *static_cast<Call*>(user);
  call.sent = true;
  const std::span<char> room(buffer, size * count);
  size_t filled = 0;
  if (call.request->source) {
    Result<size_t> got = call.request->source(room);
    if (!got) {
      call.failure = std::move(got).error();
      return CURL_READFUNC_ABORT;
    }
    filled = *got;
  } else {
    filled = std::min(room.size(), call.request->body.size() - call.body_sent);
    std::memcpy(room.data(), call.request->body.data() + call.body_sent, filled);
  }
  call.body_sent += filled;
  touch(call);
  return filled;
}

bool start_head(Call& call, std::string_view line) {
  if (!line.starts_with("HTTP/")) return false;
  const size_t space = line.find(' ');
  const Result<int64_t> status = parse_int(space == std::string_view::npos ? "" : line.substr(space + 1, 3));
  call.head = Response{};
  call.head.status = status ? static_cast<int>(*status) : 0;
  call.head_done = false;
  return true;
}

size_t take_header(char* data, size_t size, size_t count, void* user) noexcept {
  Call& call = *static_cast<Call*>(user);
  const size_t total = size * count;
  const std::string_view line(data, total);
  touch(call);
  call.sent = true;
  if (start_head(call, line) || call.head_done) return total;  // what follows the body are trailers
  const std::string_view text = trim(line);
  if (!text.empty()) {
    const size_t colon = text.find(':');
    if (colon != std::string_view::npos) {
      call.head.headers.add(std::string(trim(text.substr(0, colon))), std::string(trim(text.substr(colon + 1))));
    }
    return total;
  }
  if (call.head.status < 200) return total;  // interim answer: the real one follows
  call.head_done = true;
  if (*call.on_head) {
    Status status = (*call.on_head)(call.head);
    if (!status) {
      call.failure = std::move(status).error();
      return 0;
    }
    touch(call);
  }
  return total;
}

size_t take_body(char* data, size_t size, size_t count, void* user) noexcept {
  Call& call = *static_cast<Call*>(user);
  const size_t total = size * count;
  if (*call.on_body) {
    Status status = (*call.on_body)(std::string_view(data, total));
    if (!status) {
      call.failure = std::move(status).error();
      return 0;
    }
  }
  touch(call);
  return total;
}

/// A curl_slist that frees itself.
class HeaderLines {
 public:
  ~HeaderLines() { curl_slist_free_all(list_); }
  void add(const std::string& line) {
    if (curl_slist* longer = curl_slist_append(list_, line.c_str())) list_ = longer;
  }
  [[nodiscard]] curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

bool has_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

Status add_headers(const Headers& headers, HeaderLines& lines) {
  for (const auto& [name, value] : headers.fields()) {
    if (name.empty() || has_break(name) || has_break(value) || name.find(':') != std::string::npos) {
      return Error(ErrorCode::invalid,
                   fmt::format("header {} holds a character that no header may have", percent_encode(name)));
    }
    lines.add(value.empty() ? name + ";" : name + ": " + value);
  }
  lines.add("Expect:");
  return {};
}

void set_blob(CURL* easy, CURLoption option, const std::string& pem) {
  curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_COPY};
  curl_easy_setopt(easy, option, &blob);
}

void set_tls(CURL* easy, const TlsOptions& tls) {
  const long verify = tls.verify == TlsOptions::Verify::peer ? 1 : 0;
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify * 2);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!tls.ca_pem.empty()) {
    set_blob(easy, CURLOPT_CAINFO_BLOB, tls.ca_pem);
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);  // else the system's are trusted beside it
  }
  if (!tls.certificate_pem.empty()) {
    set_blob(easy, CURLOPT_SSLCERT_BLOB, tls.certificate_pem);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, tls.key_pem);
  }
}

void set_proxy(CURL* easy, const ProxyRules& proxy, const Url& url) {
  if (proxy.set) {
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy.url.c_str());
  } else if (url.scheme == "http" && !proxy.http_url.empty()) {
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy.http_url.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_NOPROXY, proxy.except.c_str());
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

/// With a server name of its own, the URL carries that name (libcurl checks the certificate against the URL) and the
/// connection is led to the real host.
std::string set_target(CURL* easy, const TlsOptions& tls, const Request& request, const Url& url, HeaderLines& lines,
                       HeaderLines& connect_to) {
  if (tls.server_name.empty() || url.scheme != "https") return request.url;
  connect_to.add(fmt::format("::{}:{}", bracketed(url.host), url.port));
  curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to.get());
  const std::string port = url.port == 443 ? "" : fmt::format(":{}", url.port);
  if (!request.headers.has("Host")) lines.add("Host: " + bracketed(url.host) + port);
  const std::string query = url.query.empty() ? "" : "?" + url.query;
  return fmt::format("https://{}:{}{}{}", tls.server_name, url.port, url.path, query);
}

Status set_method(CURL* easy, Call& call) {
  const Request& request = *call.request;
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (request.method.empty() || !std::ranges::all_of(request.method, is_capital)) {
    return Error(ErrorCode::invalid, "the method is no HTTP method");
  }
  if (request.source && !request.source_size) {
    return Error(ErrorCode::invalid, "a streamed body needs its length");
  }
  const uint64_t size = request.source ? *request.source_size : request.body.size();
  const bool carries =
      size > 0 || request.source || request.method == "PUT" || request.method == "POST" || request.method == "PATCH";
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return {};
  }
  if (carries) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_body);
    curl_easy_setopt(easy, CURLOPT_READDATA, &call);
    // Nothing to rewind would let libcurl repeat the request: it repeats none on a new connection.
    if (size == 0) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  return {};
}

void set_transport(CURL* easy, const ClientOptions& options, Call& call, char* error_text) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const auto whole = [](Duration d) {
    return static_cast<long>(std::max<int64_t>(1, duration_cast<milliseconds>(d).count()));
  };
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a stopped call does not wait for the resolver
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, whole(options.connect_timeout));
  if (call.request->timeout > Duration::zero()) {
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, whole(call.request->timeout));
  }
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &call);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &call);
}

/// Puts the easy handle into the multi handle for as long as it lives.
class Attached {
 public:
  Attached(CURLM* multi, CURL* easy) : multi_(multi), easy_(easy) { curl_multi_add_handle(multi_, easy_); }
  ~Attached() { curl_multi_remove_handle(multi_, easy_); }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  CURLM* multi_;
  CURL* easy_;
};

std::optional<CURLcode> finished(CURLM* multi) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) return message->data.result;
  }
  return std::nullopt;
}

Result<CURLcode> drive(CURLM* multi, const Call& call, const std::stop_token& stop) {
  const std::stop_callback wake(stop, [multi] { curl_multi_wakeup(multi); });
  const Duration idle_max = call.request->idle_timeout;
  while (true) {
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    int running = 0;
    const CURLMcode code = curl_multi_perform(multi, &running);
    if (code != CURLM_OK) return Error(ErrorCode::internal, curl_multi_strerror(code));
    if (const std::optional<CURLcode> result = finished(multi)) return *result;
    Duration wait = kLongestPoll;
    if (idle_max > Duration::zero()) {
      const Duration left = call.last_activity + idle_max - system_clock().boottime();
      if (left <= Duration::zero()) {
        return Error(ErrorCode::timeout, fmt::format("the peer was silent for {}", format_go_duration(idle_max)));
      }
      wait = std::min(wait, left);
    }
    const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    curl_multi_poll(multi, nullptr, 0, static_cast<int>(wait_ms), nullptr);
  }
}

}  // namespace

Result<std::unique_ptr<CurlSlot>> CurlSlot::create() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_ALL);
  CURL* easy = initialised == CURLE_OK ? curl_easy_init() : nullptr;
  CURLM* multi = easy != nullptr ? curl_multi_init() : nullptr;
  if (multi == nullptr) {
    if (easy != nullptr) curl_easy_cleanup(easy);
    return Error(ErrorCode::exhausted, "no memory for an HTTP connection");
  }
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 4L);
  return std::unique_ptr<CurlSlot>(new CurlSlot(easy, multi));
}

CurlSlot::~CurlSlot() {
  curl_easy_cleanup(easy_);
  curl_multi_cleanup(multi_);
}

Result<Response> CurlSlot::run(const ClientOptions& options, const ProxyRules& proxy, const Request& request,
                               const HeadSink& on_head, const BodySink& on_body, std::stop_token stop) {
  const Url url = TRY(parse_url(request.url));
  Call call{.request = &request, .on_head = &on_head, .on_body = &on_body};
  touch(call);
  char error_text[CURL_ERROR_SIZE] = "";
  HeaderLines lines;
  HeaderLines connect_to;
  curl_easy_reset(easy_);
  TRY(add_headers(request.headers, lines));
  set_transport(easy_, options, call, error_text);
  set_tls(easy_, options.tls);
  set_proxy(easy_, proxy, url);
  TRY(set_method(easy_, call));
  curl_easy_setopt(easy_, CURLOPT_URL, set_target(easy_, options.tls, request, url, lines, connect_to).c_str());
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, lines.get());
  Result<CURLcode> outcome = CURLE_OK;
  {
    const Attached attached(multi_, easy_);
    outcome = drive(multi_, call, stop);
  }
  if (call.failure) return std::move(*call.failure);
  if (!outcome) return std::move(outcome).error();
  if (*outcome != CURLE_OK) {
    curl_off_t pretransfer = 0;
    curl_easy_getinfo(easy_, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
    return curl_error(*outcome, error_text, call.sent || pretransfer > 0);
  }
  if (!call.head_done) return Error(ErrorCode::unavailable, "the answer broke off in its head");
  return std::move(call.head);
}

}  // namespace holdfast::net

#include "demo/store_place.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/random.h"
#include "base/text.h"
#include "net/http.h"

namespace holdfast::demo {

namespace {

constexpr const char* kServer = "versitygw";
constexpr const char* kBucket = "holdfast-demo";

/// This process's environment with these two more.
std::vector<std::string> environment_with(const std::string& id, const std::string& key) {
  std::vector<std::string> out;
  for (char** each = environ; *each != nullptr; ++each) {
    if (!std::string_view(*each).starts_with("AWS_")) out.emplace_back(*each);
  }
  out.push_back("AWS_ACCESS_KEY_ID=" + id);
  out.push_back("AWS_SECRET_ACCESS_KEY=" + key);
  return out;
}

}  // namespace

std::string StorePlace::name() const {
  if (!bucket) return "directory";
  return fmt::format("s3://{}{}{}", bucket->name, bucket->prefix.empty() ? "" : "/", bucket->prefix);
}

Result<Bucket> parse_bucket(std::string_view url) {
  constexpr std::string_view kScheme = "s3://";
  Error fault(ErrorCode::invalid, fmt::format("store {} is not like s3://BUCKET or s3://BUCKET/PREFIX", url));
  if (!url.starts_with(kScheme)) return fault;
  url.remove_prefix(kScheme.size());
  while (url.ends_with('/')) url.remove_suffix(1);
  const size_t slash = url.find('/');
  Bucket out{.name = std::string(url.substr(0, slash))};
  if (slash != std::string_view::npos) out.prefix = url.substr(slash + 1);
  if (out.name.empty() || out.name.find_first_of("?#@: ") != std::string::npos || out.prefix.starts_with('/'))
    return fault;
  return out;
}

std::string credentials_file(const std::string& id, const std::string& key, const std::string& token) {
  std::string out = fmt::format("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", id, key);
  if (!token.empty()) out += fmt::format("aws_session_token = {}\n", token);
  return out;
}

Result<std::vector<std::string>> install_words(const Bucket& bucket, const std::string& address,
                                               const std::string& credentials) {
  const net::Url url = TRY(net::parse_url(bucket.endpoint).in("endpoint of the store"));
  // Signed links are for people on this machine, who reach the store where it really is.
  std::vector<std::string> out = {"--provider",
                                  "aws",
                                  "--bucket",
                                  bucket.name,
                                  "--secret-file",
                                  credentials,
                                  "--backup-location-config",
                                  fmt::format("region={},s3ForcePathStyle=true,s3Url={}://{},publicUrl={}",
                                              bucket.region, url.scheme, address, bucket.endpoint)};
  if (!bucket.prefix.empty()) out.insert(out.end(), {"--prefix", bucket.prefix});
  if (!bucket.certificate_file.empty()) out.insert(out.end(), {"--cacert", bucket.certificate_file});
  return out;
}

Status StoreServer::clear(const std::string& scripts, const std::string& directory) {
  return run_checked({scripts + "/s3_servers.sh", "stop", directory});
}

Result<std::unique_ptr<StoreServer>> StoreServer::start(const std::string& scripts, const std::string& directory) {
  TRY(clear(scripts, directory));
  // Its buckets are the directories below data.
  TRY(make_directories(fmt::format("{}/data/{}", directory, kBucket), 0700));
  std::unique_ptr<StoreServer> out(new StoreServer(scripts, directory));
  const std::string id = "holdfast-demo";
  const std::string key = random_hex(20);
  const CommandOutput output = TRY(run_command({scripts + "/s3_servers.sh", "start", kServer, directory, "0"}, {},
                                               std::chrono::seconds(60), {}, environment_with(id, key)));
  if (output.code != 0)
    return Error(output.code == 3 ? ErrorCode::not_found : ErrorCode::unavailable,
                 fmt::format("start {}: {}", kServer, trim(output.err)));
  out->bucket_ =
      Bucket{.name = kBucket, .endpoint = std::string(trim(output.out)), .credentials = credentials_file(id, key, {})};
  return out;
}

StoreServer::~StoreServer() {
  // The next run ends what is left.
  static_cast<void>(clear(scripts_, directory_));
}

}  // namespace holdfast::demo

#include "objstore/open.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "objstore/fs.h"
#include "objstore/s3.h"

namespace holdfast::objstore {

namespace {

constexpr std::array<std::string_view, 16> kAwsKeys = {"region",
                                                       "s3ForcePathStyle",
                                                       "s3Url",
                                                       "publicUrl",
                                                       "serverSideEncryption",
                                                       "kmsKeyId",
                                                       "signatureVersion",
                                                       "profile",
                                                       "enableSharedConfig",
                                                       "insecureSkipTLSVerify",
                                                       "tagging",
                                                       "checksumAlgorithm",
                                                       "caCert",
                                                       "resticRepoPrefix",
                                                       "customerKeyEncryptionFile",
                                                       "customerKeyEncryptionSecret"};
constexpr std::array<std::string_view, 2> kDirectoryKeys = {"path", "resticRepoPrefix"};

Status check_keys(const std::map<std::string, std::string>& config, std::span<const std::string_view> known) {
  for (const auto& [key, value] : config) {
    if (std::ranges::find(known, key) == known.end()) {
      return Error(ErrorCode::invalid, fmt::format("config has no key '{}'", key),
                   fmt::format("the keys are: {}", fmt::join(known, ", ")));
    }
  }
  return {};
}

std::string text_at(const std::map<std::string, std::string>& config, const std::string& key) {
  const auto found = config.find(key);
  return found == config.end() ? "" : found->second;
}

Result<bool> flag_at(const std::map<std::string, std::string>& config, const std::string& key) {
  const std::string text = to_lower(text_at(config, key));
  if (text.empty() || text == "false" || text == "0" || text == "f") return false;
  if (text == "true" || text == "1" || text == "t") return true;
  return Error(ErrorCode::invalid, fmt::format("config: {} is neither true nor false", key));
}

Result<Credentials> find_credentials(const OpenOptions& options) {
  const std::string profile = text_at(options.config, "profile");
  if (!options.credentials.empty()) return credentials_from(options.credentials, profile);
  Result<Credentials> found = credentials_from_env(
      options.environment ? options.environment : [](const std::string&) { return std::optional<std::string>(); });
  if (found.is(ErrorCode::not_found)) {
    return Error(ErrorCode::denied, "there are no credentials",
                 "give the location a credential, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  }
  return found;
}

Status check_supported(const std::map<std::string, std::string>& config) {
  const std::string version = text_at(config, "signatureVersion");
  if (!version.empty() && version != "4") {
    return Error(ErrorCode::unsupported, fmt::format("config: signatureVersion {} is not supported", version),
                 "leave it out, or write 4");
  }
  for (const char* key : {"customerKeyEncryptionFile", "customerKeyEncryptionSecret"}) {
    if (!text_at(config, key).empty()) {
      return Error(ErrorCode::unsupported, fmt::format("config: {} is not supported", key),
                   "use serverSideEncryption with kmsKeyId");
    }
  }
  return {};
}

Result<S3Options> s3_options(const std::string& bucket, const OpenOptions& options) {
  const std::map<std::string, std::string>& config = options.config;
  TRY(check_keys(config, kAwsKeys));
  TRY(check_supported(config));
  S3Options s3{.bucket = bucket};
  if (const std::string region = text_at(config, "region"); !region.empty()) s3.region = region;
  s3.endpoint = text_at(config, "s3Url");
  s3.public_endpoint = text_at(config, "publicUrl");
  if (TRY(flag_at(config, "s3ForcePathStyle"))) s3.addressing = S3Options::Addressing::path;
  s3.insecure_skip_tls_verify = TRY(flag_at(config, "insecureSkipTLSVerify"));
  s3.server_side_encryption = text_at(config, "serverSideEncryption");
  s3.kms_key_id = text_at(config, "kmsKeyId");
  // As Velero's plugin does: a key for the key service means that service.
  if (!s3.kms_key_id.empty() && s3.server_side_encryption.empty()) s3.server_side_encryption = "aws:kms";
  s3.tagging = text_at(config, "tagging");
  if (config.contains("checksumAlgorithm")) {
    s3.checksum = TRY(parse_checksum_algorithm(text_at(config, "checksumAlgorithm")).in("config"));
  }
  s3.ca_pem = options.ca_pem.empty() ? text_at(config, "caCert") : options.ca_pem;
  s3.proxy = options.proxy;
  s3.credentials = TRY(find_credentials(options));
  return s3;
}

Result<std::shared_ptr<Store>> stacked(std::shared_ptr<Store> store, const std::string& prefix,
                                       const OpenOptions& options, Clock& clock) {
  if (options.limits.bytes_per_second != 0 || options.limits.operations != 0) {
    store = with_limits(std::move(store), options.limits, clock);
  }
  if (options.retry) store = with_retry(std::move(store), *options.retry, clock);
  return below(std::move(store), prefix);
}

Result<std::shared_ptr<Store>> open_path(const std::string& path, const std::string& prefix, const OpenOptions& options,
                                         Clock& clock) {
  FsOptions fs{path};
  if (options.create_directory) fs.missing = FsOptions::Missing::create;
  std::shared_ptr<Store> store = TRY(open_directory(std::move(fs)));
  return stacked(std::move(store), prefix, options, clock);
}

/// "s3.eu-west-1.amazonaws.com" and "s3-eu-west-1.amazonaws.com" name a region.
std::string region_of_host(std::string_view host) {
  host = host.substr(0, host.find(".amazonaws.com"));
  if (!host.starts_with("s3.") && !host.starts_with("s3-")) return {};
  return std::string(host.substr(3));
}

Result<std::shared_ptr<Store>> open_s3_url(std::string text, const OpenOptions& options, Clock& clock) {
  if (text.starts_with("//")) text.erase(0, 2);
  if (!text.starts_with("http://") && !text.starts_with("https://")) text.insert(0, "https://");
  const net::Url url = TRY(net::parse_url(text));
  const std::string path = TRY(net::percent_decode(url.path)).substr(1);
  const size_t slash = std::min(path.find('/'), path.size());
  if (slash == 0) {
    return Error(ErrorCode::invalid, "the URL names no bucket", "write s3:https://HOST/BUCKET/PREFIX");
  }
  OpenOptions mine = options;
  const bool amazon = url.host.ends_with(".amazonaws.com");
  if (amazon && text_at(mine.config, "region").empty()) mine.config["region"] = region_of_host(url.host);
  S3Options s3 = TRY(s3_options(path.substr(0, slash), mine));
  const size_t authority_end = std::min(text.find('/', text.find("://") + 3), text.size());
  s3.endpoint = text.substr(0, authority_end);
  if (amazon) s3.endpoint.clear();
  if (!amazon) s3.addressing = S3Options::Addressing::path;
  std::shared_ptr<Store> store = TRY(open_s3(std::move(s3), clock));
  return stacked(std::move(store), path.substr(std::min(slash + 1, path.size())), options, clock);
}

}  // namespace

Result<std::shared_ptr<Store>> open_location(const std::string& provider, const std::string& bucket,
                                             const std::string& prefix, const OpenOptions& options, Clock& clock) {
  if (provider == "aws" || provider == "velero.io/aws") {
    S3Options s3 = TRY(s3_options(bucket, options).in("s3://" + bucket));
    std::shared_ptr<Store> store = TRY(open_s3(std::move(s3), clock));
    return stacked(std::move(store), prefix, options, clock);
  }
  if (provider == "holdfast.dev/directory") {
    TRY(check_keys(options.config, kDirectoryKeys).in(provider));
    const std::string path = text_at(options.config, "path");
    if (path.empty())
      return Error(ErrorCode::invalid, provider + ": config has no path", "name a directory in config.path");
    return open_path(path, prefix, options, clock);
  }
  return Error(ErrorCode::unsupported, fmt::format("there is no provider '{}'", provider),
               "take aws, velero.io/aws or holdfast.dev/directory");
}

Result<std::shared_ptr<Store>> open_repository_url(const std::string& url, const OpenOptions& options, Clock& clock) {
  if (url.starts_with("s3:")) return open_s3_url(url.substr(3), options, clock).in("repository URL");
  std::string path = url.starts_with("local:") ? url.substr(6) : url;
  const size_t colon = path.find(':');
  if (path.size() == url.size() && colon != std::string::npos && path.find('/') > colon) {
    return Error(ErrorCode::unsupported,
                 fmt::format("repository URL: the kind '{}' is not known", url.substr(0, colon)),
                 "take s3:..., local:PATH or a path");
  }
  if (path.empty()) return Error(ErrorCode::invalid, "repository URL: it is empty");
  std::error_code failure;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failure);
  if (failure) return errno_error(failure.value(), "repository URL");
  return open_path(absolute.lexically_normal().string(), "", options, clock);
}

}  // namespace holdfast::objstore

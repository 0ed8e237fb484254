// Where the demo's backups go: a directory bound into all sites, or a bucket; and the server of a bucket that lives for
// one run.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::demo {

struct Bucket {
  std::string name;
  std::string prefix = {};
  std::string endpoint = {};  ///< URL as this machine reaches it
  std::string region = "us-east-1";
  std::string certificate_file = {};  ///< PEM of the authority; empty: the system's
  std::string credentials = {};       ///< content of an AWS credentials file
};

struct StorePlace {
  std::string directory = {};  ///< of the embedded store; empty: `bucket`
  std::optional<Bucket> bucket = {};

  /// For people: "directory" or "s3://BUCKET/PREFIX".
  [[nodiscard]] std::string name() const;
};

/// "s3://BUCKET[/PREFIX]". invalid otherwise.
[[nodiscard]] Result<Bucket> parse_bucket(std::string_view url);

/// An AWS credentials file with these keys; `token` may be empty.
[[nodiscard]] std::string credentials_file(const std::string& id, const std::string& key, const std::string& token);

/// What `holdfast install` is told of a bucket that the sites reach at `address` ("HOST:PORT"). `credentials` names a
/// file with them.
[[nodiscard]] Result<std::vector<std::string>> install_words(const Bucket& bucket, const std::string& address,
                                                             const std::string& credentials);

/// versitygw, run by tests/peers/s3_servers.sh with keys of its own on this machine's loopback. It ends with this
/// object.
class StoreServer {
 public:
  /// `scripts`: tests/peers. One that a dead run has left in `directory` is ended first. not_found: it is not built.
  [[nodiscard]] static Result<std::unique_ptr<StoreServer>> start(const std::string& scripts,
                                                                  const std::string& directory);
  /// Ends a server that a dead run has left there; harmless without one.
  [[nodiscard]] static Status clear(const std::string& scripts, const std::string& directory);
  ~StoreServer();
  StoreServer(const StoreServer&) = delete;
  StoreServer& operator=(const StoreServer&) = delete;

  /// The one bucket that it has.
  [[nodiscard]] const Bucket& bucket() const { return bucket_; }

 private:
  StoreServer(std::string scripts, std::string directory)
      : scripts_(std::move(scripts)), directory_(std::move(directory)) {}
  const std::string scripts_;
  const std::string directory_;
  Bucket bucket_;
};

}  // namespace holdfast::demo

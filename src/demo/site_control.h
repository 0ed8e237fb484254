// The seam over sites: what the story needs of a place with two clusters, and nothing about how they are made.
//
// Sites are numbered from 1. Members are called from one thread. Destroying it ends everything it started. At each site
// `holdfast install` finds its default image, and web-app1 and web-app2 find theirs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace holdfast::demo {

class SiteControl {
 public:
  virtual ~SiteControl() = default;

  /// "sandbox" or "real".
  [[nodiscard]] virtual std::string kind() const = 0;

  /// Boots the site and waits until its API server is ready.
  [[nodiscard]] virtual Status boot(int site) = 0;
  /// The loss of the site, at once and whole.
  [[nodiscard]] virtual Status kill(int site) = 0;
  /// Ends everything it started, and says what could not be ended.
  [[nodiscard]] virtual Status end() = 0;
  [[nodiscard]] virtual std::string name(int site) const = 0;
  /// A kubeconfig that works on this machine, as administrator.
  [[nodiscard]] virtual std::string kubeconfig(int site) const = 0;
  /// Where the site's node ports answer, for a command that runs behind client_prefix().
  [[nodiscard]] virtual std::string address(int site) const = 0;
  /// Words in front of a command that shall run in the clients' network.
  [[nodiscard]] virtual std::vector<std::string> client_prefix() const = 0;
  /// A URL on this machine that leads to a node port of the site.
  [[nodiscard]] virtual Result<std::string> door(int site, uint16_t node_port) = 0;
  /// "ADDRESS:PORT" for the pods of all sites that are up, leading to what this machine knows as `host`:`port`.
  [[nodiscard]] virtual Result<std::string> way_out(const std::string& host, uint16_t port) = 0;
};

struct SandboxOptions {
  std::string directory;  ///< state of the sites
  std::string images_directory;
  std::string store_directory;  ///< bound into all sites; empty: none
  std::string program;          ///< this program
};

/// What keeps a machine from running the sandbox, one line each with its remedy; empty: nothing.
[[nodiscard]] std::vector<std::string> sandbox_obstacles(const SandboxOptions& options);
[[nodiscard]] Result<std::unique_ptr<SiteControl>> sandbox_sites(SandboxOptions options, Clock& clock);

/// Complete Kubernetes clusters by tests/lab/cluster.sh.
struct LabOptions {
  std::string scripts;    ///< directory with cluster.sh and oci_image.py
  std::string directory;  ///< of the lab's data
  std::string images_directory;
  std::string program;  ///< this program
};

[[nodiscard]] std::vector<std::string> lab_obstacles(const LabOptions& options);
/// Ends what a run that was broken off has left there.
[[nodiscard]] Status clear_lab(const LabOptions& options);
[[nodiscard]] Result<std::unique_ptr<SiteControl>> lab_sites(LabOptions options);

}  // namespace holdfast::demo

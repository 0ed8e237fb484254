// What runs inside: the single-threaded side of a container. The node starts the program anew for each of these,
// because namespaces are entered and mounts are made between fork and exec, where a program with threads must not go.
//
//   container-run SPEC    makes the namespaces and mounts, becomes the parent of the container's pid 1, forwards
//   signals,
//                         exits with its code
//   container-exec SPEC PID ARGV...   runs a command beside pid 1 in its namespaces
//   pod-network           holds a network namespace of its own until it is killed
//
// SPEC is a file with a ContainerSpec as JSON. A failure before the program runs is one line on stderr and exit code
// 125, 126 (cannot be executed) or 127 (not found), as container runtimes have it.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace holdfast::sandbox {

struct BindMount {
  std::string source;
  std::string target;  ///< absolute, inside
  bool read_only = false;
};

struct ContainerSpec {
  std::string image_root;  ///< directory with the image's files
  std::string root;        ///< empty directory where the container's root is put together
  std::vector<std::string> argv;
  std::vector<std::string> environment;  ///< "K=V"
  std::string directory = "/";
  std::string hostname;
  unsigned uid = 0, gid = 0;
  std::vector<unsigned> groups;
  std::vector<BindMount> mounts;
  int network_pid = 0;  ///< its network namespace is used; 0: the caller's
};

[[nodiscard]] json::value to_json(const ContainerSpec& spec);
[[nodiscard]] Result<ContainerSpec> container_spec_from_json(const json::value& v);

/// The three entry points; they end the process or return its exit code.
int container_run(const std::string& spec_file);
int container_exec(const std::string& spec_file, int pid, const std::vector<std::string>& argv);
int pod_network();

}  // namespace holdfast::sandbox

// For tests: an odd tree of files, and a description of a tree that two equal trees share.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "repo/tree.h"

namespace holdfast::repo::testing {

/// A directory of its own that goes with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string path(const std::string& name = "") const {
    return name.empty() ? path_ : path_ + "/" + name;
  }

 private:
  std::string path_;
};

/// True where this process may make devices and give files away.
[[nodiscard]] bool privileged();

/// Odd names (every pair of bytes among them), sizes around chunk borders, holes, links, fifos, modes, times with
/// nanoseconds and far years, extended attributes; owners and devices where privileged.
void make_corpus(const std::string& path, uint64_t seed);

/// Per entry: kind, mode, owner, mtime, attributes, link target or content. `of`: what a restore of that profile's
/// snapshot can bring back.
[[nodiscard]] std::map<std::string, std::string> describe_tree(const std::string& path,
                                                               TreeProfile of = TreeProfile::restic_0_19);

}  // namespace holdfast::repo::testing

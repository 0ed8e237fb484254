#include "repo/directory_trail.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/check.h"

namespace holdfast::repo {

DirectoryTrail::DirectoryTrail(SharedFd root) {
  levels_.push_back(level_of("", std::move(root)));
}

DirectoryTrail::Level DirectoryTrail::level_of(const std::string& name, SharedFd directory) {
  struct stat status {};
  // It is open: this cannot fail. Were it to, the identity would match nothing, and coming back would be refused.
  if (::fstat(directory->get(), &status) != 0) status = {};
  return {name, std::move(directory), status.st_dev, status.st_ino};
}

bool DirectoryTrail::same(const Level& level, const SharedFd& directory) {
  struct stat status {};
  if (::fstat(directory->get(), &status) != 0) return false;
  return status.st_dev == level.device && status.st_ino == level.inode;
}

void DirectoryTrail::enter(const std::string& name, SharedFd directory) {
  left_.reset();
  levels_.push_back(level_of(name, std::move(directory)));
  if (levels_.size() > kHeldOpen + 1) levels_[levels_.size() - kHeldOpen - 1].directory.reset();
}

void DirectoryTrail::leave() {
  CHECK(levels_.size() > 1);
  if (levels_.back().directory) {
    left_ = std::move(levels_.back().directory);
    left_by_ = 0;
  }
  ++left_by_;
  levels_.pop_back();
  if (levels_.back().directory) left_.reset();
}

Result<SharedFd> DirectoryTrail::top() {
  Level& level = levels_.back();
  if (level.directory) return level.directory;
  if (left_) {
    std::string way = "..";
    for (size_t i = 1; i < left_by_; ++i) way += "/..";
    const int parent = ::openat(left_->get(), way.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (parent >= 0) {
      SharedFd back = std::make_shared<const UniqueFd>(UniqueFd(parent));
      left_.reset();
      if (same(level, back)) return level.directory = std::move(back);
    }
  }
  return reopen_by_name();
}

/// From the root: the slow way, for when what is above the child changed meanwhile.
Result<SharedFd> DirectoryTrail::reopen_by_name() {
  left_.reset();
  SharedFd at = levels_.front().directory;
  for (size_t i = 1; i < levels_.size(); ++i) {
    SharedFd next = TRY(open_directory_at(at->get(), levels_[i].name));
    if (!same(levels_[i], next)) {
      return Error(ErrorCode::conflict, "the directory was moved away while it was in use", "run the command again");
    }
    at = std::move(next);
  }
  levels_.back().directory = at;
  return at;
}

}  // namespace holdfast::repo

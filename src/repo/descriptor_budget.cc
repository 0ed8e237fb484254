#include "repo/descriptor_budget.h"

#include <sys/resource.h>

#include <algorithm>

namespace holdfast::repo {

DescriptorBudget::Share DescriptorBudget::take(size_t count) {
  const auto wanted = static_cast<std::ptrdiff_t>(count);
  if (left_.fetch_sub(wanted) >= wanted) return Share(*this, count);
  left_ += wanted;
  return {};
}

size_t DescriptorBudget::left() const {
  return static_cast<size_t>(std::max<std::ptrdiff_t>(0, left_));
}

DescriptorBudget& process_descriptors() {
  static DescriptorBudget budget([] {
    rlimit limit{};
    const rlim_t open = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
    return static_cast<size_t>(std::min<rlim_t>(open / 2, 4096));
  }());
  return budget;
}

}  // namespace holdfast::repo

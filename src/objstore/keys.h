// What drivers share about keys and pages.
#pragma once

#include "objstore/store.h"

namespace holdfast::objstore {

/// Checks what a list is asked for: a prefix whose whole parts obey the rules of keys, delimiter "" or "/", limit
/// 1..1000.
[[nodiscard]] Status check_list(const ListRequest& request);

/// The part of an object of `size` bytes that a range means; invalid where it starts behind the end.
struct Window {
  uint64_t offset = 0;
  uint64_t length = 0;
};
[[nodiscard]] Result<Window> window_of(const std::optional<Range>& range, uint64_t size);

/// Builds one page from objects that are offered in key order, for drivers that page by themselves: `after` is the last
/// key or common prefix of the page before.
class PageBuilder {
 public:
  explicit PageBuilder(const ListRequest& request) : request_(request) {}

  /// False: the page is full and nothing more need be offered.
  [[nodiscard]] bool offer(ObjectMeta object);
  /// Offers a common prefix as a whole (it ends with the delimiter and holds at least one object).
  [[nodiscard]] bool offer_prefix(const std::string& prefix);
  /// True where everything that starts with this was on an earlier page.
  [[nodiscard]] bool is_past(const std::string& prefix) const;
  [[nodiscard]] ListPage take() { return std::move(page_); }

 private:
  [[nodiscard]] bool is_seen(const std::string& name) const;
  [[nodiscard]] bool make_room(const std::string& name);
  const ListRequest& request_;
  ListPage page_;
  std::string last_;
};

}  // namespace holdfast::objstore

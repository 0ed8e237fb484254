#include "objstore/keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace holdfast::objstore {

namespace {

constexpr size_t kKeyMax = 1024;

/// The length of the UTF-8 character at the front; 0 where there is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return 0;
  }
  // No overlong forms, surrogates, or points above U+10FFFF.
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f)) return 0;
  if ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f)) return 0;
  return length;
}

Error invalid_key(std::string_view what) {
  return Error(ErrorCode::invalid, fmt::format("the key {}", what));
}

Status check_characters(std::string_view key) {
  if (key.size() > kKeyMax) return invalid_key(fmt::format("is longer than {} bytes", kKeyMax));
  while (!key.empty()) {
    const size_t length = utf8_length(key);
    if (length == 0) return invalid_key("is not UTF-8");
    if (static_cast<unsigned char>(key[0]) < 0x20 || key[0] == 0x7f) return invalid_key("holds a control character");
    key.remove_prefix(length);
  }
  return {};
}

Status check_part(std::string_view part) {
  if (part.empty()) return invalid_key("has an empty part: it begins or ends with '/' or holds '//'");
  if (part == "." || part == "..") return invalid_key(fmt::format("has a part '{}'", part));
  return {};
}

}  // namespace

Status check_key(std::string_view key) {
  if (key.empty()) return invalid_key("is empty");
  TRY(check_characters(key));
  for (const std::string& part : split(key, '/')) TRY(check_part(part));
  return {};
}

Status check_list(const ListRequest& request) {
  TRY(check_characters(request.prefix).in("list"));
  std::vector<std::string> parts = split(request.prefix, '/');
  parts.pop_back();  // may be the beginning of a name
  for (const std::string& part : parts) TRY(check_part(part).in("list"));
  if (!request.delimiter.empty() && request.delimiter != "/") {
    return Error(ErrorCode::invalid, "list: the delimiter is neither empty nor '/'");
  }
  if (request.limit < 1 || request.limit > 1000) return Error(ErrorCode::invalid, "list: the limit is not in 1..1000");
  return {};
}

Result<Window> window_of(const std::optional<Range>& range, uint64_t size) {
  if (!range) return Window{0, size};
  if (range->offset > size || (range->offset == size && size > 0)) {
    return Error(ErrorCode::invalid, fmt::format("range from {} of {} bytes", range->offset, size));
  }
  const uint64_t left = size - range->offset;
  return Window{range->offset, std::min(range->length.value_or(left), left)};
}

Result<std::vector<ObjectMeta>> list_all(Store& store, const std::string& prefix, std::stop_token stop) {
  std::vector<ObjectMeta> out;
  ListRequest request{.prefix = prefix, .delimiter = "", .after = ""};
  while (true) {
    ListPage page = TRY(store.list(request, stop));
    std::ranges::move(page.objects, std::back_inserter(out));
    if (page.next.empty()) return out;
    if (page.next == request.after) {
      return Error(ErrorCode::corrupt, fmt::format("list {}: the store answers the same page again", store.name()));
    }
    request.after = std::move(page.next);
  }
}

bool PageBuilder::is_seen(const std::string& name) const {
  if (request_.after.empty() || name > request_.after) {
    return request_.after.ends_with('/') && name.starts_with(request_.after);
  }
  return true;
}

bool PageBuilder::is_past(const std::string& prefix) const {
  if (request_.after.empty()) return false;
  if (request_.after.ends_with('/') && prefix.starts_with(request_.after)) return true;
  return prefix < request_.after && !request_.after.starts_with(prefix);
}

bool PageBuilder::make_room(const std::string& name) {
  if (page_.objects.size() + page_.prefixes.size() >= request_.limit) {
    page_.next = last_;
    return false;
  }
  last_ = name;
  return true;
}

bool PageBuilder::offer(ObjectMeta object) {
  if (!object.key.starts_with(request_.prefix) || is_seen(object.key)) return true;
  if (!request_.delimiter.empty()) {
    const size_t mark = object.key.find('/', request_.prefix.size());
    if (mark != std::string::npos) return offer_prefix(object.key.substr(0, mark + 1));
  }
  if (!make_room(object.key)) return false;
  page_.objects.push_back(std::move(object));
  return true;
}

bool PageBuilder::offer_prefix(const std::string& prefix) {
  if (is_seen(prefix) || (!page_.prefixes.empty() && page_.prefixes.back() == prefix)) return true;
  if (!make_room(prefix)) return false;
  page_.prefixes.push_back(prefix);
  return true;
}

}  // namespace holdfast::objstore

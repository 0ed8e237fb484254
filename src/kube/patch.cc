#include "kube/patch.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"

namespace holdfast::kube {

json::value merge_patch(json::value target, const json::value& patch) {
  const json::object* changes = patch.if_object();
  if (changes == nullptr) return patch;
  if (!target.is_object()) target.emplace_object();
  json::object& members = target.get_object();
  for (const auto& [key, change] : *changes) {
    if (change.is_null()) {
      members.stable_erase(key);
    } else {
      json::value& member = members[key];
      member = merge_patch(std::move(member), change);
    }
  }
  return target;
}

json::value diff_merge_patch(const json::value& from, const json::value& to) {
  if (!from.is_object() || !to.is_object()) return to;
  json::object patch;
  for (const auto& [key, old_member] : from.get_object()) {
    if (to.get_object().if_contains(key) == nullptr) patch[key] = nullptr;
  }
  for (const auto& [key, new_member] : to.get_object()) {
    const json::value* old_member = from.get_object().if_contains(key);
    if (old_member != nullptr && *old_member == new_member) continue;
    // Inside an object that is new as a whole, a merge from nothing gives the same.
    patch[key] = old_member != nullptr && old_member->is_object() && new_member.is_object()
                     ? diff_merge_patch(*old_member, new_member)
                     : new_member;
  }
  return patch;
}

namespace {

constexpr size_t kGrowthMax = size_t{64} << 20;

/// RFC 6901: the reference tokens of a pointer.
Result<std::vector<std::string>> parse_pointer(const json::value* pointer, std::string_view member) {
  if (pointer == nullptr || !pointer->is_string()) {
    return Error(ErrorCode::invalid, fmt::format("no text in \"{}\"", member));
  }
  const std::string_view text = pointer->get_string();
  if (text.empty()) return std::vector<std::string>();
  if (text.front() != '/') return Error(ErrorCode::invalid, fmt::format("\"{}\" is not a JSON pointer", text));
  std::vector<std::string> tokens = split(text.substr(1), '/');
  for (std::string& token : tokens) {
    std::string plain;
    for (size_t i = 0; i < token.size(); ++i) {
      if (token[i] != '~') {
        plain += token[i];
        continue;
      }
      ++i;
      if (i == token.size() || (token[i] != '0' && token[i] != '1')) {
        return Error(ErrorCode::invalid, fmt::format("\"{}\" is not a JSON pointer", text));
      }
      plain += token[i] == '0' ? '~' : '/';
    }
    token = plain;
  }
  return tokens;
}

/// An index into a list: "0" or digits without a leading zero, below `end`.
Result<size_t> parse_index(const std::string& token, size_t end) {
  const bool digits = !token.empty() && token.size() < 10 && token.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || (token.size() > 1 && token[0] == '0')) {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" is no index of a list", token));
  }
  const size_t index = std::stoul(token);
  if (index >= end) return Error(ErrorCode::invalid, fmt::format("index {} is behind the list's end", index));
  return index;
}

Result<json::value*> step_into(json::value& at, const std::string& token) {
  if (json::object* members = at.if_object()) {
    json::value* member = members->if_contains(token);
    if (member == nullptr) return Error(ErrorCode::invalid, fmt::format("there is no member \"{}\"", token));
    return member;
  }
  if (json::array* list = at.if_array()) {
    const size_t index = TRY(parse_index(token, list->size()));
    return &(*list)[index];
  }
  return Error(ErrorCode::invalid, fmt::format("\"{}\" is looked for in a value that holds nothing", token));
}

Result<json::value*> resolve(json::value& document, const std::vector<std::string>& tokens, size_t count) {
  json::value* at = &document;
  for (size_t i = 0; i < count; ++i) at = TRY(step_into(*at, tokens[i]));
  return at;
}

Status add(json::value& document, const std::vector<std::string>& tokens, json::value value) {
  if (tokens.empty()) {
    document = std::move(value);
    return {};
  }
  json::value* parent = TRY(resolve(document, tokens, tokens.size() - 1));
  if (json::object* members = parent->if_object()) {
    members->insert_or_assign(tokens.back(), std::move(value));
    return {};
  }
  if (json::array* list = parent->if_array()) {
    size_t index = list->size();
    if (tokens.back() != "-") index = TRY(parse_index(tokens.back(), list->size() + 1));
    list->insert(list->begin() + index, std::move(value));
    return {};
  }
  return Error(ErrorCode::invalid, fmt::format("\"{}\" cannot be added to a value that holds nothing", tokens.back()));
}

Status remove(json::value& document, const std::vector<std::string>& tokens) {
  if (tokens.empty()) return Error(ErrorCode::invalid, "the whole document cannot be removed");
  TRY(resolve(document, tokens, tokens.size()));
  json::value* parent = TRY(resolve(document, tokens, tokens.size() - 1));
  if (json::object* members = parent->if_object()) {
    members->stable_erase(tokens.back());
    return {};
  }
  const size_t index = TRY(parse_index(tokens.back(), parent->get_array().size()));
  parent->get_array().erase(parent->get_array().begin() + index);
  return {};
}

bool is_prefix(const std::vector<std::string>& shorter, const std::vector<std::string>& longer) {
  return shorter.size() < longer.size() && std::equal(shorter.begin(), shorter.end(), longer.begin());
}

size_t weight(const json::value& v) {
  size_t sum = 16;
  if (const boost::json::string* text = v.if_string()) sum += text->size();
  if (const json::array* list = v.if_array()) {
    for (const json::value& element : *list) sum += weight(element);
  }
  if (const json::object* members = v.if_object()) {
    for (const auto& [key, member] : *members) sum += key.size() + weight(member);
  }
  return sum;
}

Status apply_operation(json::value& document, const json::value& operation, size_t& copied) {
  const std::string op = json::string_at(operation, {"op"});
  const std::vector<std::string> path = TRY(parse_pointer(json::find(operation, {"path"}), "path"));
  const json::value* value = json::find(operation, {"value"});
  if (op == "remove") return remove(document, path);
  if (op == "add" || op == "replace" || op == "test") {
    if (value == nullptr) return Error(ErrorCode::invalid, fmt::format("{} without a value", op));
    if (op == "add") return add(document, path, *value);
    json::value* target = TRY(resolve(document, path, path.size()));
    if (op == "replace") {
      *target = *value;
    } else if (*target != *value) {
      return Error(ErrorCode::invalid, "the tested value differs");
    }
    return {};
  }
  if (op != "move" && op != "copy") return Error(ErrorCode::invalid, fmt::format("unknown operation \"{}\"", op));
  const std::vector<std::string> from = TRY(parse_pointer(json::find(operation, {"from"}), "from"));
  json::value moved = *TRY(resolve(document, from, from.size()));
  if (op == "copy") {
    copied += weight(moved);
    if (copied > kGrowthMax) return Error(ErrorCode::invalid, "the copies grow the document too much");
    return add(document, path, std::move(moved));
  }
  if (is_prefix(from, path)) return Error(ErrorCode::invalid, "a value cannot move into itself");
  if (from == path) return {};
  TRY(remove(document, from));
  return add(document, path, std::move(moved));
}

}  // namespace

Result<json::value> json_patch(json::value document, const json::value& operations) {
  if (!operations.is_array()) return Error(ErrorCode::invalid, "a JSON patch is a list of operations");
  size_t copied = 0;
  size_t index = 0;
  for (const json::value& operation : operations.get_array()) {
    Status status = apply_operation(document, operation, copied);
    if (!status) return std::move(status).error().in(fmt::format("JSON patch operation {}", index));
    ++index;
  }
  return document;
}

}  // namespace holdfast::kube

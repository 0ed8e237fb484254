#include "kube/selector.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace holdfast::kube {

namespace {

using Op = LabelRequirement::Op;

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_qualified_word(std::string_view word) {
  if (word.empty() || word.size() > 63 || !is_alnum(word.front()) || !is_alnum(word.back())) return false;
  return std::all_of(word.begin(), word.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

/// Words and signs of the text form.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// The next sign or word; empty at the end.
  std::string_view next() {
    skip_space();
    if (at_ >= text_.size()) return {};
    const size_t start = at_;
    if (is_sign(text_[at_])) {
      ++at_;
      // "==" and "!=" are one sign.
      if (at_ < text_.size() && text_[at_] == '=' && (text_[start] == '=' || text_[start] == '!')) ++at_;
    } else {
      while (at_ < text_.size() && !is_sign(text_[at_]) && !is_space(text_[at_])) ++at_;
    }
    return text_.substr(start, at_ - start);
  }
  std::string_view peek() {
    const size_t saved = at_;
    const std::string_view token = next();
    at_ = saved;
    return token;
  }
  [[nodiscard]] size_t at() const { return at_; }

 private:
  static bool is_sign(char c) { return std::string_view("=!(),<>").find(c) != std::string_view::npos; }
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  std::string_view text_;
  size_t at_ = 0;
};

bool is_word(std::string_view token) {
  return !token.empty() && std::string_view("=!(),<>").find(token.front()) == std::string_view::npos;
}

Error unexpected(const Scanner& scanner, std::string_view token, std::string_view wanted) {
  return {ErrorCode::invalid, fmt::format("label selector: {} at byte {}, expected {}",
                                          token.empty() ? "end" : fmt::format("\"{}\"", token), scanner.at(), wanted)};
}

/// A value: a word, or nothing before ',' or ')' or the end.
Result<std::string> scan_value(Scanner& scanner) {
  const std::string_view token = scanner.peek();
  if (token.empty() || token == "," || token == ")") return std::string();
  if (!is_word(token)) return unexpected(scanner, token, "a value");
  return std::string(scanner.next());
}

Result<std::vector<std::string>> scan_value_list(Scanner& scanner) {
  std::string_view token = scanner.next();
  if (token != "(") return unexpected(scanner, token, "(");
  std::vector<std::string> values;
  do {
    values.push_back(TRY(scan_value(scanner)));
    token = scanner.next();
  } while (token == ",");
  if (token != ")") return unexpected(scanner, token, ")");
  return values;
}

Result<LabelRequirement> scan_requirement(Scanner& scanner) {
  LabelRequirement requirement;
  std::string_view token = scanner.next();
  const bool negated = token == "!";
  if (negated) token = scanner.next();
  if (!is_word(token)) return unexpected(scanner, token, "a label");
  requirement.key = token;
  if (negated) {
    requirement.op = Op::absent;
    return requirement;
  }
  token = scanner.peek();
  if (token.empty() || token == ",") return requirement;
  token = scanner.next();
  if (token == "in" || token == "notin") {
    requirement.op = token == "in" ? Op::in : Op::not_in;
    requirement.values = TRY(scan_value_list(scanner));
    return requirement;
  }
  if (token == "=" || token == "==") {
    requirement.op = Op::in;
  } else if (token == "!=") {
    requirement.op = Op::not_in;
  } else if (token == ">" || token == "<") {
    requirement.op = token == ">" ? Op::greater : Op::less;
  } else {
    return unexpected(scanner, token, "=, !=, in, notin, < or >");
  }
  requirement.values.push_back(TRY(scan_value(scanner)));
  return requirement;
}

bool holds(const LabelRequirement& requirement, const json::object& labels) {
  const json::value* member = labels.if_contains(requirement.key);
  const bool present = member != nullptr && member->is_string();
  if (requirement.op == Op::exists) return present;
  if (requirement.op == Op::absent) return !present;
  if (!present) return requirement.op == Op::not_in;
  const std::string_view value = member->get_string();
  const auto& wanted = requirement.values;
  if (requirement.op == Op::in) return std::find(wanted.begin(), wanted.end(), value) != wanted.end();
  if (requirement.op == Op::not_in) return std::find(wanted.begin(), wanted.end(), value) == wanted.end();
  const Result<int64_t> number = parse_int(value);
  const Result<int64_t> bound = parse_int(wanted.front());
  if (!number || !bound) return false;
  return requirement.op == Op::greater ? *number > *bound : *number < *bound;
}

Result<Op> parse_operator(const std::string& name) {
  if (name == "In") return Op::in;
  if (name == "NotIn") return Op::not_in;
  if (name == "Exists") return Op::exists;
  if (name == "DoesNotExist") return Op::absent;
  return Error(ErrorCode::invalid, fmt::format("operator \"{}\" is none of In, NotIn, Exists, DoesNotExist", name));
}

}  // namespace

Status LabelSelector::add(LabelRequirement requirement) {
  if (!is_label_key(requirement.key)) {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" is not a label's name", requirement.key));
  }
  for (const std::string& value : requirement.values) {
    if (!is_label_value(value)) return Error(ErrorCode::invalid, fmt::format("\"{}\" is not a label's value", value));
  }
  const bool compares = requirement.op == Op::greater || requirement.op == Op::less;
  if (compares && !parse_int(requirement.values.front())) {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" is not a number to compare with", requirement.values.front()));
  }
  const bool valued = requirement.op != Op::exists && requirement.op != Op::absent;
  if (valued == requirement.values.empty()) {
    return Error(ErrorCode::invalid, fmt::format("label \"{}\": values do not fit the operator", requirement.key));
  }
  requirements_.push_back(std::move(requirement));
  return {};
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  Scanner scanner(text);
  if (scanner.peek().empty()) return selector;
  for (;;) {
    LabelRequirement requirement = TRY(scan_requirement(scanner));
    TRY(selector.add(std::move(requirement)));
    const std::string_view token = scanner.next();
    if (token.empty()) return selector;
    if (token != ",") return unexpected(scanner, token, "a comma");
  }
}

Result<LabelSelector> LabelSelector::from_object(const json::value& object) {
  LabelSelector selector;
  if (object.is_null()) return selector;
  if (!object.is_object()) return Error(ErrorCode::invalid, "a label selector is not an object");
  for (const auto& [key, value] : json::object_at(object, {"matchLabels"})) {
    if (!value.is_string())
      return Error(ErrorCode::invalid, fmt::format("matchLabels.{} is not text", std::string(key)));
    TRY(selector.add({std::string(key), Op::in, {std::string(value.get_string())}}).in("matchLabels"));
  }
  for (const json::value& entry : json::array_at(object, {"matchExpressions"})) {
    LabelRequirement requirement;
    requirement.key = json::string_at(entry, {"key"});
    requirement.op = TRY(parse_operator(json::string_at(entry, {"operator"})).in("matchExpressions"));
    requirement.values = json::strings(json::array_at(entry, {"values"}));
    TRY(selector.add(std::move(requirement)).in("matchExpressions"));
  }
  return selector;
}

bool LabelSelector::matches(const json::object& labels) const {
  return std::all_of(requirements_.begin(), requirements_.end(),
                     [&](const LabelRequirement& requirement) { return holds(requirement, labels); });
}

bool LabelSelector::matches_object(const json::value& object) const {
  return requirements_.empty() || matches(json::object_at(object, {"metadata", "labels"}));
}

std::string LabelSelector::text() const {
  std::string out;
  for (const LabelRequirement& requirement : requirements_) {
    if (!out.empty()) out += ',';
    if (requirement.op == Op::absent) out += '!';
    out += requirement.key;
    if (requirement.op == Op::greater) out += '>' + requirement.values.front();
    if (requirement.op == Op::less) out += '<' + requirement.values.front();
    if (requirement.op != Op::in && requirement.op != Op::not_in) continue;
    if (requirement.values.size() == 1) {
      out += (requirement.op == Op::in ? "=" : "!=") + requirement.values.front();
    } else {
      out += fmt::format(" {} ({})", requirement.op == Op::in ? "in" : "notin", fmt::join(requirement.values, ","));
    }
  }
  return out;
}

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector selector;
  Requirement current;
  std::string* part = &current.field;
  bool has_operator = false;
  const auto finish = [&]() -> Status {
    current.field = std::string(trim(current.field));
    if (!has_operator || current.field.empty()) {
      return Error(ErrorCode::invalid, fmt::format("field selector: \"{}\" is not FIELD=VALUE", current.field));
    }
    selector.requirements_.push_back(std::exchange(current, {}));
    part = &current.field;
    has_operator = false;
    return {};
  };
  if (trim(text).empty()) return selector;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      if (++i == text.size() || std::string_view("\\,=").find(text[i]) == std::string_view::npos) {
        return Error(ErrorCode::invalid, fmt::format("field selector: wrong escape at byte {}", i));
      }
      *part += text[i];
    } else if (c == ',') {
      TRY(finish());
    } else if (c == '=' && !has_operator) {
      current.equal = current.field.empty() || current.field.back() != '!';
      if (!current.equal) current.field.pop_back();
      if (current.equal && i + 1 < text.size() && text[i + 1] == '=') ++i;
      has_operator = true;
      part = &current.value;
    } else if (c == '=') {
      return Error(ErrorCode::invalid, fmt::format("field selector: a second = at byte {}", i));
    } else {
      *part += c;
    }
  }
  TRY(finish());
  return selector;
}

bool FieldSelector::matches(const json::value& object) const {
  for (const Requirement& requirement : requirements_) {
    const json::value* at = &object;
    for (const std::string& step : split(requirement.field, '.')) {
      at = at != nullptr ? json::find(*at, {step}) : nullptr;
    }
    std::string have;
    if (at != nullptr && at->is_string()) have = at->get_string();
    if (at != nullptr && (at->is_bool() || at->is_number())) have = json::compact(*at);
    if ((have == requirement.value) != requirement.equal) return false;
  }
  return true;
}

bool is_label_value(std::string_view value) {
  return value.empty() || is_qualified_word(value);
}

bool is_dns_subdomain(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  for (const std::string& part : split(name, '.')) {
    if (part.empty() || part.front() == '-' || part.back() == '-') return false;
    if (!std::all_of(part.begin(), part.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; })) {
      return false;
    }
  }
  return true;
}

bool is_label_key(std::string_view key) {
  const size_t slash = key.find('/');
  if (slash == std::string_view::npos) return is_qualified_word(key);
  return is_dns_subdomain(key.substr(0, slash)) && is_qualified_word(key.substr(slash + 1));
}

}  // namespace holdfast::kube

#include "base/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace holdfast::yaml {

namespace {

constexpr int kDepthMax = 64;
constexpr int kNodesMax = 1'000'000;

/// What an unquoted scalar means in the core schema.
json::value resolve_plain(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char* first = text.data();
  const char* last = first + text.size();
  const char* digits = *first == '+' ? first + 1 : first;
  int64_t integer = 0;
  if (auto [end, error] = std::from_chars(digits, last, integer); error == std::errc() && end == last) return integer;
  uint64_t large = 0;
  if (auto [end, error] = std::from_chars(digits, last, large); error == std::errc() && end == last) return large;
  if (text.starts_with("0x")) {
    if (auto [end, error] = std::from_chars(first + 2, last, integer, 16); error == std::errc() && end == last) {
      return integer;
    }
  }
  if (text.starts_with("0o")) {
    if (auto [end, error] = std::from_chars(first + 2, last, integer, 8); error == std::errc() && end == last) {
      return integer;
    }
  }
  // from_chars would take "inf" and "nan", which the core schema spells ".inf" and ".nan" and JSON lacks.
  const bool numeric = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
  });
  double real = 0;
  if (numeric) {
    if (auto [end, error] = std::from_chars(digits, last, real); error == std::errc() && end == last) return real;
  }
  return boost::json::string(text);
}

Result<json::value> convert(const YAML::Node& node, int depth, int& nodes) {
  if (depth > kDepthMax) return Error(ErrorCode::invalid, "YAML nested too deeply");
  if (++nodes > kNodesMax) return Error(ErrorCode::invalid, "YAML with too many nodes");
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      return json::value(nullptr);
    case YAML::NodeType::Scalar:
      if (node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str") return json::value(node.Scalar());
      return resolve_plain(node.Scalar());
    case YAML::NodeType::Sequence: {
      json::array list;
      for (const YAML::Node& element : node) list.push_back(TRY(convert(element, depth + 1, nodes)));
      return json::value(std::move(list));
    }
    case YAML::NodeType::Map: {
      json::object members;
      for (const auto& entry : node) {
        if (!entry.first.IsScalar()) return Error(ErrorCode::invalid, "a YAML mapping key is not a plain word");
        members.insert_or_assign(entry.first.Scalar(), TRY(convert(entry.second, depth + 1, nodes)));
      }
      return json::value(std::move(members));
    }
  }
  return json::value(nullptr);
}

/// True where an unquoted word would be read back as something else than this string.
bool needs_quotes(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return true;
  if (!resolve_plain(std::string(text)).is_string()) return true;
  // Words that YAML 1.1 readers take for booleans or numbers.
  for (const std::string_view word : {"y",  "Y",  "yes", "Yes", "YES", "n",   "N", "no", "No",   "NO",
                                      "on", "On", "ON",  "off", "Off", "OFF", "=", "<<", ".inf", ".nan"}) {
    if (text == word) return true;
  }
  // Numbers, base 60 and dates of YAML 1.1; "48h0m0s" and "0 */6 * * *" can be none of them.
  if ((text.front() >= '0' && text.front() <= '9') || text.front() == '.' || text.front() == '+') {
    if (text.find_first_not_of("0123456789abcdefABCDEFxXoO_.:+-tTZ ") == std::string_view::npos) return true;
  }
  if (std::string_view("!&*-?:,[]{}#|>@`\"'%=~").find(text.front()) != std::string_view::npos) return true;
  if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos || text.back() == ':') {
    return true;
  }
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte >= 0x7f;
  });
}

void emit_string(std::string& out, std::string_view text) {
  if (needs_quotes(text)) {
    out += json::compact(json::value(text));  // a JSON string is a YAML double-quoted scalar
  } else {
    out += text;
  }
}

bool is_block(const json::value& v) {
  return (v.is_object() && !v.get_object().empty()) || (v.is_array() && !v.get_array().empty());
}

void emit_node(std::string& out, const json::value& v, size_t indent, bool after_dash);

void emit_member(std::string& out, std::string_view key, const json::value& member, size_t indent) {
  emit_string(out, key);
  out += ':';
  if (!is_block(member)) {
    out += ' ';
    emit_node(out, member, indent, false);
    return;
  }
  out += '\n';
  // kubectl's habit: the dashes of a list stand under its key's first letter.
  emit_node(out, member, member.is_array() ? indent : indent + 2, false);
}

void emit_node(std::string& out, const json::value& v, size_t indent, bool after_dash) {
  if (!is_block(v)) {
    if (v.is_string()) {
      emit_string(out, v.get_string());
    } else {
      out += v.is_object() ? "{}" : v.is_array() ? "[]" : json::compact(v);
    }
    out += '\n';
    return;
  }
  bool first = after_dash;
  if (v.is_object()) {
    for (const auto& [key, member] : v.get_object()) {
      if (!first) out.append(indent, ' ');
      first = false;
      emit_member(out, key, member, indent);
    }
    return;
  }
  for (const json::value& element : v.get_array()) {
    if (!first) out.append(indent, ' ');
    first = false;
    out += "- ";
    emit_node(out, element, indent + 2, true);
  }
}

/// Sees where documents begin and nothing else.
class DocumentStarts : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    onwards_ = mark.pos > last_;
    last_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  /// False where the last document began no later than the one before it.
  [[nodiscard]] bool onwards() const { return onwards_; }
  [[nodiscard]] int last() const { return last_; }

 private:
  int last_ = -1;
  bool onwards_ = true;
};

/// yaml-cpp does not step over a comma or bracket outside a list: it makes documents of it until memory ends.
Status check_progress(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  DocumentStarts starts;
  while (parser.HandleNextDocument(starts)) {
    if (!starts.onwards()) {
      return Error(ErrorCode::invalid, fmt::format("not YAML at byte {}: a stray punctuation mark", starts.last()));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<json::value>> parse_all(std::string_view text) {
  std::vector<YAML::Node> documents;
  try {
    const std::string bytes(text);
    TRY(check_progress(bytes));
    documents = YAML::LoadAll(bytes);
  } catch (const YAML::Exception& error) {
    return Error(ErrorCode::invalid, fmt::format("not YAML at line {}, column {}: {}", error.mark.line + 1,
                                                 error.mark.column + 1, error.msg));
  }
  std::vector<json::value> out;
  int nodes = 0;
  for (const YAML::Node& document : documents) {
    if (document.IsDefined() && !document.IsNull()) out.push_back(TRY(convert(document, 0, nodes)));
  }
  return out;
}

Result<json::value> parse(std::string_view text) {
  std::vector<json::value> documents = TRY(parse_all(text));
  if (documents.size() != 1) {
    return Error(ErrorCode::invalid, fmt::format("{} YAML documents where one was expected", documents.size()));
  }
  return std::move(documents.front());
}

std::string emit(const json::value& v) {
  std::string out;
  emit_node(out, v, 0, false);
  return out;
}

}  // namespace holdfast::yaml

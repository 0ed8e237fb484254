// Reading of tree blobs: the members of a node in any order, what is unknown kept as text.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/text.h"
#include "repo/node_json.h"
#include "repo/tree.h"

namespace holdfast::repo {
namespace {

using Scan = JsonScanner&;

Status read_text(Scan scan, std::string& field) {
  field = TRY(scan.string());
  return {};
}

/// Go writes U+FFFD of a text as it is, and a byte that is no UTF-8 as \ufffd: only the escape tells of a loss.
Status read_target(Scan scan, Node& node) {
  const std::string_view before = scan.rest();
  node.linktarget = TRY(scan.string());
  const std::string_view stored = before.substr(0, before.size() - scan.rest().size());
  node.linktarget_replaced = stored.find("\\ufffd") != std::string_view::npos;
  return {};
}

Status read_number(Scan scan, uint64_t& field) {
  field = TRY(scan.number());
  return {};
}

Status read_number(Scan scan, uint32_t& field) {
  field = static_cast<uint32_t>(TRY(scan.number(UINT32_MAX)));
  return {};
}

Status read_time(Scan scan, NodeTime& field) {
  const std::string text = TRY(scan.string());
  Result<NodeTime> time = parse_node_time(text);
  if (!time) return Error(ErrorCode::corrupt, time.error().message());
  field = std::move(time).value();
  return {};
}

Status read_name(Scan scan, std::string& field) {
  const std::string quoted = TRY(scan.string());
  Result<std::string> name = go_unquote(quoted);
  if (!name) return Error(ErrorCode::corrupt, name.error().message());
  field = std::move(name).value();
  return {};
}

Status read_type(Scan scan, Node& node) {
  const std::string text = TRY(scan.string());
  node.type = NodeType::other;
  node.other_type.clear();
  for (auto type = NodeType::file; type != NodeType::other; type = static_cast<NodeType>(static_cast<int>(type) + 1)) {
    if (text == to_string(type)) node.type = type;
  }
  if (node.type == NodeType::other) node.other_type = text;
  return {};
}

Result<std::string> read_base64(Scan scan) {
  const std::string text = TRY(scan.string());
  Result<std::string> bytes = from_base64(text);
  if (!bytes) return Error(ErrorCode::corrupt, bytes.error().message());
  return bytes;
}

Result<Id> read_id(Scan scan) {
  const std::string text = TRY(scan.string());
  Result<Id> id = Id::parse(text);
  if (!id) return Error(ErrorCode::corrupt, id.error().message());
  return id;
}

Status read_content(Scan scan, Node& node) {
  node.content.emplace();
  TRY(scan.expect('['));
  if (scan.take(']')) return {};
  do {
    node.content->push_back(TRY(read_id(scan)));
  } while (TRY(scan.more(']')));
  return {};
}

/// Calls `read` with each member's name; it must take the value.
Status read_members(Scan scan, const std::function<Status(std::string_view)>& read) {
  TRY(scan.expect('{'));
  if (scan.take('}')) return {};
  do {
    const std::string key = TRY(scan.string());
    TRY(scan.expect(':'));
    TRY(read(key).in(key));
  } while (TRY(scan.more('}')));
  return {};
}

Status read_attributes(Scan scan, std::vector<ExtendedAttribute>& attributes) {
  attributes.clear();
  TRY(scan.expect('['));
  if (scan.take(']')) return {};
  do {
    ExtendedAttribute attribute;
    TRY(read_members(scan, [&](std::string_view key) -> Status {
      if (scan.take_null()) return {};
      if (key == "name") return read_text(scan, attribute.name);
      if (key == "value") {
        attribute.value = TRY(read_base64(scan));
        return {};
      }
      TRY(scan.raw_value());
      return {};
    }));
    attributes.push_back(std::move(attribute));
  } while (TRY(scan.more(']')));
  return {};
}

Status read_raw_object(Scan scan, std::string& field) {
  const std::string_view raw = TRY(scan.raw_value());
  if (!raw.starts_with('{')) return Error(ErrorCode::corrupt, "JSON: an object expected");
  field = raw == "{}" ? "" : std::string(raw);
  return {};
}

Status read_unknown(Scan scan, std::string_view key, Node& node) {
  const std::string_view raw = TRY(scan.raw_value());
  node.unknown += ',';
  append_go_json(node.unknown, key, GoRelease::go1_26);
  node.unknown += ':';
  node.unknown += raw;
  return {};
}

using FieldReader = Status (*)(Scan, Node&);
constexpr std::pair<std::string_view, FieldReader> kFields[] = {
    {"name", [](Scan s, Node& n) { return read_name(s, n.name); }},
    {"type", [](Scan s, Node& n) { return read_type(s, n); }},
    {"mode", [](Scan s, Node& n) { return read_number(s, n.mode); }},
    {"mtime", [](Scan s, Node& n) { return read_time(s, n.mtime); }},
    {"atime", [](Scan s, Node& n) { return read_time(s, n.atime); }},
    {"ctime", [](Scan s, Node& n) { return read_time(s, n.ctime); }},
    {"uid", [](Scan s, Node& n) { return read_number(s, n.uid); }},
    {"gid", [](Scan s, Node& n) { return read_number(s, n.gid); }},
    {"user", [](Scan s, Node& n) { return read_text(s, n.user); }},
    {"group", [](Scan s, Node& n) { return read_text(s, n.group); }},
    {"inode", [](Scan s, Node& n) { return read_number(s, n.inode); }},
    {"device_id", [](Scan s, Node& n) { return read_number(s, n.device_id); }},
    {"size", [](Scan s, Node& n) { return read_number(s, n.size); }},
    {"links", [](Scan s, Node& n) { return read_number(s, n.links); }},
    {"linktarget", [](Scan s, Node& n) { return read_target(s, n); }},
    {"extended_attributes", [](Scan s, Node& n) { return read_attributes(s, n.extended_attributes); }},
    {"generic_attributes", [](Scan s, Node& n) { return read_raw_object(s, n.generic_attributes); }},
    {"device", [](Scan s, Node& n) { return read_number(s, n.device); }},
    {"content", [](Scan s, Node& n) { return read_content(s, n); }},
    {"error", [](Scan s, Node& n) { return read_text(s, n.error); }},
};

Result<Node> read_node(Scan scan) {
  Node node;
  node.type = NodeType::other;  // a node without a type is none we know
  std::optional<std::string> raw_target;
  TRY(read_members(scan, [&](std::string_view key) -> Status {
    const auto* field = std::ranges::find(kFields, key, &std::pair<std::string_view, FieldReader>::first);
    const bool known = field != std::end(kFields) || key == "linktarget_raw" || key == "subtree";
    if (known && scan.take_null()) return {};
    if (field != std::end(kFields)) return field->second(scan, node);
    if (key == "linktarget_raw") {
      raw_target = TRY(read_base64(scan));
      return {};
    }
    if (key == "subtree") {
      node.subtree = TRY(read_id(scan));
      return {};
    }
    return read_unknown(scan, key, node);
  }));
  if (raw_target && !raw_target->empty()) {
    node.linktarget = std::move(*raw_target);
    node.linktarget_replaced = false;
  }
  return node;
}

}  // namespace

Result<Node> parse_node(std::string_view json) {
  JsonScanner scan(json);
  Node node = TRY(read_node(scan));
  scan.skip_space();
  if (!scan.rest().empty()) return Error(ErrorCode::corrupt, "JSON: text behind a node");
  return node;
}

/// Passes what stands before the list of nodes.
Status TreeReader::enter() {
  JsonScanner scan(rest_);
  at_ = At::end;
  TRY(scan.expect('{'));
  if (!scan.take('}')) {
    do {
      const std::string key = TRY(scan.string());
      TRY(scan.expect(':'));
      if (key == "nodes" && !scan.take_null()) {
        TRY(scan.expect('['));
        at_ = At::first;
        rest_ = scan.rest();
        return {};
      }
      if (key != "nodes") TRY(scan.raw_value());
    } while (TRY(scan.more('}')));
  }
  scan.skip_space();
  if (!scan.rest().empty()) return Error(ErrorCode::corrupt, "JSON: text behind a tree");
  return {};
}

/// Passes what stands behind the list of nodes.
Status TreeReader::leave() {
  JsonScanner scan(rest_);
  at_ = At::end;
  while (TRY(scan.more('}'))) {
    const std::string key = TRY(scan.string());
    if (key == "nodes") return Error(ErrorCode::corrupt, "JSON: a second list of nodes");
    TRY(scan.expect(':'));
    TRY(scan.raw_value());
  }
  scan.skip_space();
  if (!scan.rest().empty()) return Error(ErrorCode::corrupt, "JSON: text behind a tree");
  return {};
}

Result<std::optional<Node>> TreeReader::next() {
  if (at_ == At::start) TRY(enter().in("tree"));
  if (at_ == At::end) return std::optional<Node>();
  JsonScanner scan(rest_);
  const bool more = at_ == At::first ? !scan.take(']') : TRY(scan.more(']').in("tree"));
  if (!more) {
    rest_ = scan.rest();
    TRY(leave().in("tree"));
    return std::optional<Node>();
  }
  Node node = TRY(read_node(scan).in("tree"));
  rest_ = scan.rest();
  at_ = At::middle;
  return std::optional<Node>(std::move(node));
}

}  // namespace holdfast::repo

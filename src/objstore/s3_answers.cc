#include "objstore/s3_answers.h"

#include <expat.h>
#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "base/text.h"
#include "net/http.h"

namespace holdfast::objstore {

namespace {

constexpr int kDepthMax = 16;
constexpr size_t kSizeMax = size_t{64} << 20;

struct Element {
  std::string name;
  std::string text = {};
  std::vector<Element> children = {};

  [[nodiscard]] const Element* child(std::string_view wanted) const {
    const auto found = std::ranges::find(children, wanted, &Element::name);
    return found == children.end() ? nullptr : &*found;
  }
  [[nodiscard]] std::string text_of(std::string_view wanted) const {
    const Element* found = child(wanted);
    return found == nullptr ? "" : found->text;
  }
};

/// Collects expat's events into Elements.
class Builder {
 public:
  static Result<Element> parse(std::string_view xml) {
    if (xml.size() > kSizeMax || xml.size() > INT_MAX) return Error(ErrorCode::corrupt, "the XML answer is too large");
    const std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(XML_ParserCreate("UTF-8"), &XML_ParserFree);
    if (!parser) return Error(ErrorCode::exhausted, "no memory for an XML parser");
    Builder builder(parser.get());
    XML_SetUserData(parser.get(), &builder);
    XML_SetElementHandler(parser.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
    if (XML_Parse(parser.get(), xml.data(), static_cast<int>(xml.size()), XML_TRUE) != XML_STATUS_OK) {
      return Error(ErrorCode::corrupt,
                   fmt::format("the answer is no XML of S3's kind: {} at byte {}",
                               XML_ErrorString(XML_GetErrorCode(parser.get())), XML_GetCurrentByteIndex(parser.get())));
    }
    return std::move(builder.root_.children.front());
  }

 private:
  explicit Builder(XML_Parser parser) : parser_(parser) { open_.push_back(&root_); }

  static void on_start(void* user, const XML_Char* name, const XML_Char**) noexcept {
    auto& builder = *static_cast<Builder*>(user);
    if (builder.open_.size() > kDepthMax) {
      XML_StopParser(builder.parser_, XML_FALSE);
      return;
    }
    const std::string_view whole(name);
    const size_t colon = whole.rfind(':');
    // Only the innermost open element grows, so that pointers to its ancestors stay good.
    std::vector<Element>& siblings = builder.open_.back()->children;
    siblings.push_back({std::string(colon == std::string_view::npos ? whole : whole.substr(colon + 1))});
    builder.open_.push_back(&siblings.back());
  }
  static void on_end(void* user, const XML_Char*) noexcept { static_cast<Builder*>(user)->open_.pop_back(); }
  static void on_text(void* user, const XML_Char* text, int size) noexcept {
    static_cast<Builder*>(user)->open_.back()->text.append(text, static_cast<size_t>(size));
  }
  static void on_doctype(void* user, const XML_Char*, const XML_Char*, const XML_Char*, int) noexcept {
    XML_StopParser(static_cast<Builder*>(user)->parser_, XML_FALSE);
  }

  XML_Parser parser_;
  Element root_{"", "", {}};
  std::vector<Element*> open_;
};

Result<Element> parse_as(std::string_view xml, std::string_view name) {
  Element element = TRY(Builder::parse(xml));
  if (element.name != name) {
    return Error(ErrorCode::corrupt, fmt::format("the answer is <{}>, not <{}>", element.name.substr(0, 100), name));
  }
  return element;
}

/// With encoding-type=url, names come as in a form: '+' is a space.
Result<std::string> decoded(std::string text, bool url_encoded) {
  if (!url_encoded) return text;
  std::ranges::replace(text, '+', ' ');
  Result<std::string> plain = net::percent_decode(text);
  if (!plain) return Error(ErrorCode::corrupt, "a name in the list is wrongly encoded");
  return plain;
}

std::string unquoted(std::string text) {
  std::erase(text, '"');
  return text;
}

Result<ObjectMeta> object_of(const Element& element, bool url_encoded) {
  ObjectMeta meta;
  meta.key = TRY(decoded(element.text_of("Key"), url_encoded));
  const Result<int64_t> size = parse_int(trim(element.text_of("Size")));
  if (!size || *size < 0) return Error(ErrorCode::corrupt, "an object in the list has no size");
  meta.size = static_cast<uint64_t>(*size);
  Result<Time> modified = parse_rfc3339(trim(element.text_of("LastModified")));
  if (!modified) return Error(ErrorCode::corrupt, "an object in the list has no time");
  meta.modified = *modified;
  meta.etag = unquoted(element.text_of("ETag"));
  return meta;
}

S3Failure failure_of(const Element& element) {
  return {std::string(trim(element.text_of("Code"))), std::string(trim(element.text_of("Message"))),
          std::string(trim(element.text_of("Region")))};
}

}  // namespace

Result<ListPage> parse_list_answer(std::string_view xml) {
  const Element root = TRY(parse_as(xml, "ListBucketResult"));
  const bool url_encoded = root.text_of("EncodingType") == "url";
  ListPage page;
  for (const Element& element : root.children) {
    if (element.name == "Contents") {
      ObjectMeta meta = TRY(object_of(element, url_encoded));
      if (check_key(meta.key)) page.objects.push_back(std::move(meta));
    } else if (element.name == "CommonPrefixes") {
      std::string prefix = TRY(decoded(element.text_of("Prefix"), url_encoded));
      if (prefix.ends_with('/') && check_key(prefix.substr(0, prefix.size() - 1))) page.prefixes.push_back(prefix);
    }
  }
  std::ranges::sort(page.objects, {}, &ObjectMeta::key);
  std::ranges::sort(page.prefixes);
  const std::string truncated = to_lower(trim(root.text_of("IsTruncated")));
  if (truncated != "true" && truncated != "false") return Error(ErrorCode::corrupt, "the list does not say if it ends");
  if (truncated == "true") {
    page.next = root.text_of("NextContinuationToken");
    if (page.next.empty()) return Error(ErrorCode::corrupt, "the list is cut and does not say how it goes on");
  }
  return page;
}

Result<std::string> parse_upload_answer(std::string_view xml) {
  const Element root = TRY(parse_as(xml, "InitiateMultipartUploadResult"));
  std::string id = root.text_of("UploadId");
  if (id.empty()) return Error(ErrorCode::corrupt, "the new upload has no id");
  return id;
}

Result<S3Failure> parse_completion_answer(std::string_view xml) {
  const Element root = TRY(Builder::parse(xml));
  if (root.name == "CompleteMultipartUploadResult") return S3Failure{};
  if (root.name == "Error") return failure_of(root);
  return Error(ErrorCode::corrupt, "the answer does not say whether the upload is complete");
}

Result<S3Failure> parse_failure(std::string_view xml) {
  const Element root = TRY(parse_as(xml, "Error"));
  return failure_of(root);
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace holdfast::objstore

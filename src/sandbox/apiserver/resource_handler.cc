#include "sandbox/apiserver/resource_handler.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/yaml.h"
#include "kube/patch.h"
#include "sandbox/apiserver/refusal.h"
#include "sandbox/apiserver/scale.h"
#include "sandbox/apiserver/server_side_apply.h"
#include "sandbox/apiserver/watch_stream.h"

namespace holdfast::sandbox {

namespace {

std::string media_type(const ApiRequest& request) {
  const std::vector<std::string> parts = split(request.http->headers.get("Content-Type"), ';');
  return to_lower(trim(parts[0]));
}

Result<json::value> parse_body(const ApiRequest& request) {
  const std::string type = media_type(request);
  if (type.find("protobuf") != std::string::npos || type.find("cbor") != std::string::npos) {
    return unsupported_media_type(
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml");
  }
  Result<json::value> parsed =
      type.find("yaml") != std::string::npos ? yaml::parse(request.http->body) : json::parse(request.http->body);
  if (!parsed.ok()) return bad_request("the body cannot be read: " + parsed.error().message());
  return parsed;
}

Result<json::object> parse_object_body(const ApiRequest& request) {
  json::value parsed = TRY(parse_body(request));
  if (!parsed.is_object()) return bad_request("the body must be one object");
  return std::move(parsed.as_object());
}

Target target_of(const ApiRequest& request, const ResourceKind& kind) {
  return {.kind = &kind,
          .ns = kind.namespaced ? request.ns : "",
          .name = request.name,
          .subresource = request.subresource,
          .dry_run = request.dry_run()};
}

struct Selection {
  kube::LabelSelector labels;
  kube::FieldSelector fields;
};

Result<Selection> selection_of(const ApiRequest& request) {
  Result<kube::LabelSelector> labels = kube::LabelSelector::parse(request.query("labelSelector"));
  if (!labels.ok()) return bad_request("unable to parse labelSelector: " + labels.error().message());
  Result<kube::FieldSelector> fields = kube::FieldSelector::parse(request.query("fieldSelector"));
  if (!fields.ok()) return bad_request("unable to parse fieldSelector: " + fields.error().message());
  return Selection{.labels = *std::move(labels), .fields = *std::move(fields)};
}

struct Continue {
  uint64_t revision = 0;
  std::string after;
};

std::string encode_continue(const Continue& token) {
  return to_base64(json::compact(json::object{{"rv", token.revision}, {"start", token.after}}));
}

Result<Continue> decode_continue(const std::string& text) {
  if (text.empty()) return Continue{};
  const Result<std::string> decoded = from_base64(text);
  const Result<json::object> token =
      decoded.ok() ? json::parse_object(*decoded) : Result<json::object>(decoded.error());
  if (!token.ok() || json::int_at(*token, {"rv"}) <= 0) return bad_request("continue key is not valid");
  return Continue{.revision = static_cast<uint64_t>(json::int_at(*token, {"rv"})),
                  .after = json::string_at(*token, {"start"})};
}

Result<DeleteRequest> delete_request(const ApiRequest& request) {
  json::value body = json::object{};
  if (!trim(request.http->body).empty()) body = TRY(parse_body(request));
  DeleteRequest wanted;
  wanted.propagation = json::string_at(body, {"propagationPolicy"}, request.query("propagationPolicy"));
  if (json::bool_at(body, {"orphanDependents"})) wanted.propagation = "Orphan";
  wanted.uid = json::string_at(body, {"preconditions", "uid"});
  wanted.resource_version = json::string_at(body, {"preconditions", "resourceVersion"});
  wanted.dry_run = request.dry_run() || !json::array_at(body, {"dryRun"}).empty();
  if (json::find(body, {"gracePeriodSeconds"}) != nullptr) {
    wanted.grace_seconds = json::int_at(body, {"gracePeriodSeconds"});
  } else if (const Result<int64_t> asked = parse_int(request.query("gracePeriodSeconds")); asked.ok()) {
    wanted.grace_seconds = *asked;
  }
  if (wanted.grace_seconds.value_or(0) < 0) wanted.grace_seconds = 1;
  return wanted;
}

}  // namespace

Status ResourceHandler::serve(const ApiRequest& request, const ResourceKind& kind, net::Responder& responder) {
  if (!request.subresource.empty() && !kind.has(request.subresource)) {
    return Error(ErrorCode::not_found, fmt::format("the server could not find the requested resource: {}/{}",
                                                   kind.group_resource(), request.subresource));
  }
  if (kind.namespaced && request.ns.empty() && request.verb != "list" && request.verb != "watch") {
    return method_not_allowed(fmt::format("{} of {} needs a namespace", request.verb, kind.group_resource()));
  }
  if (request.verb == "watch") return watch(request, kind, responder);
  if (request.subresource == "log" || (request.subresource == "exec" && request.verb == "get")) {
    const Object pod = TRY(parts_.writer.get(target_of(request, kind)));
    return request.subresource == "log" ? parts_.nodes.serve_log(request, *pod, responder)
                                        : parts_.nodes.serve_exec(request, *pod, responder);
  }
  const Answer done = TRY(answer(request, kind));
  // The client may have gone; what was done is done.
  (void)responder.reply(done.status, {{"Content-Type", "application/json"}}, json::compact(done.body)).ok();
  return {};
}

Result<ResourceHandler::Answer> ResourceHandler::answer(const ApiRequest& request, const ResourceKind& kind) {
  if (request.subresource == "scale") return scale(request, kind);
  if (request.subresource == "binding" && request.verb == "create") return bind(request, kind);
  if (request.subresource == "token" && request.verb == "create") return issue_token(request, kind);
  const bool editable = request.subresource.empty() || request.subresource == "status";
  if (request.verb == "get" && editable) {
    return Answer{.status = 200, .body = TRY(shown(request, kind, TRY(parts_.writer.get(target_of(request, kind)))))};
  }
  if (request.verb == "update" && (editable || request.subresource == "finalize")) {
    json::object object = TRY(parse_object_body(request));
    const Object written = TRY(parts_.writer.update(target_of(request, kind), std::move(object)));
    return Answer{.status = 200, .body = TRY(shown(request, kind, written))};
  }
  if (request.verb == "patch" && editable) return patch(request, kind);
  if (request.subresource.empty()) {
    if (request.verb == "list") return list(request, kind);
    if (request.verb == "create") return create(request, kind);
    if (request.verb == "delete") return remove(request, kind);
    if (request.verb == "deletecollection") return remove_collection(request, kind);
  }
  return method_not_allowed(fmt::format("the server does not allow this method on the requested resource: {} {}{}{}",
                                        request.verb, kind.group_resource(), request.subresource.empty() ? "" : "/",
                                        request.subresource));
}

Result<json::value> ResourceHandler::shown(const ApiRequest& request, const ResourceKind& kind,
                                           const Object& object) const {
  const Representation form = TRY(choose_representation(request.http->headers.get("Accept")));
  return represent(form, kind, object, parts_.clock.now());
}

Result<ResourceHandler::Answer> ResourceHandler::list(const ApiRequest& request, const ResourceKind& kind) {
  const Representation form = TRY(choose_representation(request.http->headers.get("Accept")));
  const Selection selection = TRY(selection_of(request));
  Continue from = TRY(decode_continue(request.query("continue")));
  const int64_t limit = parse_int(request.query("limit")).value_or(0);
  std::vector<Object> objects;
  ListHead head;
  // A page holds `limit` objects that match, so the store is asked again while too few of a page did.
  do {
    const size_t missing = limit > 0 ? static_cast<size_t>(limit) - objects.size() : 0;
    const Store::Listing listing = TRY(parts_.store.list(kind.prefix(request.ns), from.after, missing, from.revision));
    for (const Object& object : listing.objects) {
      if (selection.labels.matches_object(*object) && selection.fields.matches(*object)) objects.push_back(object);
    }
    from = {.revision = listing.revision, .after = listing.last_key};
    head.remaining = listing.remaining;
  } while (!from.after.empty() && objects.size() < static_cast<size_t>(limit));
  head.revision = from.revision;
  if (!from.after.empty()) head.continue_token = encode_continue(from);
  return Answer{.status = 200, .body = represent_list(form, kind, objects, head, parts_.clock.now())};
}

Status ResourceHandler::watch(const ApiRequest& request, const ResourceKind& kind, net::Responder& responder) {
  WatchRequest wanted;
  Selection selection = TRY(selection_of(request));
  wanted.form = TRY(choose_representation(request.http->headers.get("Accept")));
  wanted.prefix = kind.prefix(request.ns);
  wanted.labels = std::move(selection.labels);
  wanted.fields = std::move(selection.fields);
  wanted.resource_version = request.query("resourceVersion");
  wanted.bookmarks = request.flag("allowWatchBookmarks");
  wanted.initial_events = request.flag("sendInitialEvents");
  if (const Result<int64_t> seconds = parse_int(request.query("timeoutSeconds")); seconds.ok() && *seconds > 0) {
    wanted.timeout = std::chrono::seconds(std::min<int64_t>(*seconds, 86'400));
  }
  serve_watch(parts_.store, kind, wanted, parts_.clock, responder);
  return {};
}

Result<ResourceHandler::Answer> ResourceHandler::create(const ApiRequest& request, const ResourceKind& kind) {
  if (!request.name.empty()) return method_not_allowed("create with a name in the path: " + request.path);
  json::object object = TRY(parse_object_body(request));
  const Object written = TRY(parts_.writer.create(target_of(request, kind), std::move(object)));
  return Answer{.status = 201, .body = TRY(shown(request, kind, written))};
}

Result<ResourceHandler::Answer> ResourceHandler::patch(const ApiRequest& request, const ResourceKind& kind) {
  const std::string type = media_type(request);
  const Target target = target_of(request, kind);
  ObjectWriter::Edit edit;
  if (type == "application/apply-patch+yaml") {
    const Result<json::value> parsed = yaml::parse(request.http->body);
    if (!parsed.ok() || !parsed->is_object()) return bad_request("the applied configuration cannot be read");
    const json::object applied = parsed->as_object();
    const Applier applier{.manager = request.query("fieldManager"), .force = request.flag("force")};
    if (applier.manager.empty()) return bad_request("fieldManager is required for apply patch");
    edit = [&kind, applied, applier, this](const json::value& current) {
      return server_side_apply(kind, current, applied, applier, parts_.clock.now());
    };
    if (request.subresource.empty() && !parts_.store.get(kind.key(target.ns, target.name))) {
      json::object first = applied;
      json::set(first, {"metadata", "name"}, target.name);
      const json::value empty = json::object{{"metadata", json::object{}}};
      json::value made = TRY(server_side_apply(kind, empty, first, applier, parts_.clock.now()));
      const Object written = TRY(parts_.writer.create(target, std::move(made.as_object())));
      return Answer{.status = 201, .body = TRY(shown(request, kind, written))};
    }
  } else {
    const Result<json::value> parsed = json::parse(request.http->body);
    if (!parsed.ok()) return bad_request("the patch cannot be read: " + parsed.error().message());
    const json::value body = *parsed;
    if (type == "application/merge-patch+json") {
      edit = [body](const json::value& current) -> Result<json::value> { return kube::merge_patch(current, body); };
    } else if (type == "application/json-patch+json") {
      edit = [body](const json::value& current) { return kube::json_patch(current, body); };
    } else if (type == "application/strategic-merge-patch+json" && !kind.custom) {
      edit = [body](const json::value& current) { return kube::strategic_merge_patch(current, body); };
    } else {
      return unsupported_media_type(
          fmt::format("patches of type '{}' are not served for {}", type, kind.group_resource()));
    }
  }
  const Object written = TRY(parts_.writer.patch(target, edit));
  return Answer{.status = 200, .body = TRY(shown(request, kind, written))};
}

Result<ResourceHandler::Answer> ResourceHandler::remove(const ApiRequest& request, const ResourceKind& kind) {
  const DeleteRequest wanted = TRY(delete_request(request));
  const ObjectWriter::Deletion deletion = TRY(parts_.writer.remove(target_of(request, kind), wanted));
  if (!deletion.gone) return Answer{.status = 200, .body = TRY(shown(request, kind, deletion.object))};
  return Answer{.status = 200,
                .body = success_status({{"name", request.name},
                                        {"group", kind.group},
                                        {"kind", kind.plural},
                                        {"uid", json::string_at(*deletion.object, {"metadata", "uid"})}})};
}

Result<ResourceHandler::Answer> ResourceHandler::remove_collection(const ApiRequest& request,
                                                                   const ResourceKind& kind) {
  const DeleteRequest wanted = TRY(delete_request(request));
  const Selection selection = TRY(selection_of(request));
  const Store::Listing listing = TRY(parts_.store.list(kind.prefix(request.ns)));
  std::vector<Object> removed;
  for (const Object& object : listing.objects) {
    if (!selection.labels.matches_object(*object) || !selection.fields.matches(*object)) continue;
    Target target = target_of(request, kind);
    target.ns = json::string_at(*object, {"metadata", "namespace"});
    target.name = json::string_at(*object, {"metadata", "name"});
    const Result<ObjectWriter::Deletion> deletion = parts_.writer.remove(target, wanted);
    if (deletion.is(ErrorCode::not_found)) continue;  // somebody else was faster
    if (!deletion.ok()) return deletion.error();
    removed.push_back(deletion->object);
  }
  const ListHead head{.revision = parts_.store.revision(), .continue_token = {}, .remaining = 0};
  return Answer{.status = 200, .body = represent_list({}, kind, removed, head, parts_.clock.now())};
}

Result<ResourceHandler::Answer> ResourceHandler::scale(const ApiRequest& request, const ResourceKind& kind) {
  Target target = target_of(request, kind);
  target.subresource.clear();
  if (request.verb == "get") {
    return Answer{.status = 200, .body = scale_of(kind, *TRY(parts_.writer.get(target)))};
  }
  if (request.verb != "update" && request.verb != "patch") return method_not_allowed(request.verb + " of a scale");
  const json::object body = TRY(parse_object_body(request));
  const bool merge = request.verb == "patch";
  if (merge && media_type(request).find("merge-patch") == std::string::npos) {
    return unsupported_media_type("a scale takes merge patches only");
  }
  const Object written = TRY(parts_.writer.patch(target, [&](const json::value& current) {
    return with_scale(kind, current, merge ? kube::merge_patch(scale_of(kind, current), body) : json::value(body));
  }));
  return Answer{.status = 200, .body = scale_of(kind, *written)};
}

Result<ResourceHandler::Answer> ResourceHandler::bind(const ApiRequest& request, const ResourceKind& kind) {
  const json::object binding = TRY(parse_object_body(request));
  const std::string node = json::string_at(binding, {"target", "name"});
  if (node.empty()) return bad_request("a binding needs target.name");
  Target target = target_of(request, kind);
  target.subresource.clear();
  const Object bound = TRY(parts_.writer.patch(target, [&](const json::value& current) -> Result<json::value> {
    const std::string present = json::string_at(current, {"spec", "nodeName"});
    if (!present.empty()) {
      return conflict(kind.subject(target.name),
                      fmt::format("pod {} is already assigned to node \"{}\"", target.name, present));
    }
    json::value changed = current;
    json::set(changed.as_object(), {"spec", "nodeName"}, node);
    return changed;
  }));
  (void)bound;
  return Answer{.status = 201, .body = success_status({})};
}

Result<ResourceHandler::Answer> ResourceHandler::issue_token(const ApiRequest& request, const ResourceKind& kind) {
  json::object body = TRY(parse_object_body(request));
  const Object account = TRY(parts_.writer.get(target_of(request, kind)));
  ServiceAccountTokens::Claims claims{.ns = request.ns,
                                      .account = request.name,
                                      .account_uid = json::string_at(*account, {"metadata", "uid"}),
                                      .pod = {},
                                      .pod_uid = {}};
  if (json::string_at(body, {"spec", "boundObjectRef", "kind"}) == "Pod") {
    claims.pod = json::string_at(body, {"spec", "boundObjectRef", "name"});
    const Object pod = parts_.store.get("pods/" + request.ns + "/" + claims.pod);
    if (!pod) return not_found("pods \"" + claims.pod + "\"");
    claims.pod_uid = json::string_at(*pod, {"metadata", "uid"});
  }
  const int64_t seconds = std::clamp<int64_t>(json::int_at(body, {"spec", "expirationSeconds"}, 3600), 600, 31'536'000);
  const Time end = parts_.clock.now() + std::chrono::seconds(seconds);
  json::set(body, {"status"},
            json::object{{"token", parts_.tokens.issue(claims, end)}, {"expirationTimestamp", format_rfc3339(end)}});
  body["kind"] = "TokenRequest";
  body["apiVersion"] = "authentication.k8s.io/v1";
  return Answer{.status = 201, .body = std::move(body)};
}

}  // namespace holdfast::sandbox

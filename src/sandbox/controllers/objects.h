// What controllers ask about objects again and again: ownership, readiness, templates, status. Pure but for those that
// take an Api.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kube/api.h"

namespace holdfast::sandbox {

using Objects = std::vector<json::value>;

/// Types that kube::types does not name.
[[nodiscard]] kube::ResourceType resource_type(std::string group, std::string version, std::string plural,
                                               std::string kind, bool namespaced = true);
[[nodiscard]] const kube::ResourceType& replica_sets();
[[nodiscard]] const kube::ResourceType& replication_controllers();
[[nodiscard]] const kube::ResourceType& deployments();

[[nodiscard]] std::string name_of(const json::value& object);
[[nodiscard]] std::string uid_of(const json::value& object);
[[nodiscard]] bool is_deleting(const json::value& object);
/// The uid of the owner with controller: true; empty where there is none.
[[nodiscard]] std::string controller_uid(const json::value& object);
[[nodiscard]] json::object controller_reference(const kube::ResourceType& type, const json::value& owner);

[[nodiscard]] bool is_ready(const json::value& pod);
/// Neither ended nor on its way out.
[[nodiscard]] bool is_active(const json::value& pod);
/// ReplicationControllers have plain maps, the others matchLabels and matchExpressions.
[[nodiscard]] bool selects(const json::value& owner, const json::value& object);

/// Removes the elements that match.
void drop_if(json::array& list, const std::function<bool(const json::value&)>& matches);

/// A pod of a template: metadata and spec, with labels added and `owner` as its controller.
[[nodiscard]] json::object pod_of_template(const json::value& pod_template, const json::object& owner_reference,
                                           const std::string& ns);
/// Ten letters and digits that depend on the content only, not on the order of members.
[[nodiscard]] std::string content_hash(const json::value& content);
/// The template without the labels that controllers add to it.
[[nodiscard]] json::value bare_template(const json::value& pod_template);

/// Everything of a type in a namespace.
[[nodiscard]] Result<Objects> list(kube::Api& api, const kube::ResourceType& type, const std::string& ns,
                                   const std::stop_token& stop);
/// Asks the server itself. What was orphaned by a deletion must not be adopted again by a controller that has not heard
/// of the deletion yet: so this is asked after the candidates were listed, and before any is adopted.
[[nodiscard]] Result<bool> still_lives(kube::Api& api, const kube::ResourceType& type, const json::value& object,
                                       const std::stop_token& stop);
/// Of `candidates` those that `owner` controls; orphans that its selector matches are adopted first.
[[nodiscard]] Result<Objects> owned(kube::Api& api, const kube::ResourceType& owner_type, const json::value& owner,
                                    const kube::ResourceType& type, const Objects& candidates,
                                    const std::stop_token& stop);
/// Writes status where it differs from the present one, keeping members it does not name.
[[nodiscard]] Status write_status(kube::Api& api, const kube::ResourceType& type, const json::value& object,
                                  json::object status, const std::stop_token& stop);
/// Success also where the object was gone already.
[[nodiscard]] Status remove_if_there(kube::Api& api, const kube::ResourceType& type, const json::value& object,
                                     const kube::DeleteOptions& options, const std::stop_token& stop);

}  // namespace holdfast::sandbox

#include "control/mover.h"

#include <fmt/format.h>

#include "base/random.h"
#include "base/text.h"
#include "crypto/sha256.h"
#include "velero/mover_names.h"
#include "velero/names.h"
#include "velero/volume_rules.h"

namespace holdfast::control {

namespace {

constexpr size_t kNameSuffix = 8;
constexpr size_t kNameDigits = 16;
constexpr int64_t kUser = 1000;

bool has_ended(const json::value& pod) {
  const std::string phase = json::string_at(pod, {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed";
}

bool uses(const json::value& pod, const std::string& claim) {
  for (const json::value& volume : json::array_at(pod, {"spec", "volumes"})) {
    if (velero::claim_of(pod, json::string_at(volume, {"name"})) == claim) return true;
  }
  return false;
}

/// What keeps a pod from running, in the words of the scheduler or the kubelet.
std::string hindrance(const json::value& pod) {
  for (const json::value& status : json::array_at(pod, {"status", "containerStatuses"})) {
    const std::string reason = json::string_at(status, {"state", "waiting", "reason"});
    if (!reason.empty() && reason != "ContainerCreating") {
      return reason + ": " + json::string_at(status, {"state", "waiting", "message"});
    }
  }
  for (const json::value& condition : json::array_at(pod, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) == "PodScheduled" && json::string_at(condition, {"status"}) == "False") {
      return json::string_at(condition, {"message"}, "it is not scheduled");
    }
  }
  return json::string_at(pod, {"status", "message"}, "no reason was given");
}

/// A create that may succeed later: besides the usual, a namespace whose default service account is not there yet.
bool worth_another_try(const Error& error) {
  return error.retryable() || error.code() == ErrorCode::conflict ||
         (error.code() == ErrorCode::denied && error.message().find("serviceaccount") != std::string::npos);
}

/// The same in every life of a restore, which finds its mover and goes on with it; else a new one.
std::string name_of(const MoverClaim& claim) {
  const std::string prefix = "holdfast-mover-";
  if (claim.restore_uid.empty()) return prefix + random_name_suffix(kNameSuffix);
  const crypto::Digest digest = crypto::sha256(claim.restore_uid + "/" + claim.ns + "/" + claim.claim);
  return prefix + to_hex(std::span<const std::byte>(digest)).substr(0, kNameDigits);
}

Status remove_selected(const Context& context, const std::string& selector, const std::set<std::string>& kept,
                       std::stop_token stop) {
  kube::ListOptions options;
  options.label_selector =
      fmt::format("{}={}{}", velero::label::kMover, velero::label_value(context.objects.ns()), selector);
  const kube::ListPage pods = TRY(kube::list_all(context.api, kube::types::pods(), "", options, stop));
  for (const json::value& pod : pods.items) {
    if (kept.contains(json::string_at(pod, {"metadata", "labels", velero::label::kRestoreUid}))) continue;
    const std::string ns = json::string_at(pod, {"metadata", "namespace"});
    const std::string name = json::string_at(pod, {"metadata", "name"});
    const Status gone = context.api.remove(kube::types::pods(), ns, name, {}, stop);
    if (!gone && !gone.is(ErrorCode::not_found)) return gone.error().in("mover pod " + ns + "/" + name);
    context.log.warning("mover pod of a lost controller deleted", {{"pod", ns + "/" + name}});
  }
  return {};
}

}  // namespace

json::object mover_pod(const ControlOptions& options, const MoverClaim& claim, MoverUse use, const std::string& name) {
  const bool read_only = use == MoverUse::backup;
  std::vector<std::string> command = options.restore_wait.command;
  if (command.size() > 1) command.resize(1);
  command.emplace_back("mover");
  const auto deadline =
      std::chrono::duration_cast<std::chrono::seconds>(options.fs_backup_timeout + options.schedule_wait);
  json::object container{
      {"name", kMoverContainer},
      {"image", options.restore_wait.image},
      {"command", json::from_strings(command)},
      {"resources", options.restore_wait.resources},
      {"securityContext",
       json::object{{"allowPrivilegeEscalation", false}, {"capabilities", json::object{{"drop", json::array{"ALL"}}}}}},
      {"volumeMounts",
       json::array{json::object{{"name", kMoverVolume}, {"mountPath", "/volume"}, {"readOnly", read_only}}}}};
  json::object volume{{"name", kMoverVolume},
                      {"persistentVolumeClaim", json::object{{"claimName", claim.claim}, {"readOnly", read_only}}}};
  json::object spec{{"restartPolicy", "Never"},
                    {"activeDeadlineSeconds", deadline.count()},
                    {"terminationGracePeriodSeconds", 1},
                    {"automountServiceAccountToken", false},
                    {"enableServiceLinks", false},
                    {"securityContext", json::object{{"runAsUser", kUser},
                                                     {"runAsNonRoot", true},
                                                     {"seccompProfile", json::object{{"type", "RuntimeDefault"}}}}},
                    {"containers", json::array{std::move(container)}},
                    {"volumes", json::array{std::move(volume)}}};
  // A volume may lie on a node that keeps ordinary pods away; where a new one is made is the scheduler's choice.
  if (read_only) spec["tolerations"] = json::array{json::object{{"operator", "Exists"}}};
  json::object labels{{velero::label::kMover, velero::label_value(options.ns)},
                      {velero::label::kExcludeFromBackup, "true"}};
  if (!claim.restore_uid.empty()) labels[velero::label::kRestoreUid] = claim.restore_uid;
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", json::object{{"name", name}, {"namespace", claim.ns}, {"labels", std::move(labels)}}},
          {"spec", std::move(spec)}};
}

Result<std::string> user_of_claim(kube::Api& api, const MoverClaim& claim, const std::string& but,
                                  std::stop_token stop) {
  const kube::ListPage pods = TRY(kube::list_all(api, kube::types::pods(), claim.ns, {}, std::move(stop)));
  for (const json::value& pod : pods.items) {
    const std::string name = json::string_at(pod, {"metadata", "name"});
    if (name != but && !has_ended(pod) && uses(pod, claim.claim)) return name;
  }
  return std::string();
}

Mover::Mover(const Context& context, MoverClaim claim, MoverUse use)
    : context_(context),
      claim_(std::move(claim)),
      use_(use),
      name_(name_of(claim_)),
      since_(context.clock.boottime()) {}

Status Mover::make(std::stop_token stop) {
  if (context_.options.restore_wait.image.empty()) {
    return Error(ErrorCode::invalid, "no image is set for mover pods", "name one by --restore-helper-image");
  }
  if (const std::string user = TRY(user_of_claim(context_.api, claim_, name_, stop)); !user.empty()) {
    return Error(ErrorCode::invalid, fmt::format("claim {} is used by pod {}", claim_.claim, user));
  }
  tried_ = true;
  const Result<json::value> made = context_.api.create(
      kube::types::pods(), claim_.ns, mover_pod(context_.options, claim_, use_, name_), {}, std::move(stop));
  // The name is ours alone: what is there is what an earlier try made.
  if (!made && !made.is(ErrorCode::exists)) return made.error();
  made_ = true;
  return {};
}

Result<std::optional<json::value>> Mover::look(std::stop_token stop) {
  const std::string what = fmt::format("mover pod {}/{}", claim_.ns, name_);
  const bool late = context_.clock.boottime() - since_ > context_.options.schedule_wait;
  if (!made_) {
    const Status status = make(stop);
    if (status.ok() || (!late && worth_another_try(status.error()))) return std::optional<json::value>();
    return status.error().in(what);
  }
  const Result<json::value> pod = context_.api.get(kube::types::pods(), claim_.ns, name_, stop);
  if (pod.is(ErrorCode::not_found)) return Error(ErrorCode::not_found, what + " was deleted");
  if (pod.ok() && has_ended(*pod)) {
    return Error(ErrorCode::unavailable, fmt::format("{} ended: {}", what, hindrance(*pod)));
  }
  if (pod.ok() && json::string_at(*pod, {"status", "phase"}) == "Running") {
    // Somebody may have started a program in the meantime.
    if (const std::string user = TRY(user_of_claim(context_.api, claim_, name_, stop).in(what)); !user.empty()) {
      return Error(ErrorCode::conflict, fmt::format("claim {} is used by pod {} now", claim_.claim, user));
    }
    return std::optional<json::value>(*pod);
  }
  if (!late) return std::optional<json::value>();
  if (!pod) return pod.error().in(what);
  return Error(ErrorCode::timeout, fmt::format("{} did not run within {}: {}", what,
                                               format_go_duration(context_.options.schedule_wait), hindrance(*pod)));
}

void Mover::remove() {
  if (!tried_) return;
  kube::DeleteOptions options;
  const Status gone = context_.api.remove(kube::types::pods(), claim_.ns, name_, options);
  if (gone.ok() || gone.is(ErrorCode::not_found)) return;
  context_.log.warning("mover pod not deleted; it ends by its own deadline or with the next leader's start",
                       {{"pod", claim_.ns + "/" + name_}, {"error", gone.error()}});
}

Status remove_movers(const Context& context, const std::set<std::string>& kept, std::stop_token stop) {
  return remove_selected(context, "", kept, std::move(stop));
}

Status remove_movers_of(const Context& context, const std::string& restore_uid, std::stop_token stop) {
  return remove_selected(context, fmt::format(",{}={}", velero::label::kRestoreUid, restore_uid), {}, std::move(stop));
}

}  // namespace holdfast::control

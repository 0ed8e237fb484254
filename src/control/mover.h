// Movers: pods of ours that mount a claim which no other pod mounts, so that the node agent finds the volume's files.
// A mover holds the mount and nothing more: no credential, no account's token, no work.
//
// For a backup the claim is mounted read-only, for a restore it can be written. A mover lives in the claim's namespace,
// under a name that is known before it is made, labelled holdfast.dev/mover = the installation's namespace. It goes
// when its volume has ended. If the controller died, the next leader deletes those of backups and goes on with those of
// restores, which have the same name in every life; each ends by the deadline in its own spec.
#pragma once

#include <set>

#include "control/context.h"

namespace holdfast::control {

/// The one volume of every mover, and its one container.
inline constexpr std::string_view kMoverVolume = "data";
inline constexpr std::string_view kMoverContainer = "mover";

enum class MoverUse { backup, restore };

/// The claim behind a mover.
struct MoverClaim {
  std::string ns;
  std::string claim;
  std::string restore_uid = {};  ///< of the Restore that fills it; a backup has none
};

/// The pod as it is sent; pure.
[[nodiscard]] json::object mover_pod(const ControlOptions& options, const MoverClaim& claim, MoverUse use,
                                     const std::string& name);

/// One mover on its way to running. One thread.
class Mover {
 public:
  Mover(const Context& context, MoverClaim claim, MoverUse use);
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;

  /// The pod once it runs; nothing while it is worth waiting. Makes the pod at the first call, and again where making
  /// it failed for a moment (a namespace's first seconds have no service account). conflict: another pod uses the
  /// claim, which is named; timeout: not running within schedule_wait, with what the scheduler or the kubelet says.
  [[nodiscard]] Result<std::optional<json::value>> look(std::stop_token stop);
  /// Deletes the pod, where one may be.
  void remove();

 private:
  Status make(std::stop_token stop);
  const Context& context_;
  const MoverClaim claim_;
  const MoverUse use_;
  const std::string name_;
  const BootTime since_;
  bool tried_ = false;  ///< a create was sent
  bool made_ = false;
};

/// The first pod that uses a claim, by name, or empty: one that has not ended and names it. `but`: not this one.
[[nodiscard]] Result<std::string> user_of_claim(kube::Api& api, const MoverClaim& claim, const std::string& but,
                                                std::stop_token stop = {});

/// Deletes the movers of the installation, at the start of a leader, but for those of these Restores (uids), which are
/// gone on with.
[[nodiscard]] Status remove_movers(const Context& context, const std::set<std::string>& kept,
                                   std::stop_token stop = {});
/// Deletes those of one Restore that is not gone on with.
[[nodiscard]] Status remove_movers_of(const Context& context, const std::string& restore_uid,
                                      std::stop_token stop = {});

}  // namespace holdfast::control

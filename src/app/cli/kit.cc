#include "app/cli/kit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/cli/password_use.h"
#include "base/random.h"
#include "base/text.h"
#include "base/yaml.h"
#include "velero/names.h"

namespace holdfast::app {

namespace {

using velero::BackupStorageLocation;

constexpr int64_t kFormat = 1;
constexpr std::string_view kDefaultCredentials = "cloud-credentials";
constexpr std::string_view kDirectory = "holdfast.dev/directory";

/// The Secret that a location's credentials are in; empty where it needs none.
std::string credentials_name(const BackupStorageLocation& location) {
  if (location.spec.provider == kDirectory) return {};
  return location.spec.credential ? location.spec.credential->name : std::string(kDefaultCredentials);
}

KitSecret kit_secret(const json::value& object) {
  KitSecret out{.name = json::string_at(object, {"metadata", "name"}), .data = {}};
  for (const auto& member : json::object_at(object, {"data"}))
    if (member.value().is_string()) out.data[std::string(member.key())] = std::string(member.value().get_string());
  return out;
}

json::object secret_object(const Cluster& cluster, const KitSecret& secret) {
  json::object data;
  for (const auto& [key, value] : secret.data) data[key] = value;
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"metadata",
           json::object{
               {"name", secret.name}, {"namespace", cluster.ns}, {"labels", json::object{{"component", "velero"}}}}},
          {"type", "Opaque"},
          {"data", std::move(data)}};
}

Result<KitSecret> present_secret(const Cluster& cluster, const std::string& name) {
  return kit_secret(TRY(cluster.api->get(kube::types::secrets(), cluster.ns, name)));
}

/// The Secret of repository passwords, made where it is missing; whoever makes it first wins.
Result<KitSecret> password_secret(const Cluster& cluster) {
  const std::string name(velero::kRepoCredentialsSecret);
  Result<KitSecret> present = present_secret(cluster, name);
  if (present.ok() || !present.is(ErrorCode::not_found)) return present;
  const KitSecret fresh{name, {{std::string(velero::kRepoPasswordKey), to_base64(random_hex(32))}}};
  const Result<json::value> created =
      cluster.api->create(kube::types::secrets(), cluster.ns, secret_object(cluster, fresh));
  if (created.ok()) return fresh;
  if (!created.is(ErrorCode::exists)) return created.error();
  return present_secret(cluster, name);
}

Result<BackupStorageLocation> read_location(const json::value& entry) {
  const json::value* spec = json::find(entry, {"spec"});
  const std::string name = json::string_at(entry, {"name"});
  if (name.empty() || spec == nullptr) return Error(ErrorCode::invalid, "locations: an entry without name or spec");
  return velero::decode<BackupStorageLocation>(json::object{{"kind", "BackupStorageLocation"},
                                                            {"apiVersion", velero::kApiVersion},
                                                            {"metadata", json::object{{"name", name}}},
                                                            {"spec", *spec}});
}

Result<KitSecret> read_secret(const json::value& entry) {
  KitSecret out{.name = json::string_at(entry, {"name"}), .data = {}};
  if (out.name.empty()) return Error(ErrorCode::invalid, "secrets: an entry without name");
  for (const auto& member : json::object_at(entry, {"data"})) {
    const std::string key(member.key());
    if (!member.value().is_string() || !from_base64(member.value().get_string()))
      return Error(ErrorCode::invalid, fmt::format("secrets: {}: {} is not base64", out.name, key));
    out.data[key] = std::string(member.value().get_string());
  }
  return out;
}

class Import {
 public:
  Import(const Cluster& cluster, const Kit& kit, const ImportOptions& options)
      : cluster_(cluster), kit_(kit), options_(options) {}

  Result<std::vector<std::string>> run() {
    for (const std::string_view name : {velero::kRepoCredentialsSecret, velero::kResticCredentialsSecret})
      if (const KitSecret* secret = kit_.secret(name)) TRY(import_password(*secret));
    size_t found = 0;
    for (const BackupStorageLocation& location : kit_.locations) {
      if (!options_.location.empty() && location.metadata.name != options_.location) continue;
      TRY(import_location(location));
      ++found;
    }
    if (found == 0)
      return Error(ErrorCode::not_found, fmt::format("location \"{}\" is not in the kit", options_.location));
    return std::move(lines_);
  }

 private:
  /// A password may be replaced as long as nothing was written with it; else only where that was asked for.
  Status import_password(const KitSecret& secret) {
    const Result<KitSecret> present = present_secret(cluster_, secret.name);
    if (present.is(ErrorCode::not_found)) return create(secret);
    if (!present) return present.error();
    if (present->data == secret.data) return note("Secret", secret.name, "is there already");
    const std::vector<std::string> uses = TRY(uses_of_password(cluster_, TRY(password_of(*present))));
    if (uses.empty()) {
      TRY(replace(*present, secret));
      return note("Secret", secret.name, "replaced, nothing used the password in it");
    }
    if (options_.password != ImportOptions::Password::replace) {
      return Error(ErrorCode::conflict,
                   fmt::format("Secret {} holds another repository password than the kit, and it is in use: {}",
                               secret.name, fmt::join(uses, "; ")),
                   "import the kit into a namespace of its own; --replace-password takes the kit's password, and what "
                   "was written with the present one cannot be read here any more");
    }
    KitSecret former = *present;
    former.name += "-former-" + random_name_suffix();
    TRY(create(former));
    TRY(replace(*present, secret));
    TRY(note("Secret", secret.name, "replaced; the former password is in Secret " + former.name));
    for (const std::string& use : uses) TRY(note("Secret", secret.name, "no longer fits: " + use));
    return {};
  }

  /// Only what was looked at is replaced.
  Status replace(const KitSecret& seen, const KitSecret& with) {
    TRY(kube::update_with_retry(
        *cluster_.api, kube::types::secrets(), cluster_.ns, with.name, [&](json::value& object) -> Status {
          if (kit_secret(object).data != seen.data)
            return Error(ErrorCode::conflict, fmt::format("Secret {} has just been changed by others", with.name));
          object.as_object()["data"] = secret_object(cluster_, with).at("data");
          return {};
        }));
    return {};
  }

  static Result<crypto::Secret> password_of(const KitSecret& secret) {
    const auto found = secret.data.find(std::string(velero::kRepoPasswordKey));
    if (found == secret.data.end()) return crypto::Secret::of("");
    std::string text = TRY(from_base64(found->second).in("Secret " + secret.name));
    crypto::Secret out = crypto::Secret::of(text);
    crypto::wipe(text);
    return out;
  }

  /// Credentials that differ from those of the same name here get a name of their own.
  Status import_credentials(BackupStorageLocation& location) {
    const std::string name = credentials_name(location);
    const KitSecret* secret = kit_.secret(name);
    if (name.empty() || secret == nullptr) return {};
    const Result<KitSecret> present = present_secret(cluster_, name);
    if (present.is(ErrorCode::not_found)) return create(*secret);
    if (!present) return present.error();
    if (present->data == secret->data) return note("Secret", name, "is there already");
    KitSecret renamed = *secret;
    renamed.name = location.metadata.name + "-credentials";
    const std::string key = location.spec.credential ? location.spec.credential->key : "cloud";
    location.spec.credential = velero::SecretKeySelector{renamed.name, key, {}};
    const Result<KitSecret> other = present_secret(cluster_, renamed.name);
    if (other.is(ErrorCode::not_found)) return create(renamed);
    if (!other) return other.error();
    if (other->data == renamed.data) return note("Secret", renamed.name, "is there already");
    return Error(ErrorCode::conflict, fmt::format("Secrets {} and {} hold other credentials", name, renamed.name));
  }

  Status import_location(BackupStorageLocation location) {
    if (!options_.as.empty()) location.metadata.name = options_.as;
    location.metadata.namespace_ = cluster_.ns;
    if (!options_.access_mode.empty()) location.spec.access_mode = options_.access_mode;
    location.spec.is_default = options_.is_default == ImportOptions::Default::make || !TRY(has_default(location));
    TRY(import_credentials(location));
    const std::string& name = location.metadata.name;
    const Result<BackupStorageLocation> created = create_object(cluster_, location);
    if (created.ok()) return note("BackupStorageLocation", name, "created");
    if (!created.is(ErrorCode::exists)) return created.error();
    BackupStorageLocation present = TRY(get_object<BackupStorageLocation>(cluster_, name));
    // Which one is the default is this site's own matter.
    present.spec.is_default = location.spec.is_default;
    if (encode(present).at("spec") == encode(location).at("spec"))
      return note("BackupStorageLocation", name, "is there already");
    return Error(ErrorCode::conflict, fmt::format("a backup location {} is there and differs from the kit's", name),
                 "holdfast backup-location create OTHER-NAME --from-kit FILE --kit-location " + name);
  }

  Result<bool> has_default(const BackupStorageLocation& but) {
    const auto all = TRY(list_objects<BackupStorageLocation>(cluster_));
    return std::any_of(all.begin(), all.end(), [&](const BackupStorageLocation& other) {
      return other.spec.is_default && other.metadata.name != but.metadata.name;
    });
  }

  Status create(const KitSecret& secret) {
    TRY(cluster_.api->create(kube::types::secrets(), cluster_.ns, secret_object(cluster_, secret))
            .in("Secret " + secret.name));
    return note("Secret", secret.name, "created");
  }

  Status note(std::string_view kind, const std::string& name, std::string_view what) {
    lines_.push_back(fmt::format("{}/{}: {}", kind, name, what));
    return {};
  }

  const Cluster& cluster_;
  const Kit& kit_;
  const ImportOptions& options_;
  std::vector<std::string> lines_;
};

}  // namespace

const KitSecret* Kit::secret(std::string_view name) const {
  const auto found = std::find_if(secrets.begin(), secrets.end(), [&](const KitSecret& s) { return s.name == name; });
  return found == secrets.end() ? nullptr : &*found;
}

Result<Kit> collect_kit(const Cluster& cluster, Time now) {
  Kit kit{.created = now, .ns = cluster.ns, .locations = {}, .secrets = {}};
  kit.locations = TRY(list_objects<BackupStorageLocation>(cluster));
  if (kit.locations.empty())
    return Error(ErrorCode::not_found, fmt::format("there is no backup location in namespace {}", cluster.ns),
                 "holdfast backup-location create makes one");
  for (const BackupStorageLocation& location : kit.locations) {
    const std::string name = credentials_name(location);
    if (name.empty() || kit.secret(name) != nullptr) continue;
    kit.secrets.push_back(TRY(present_secret(cluster, name).in("credentials of location " + location.metadata.name)));
  }
  kit.secrets.push_back(TRY(password_secret(cluster)));
  Result<KitSecret> old = present_secret(cluster, std::string(velero::kResticCredentialsSecret));
  if (old) {
    kit.secrets.push_back(*std::move(old));
  } else if (!old.is(ErrorCode::not_found)) {
    return old.error();
  }
  return kit;
}

std::string write_kit(const Kit& kit) {
  json::array locations;
  for (const BackupStorageLocation& location : kit.locations)
    locations.push_back(json::object{{"name", location.metadata.name}, {"spec", encode(location).at("spec")}});
  json::array secrets;
  for (const KitSecret& secret : kit.secrets) {
    json::object data;
    for (const auto& [key, value] : secret.data) data[key] = value;
    secrets.push_back(json::object{{"name", secret.name}, {"data", std::move(data)}});
  }
  return yaml::emit(json::object{{"apiVersion", "holdfast.dev/v1alpha1"},
                                 {"kind", "RecoveryKit"},
                                 {"format", kFormat},
                                 {"created", format_rfc3339(kit.created)},
                                 {"namespace", kit.ns},
                                 {"locations", std::move(locations)},
                                 {"secrets", std::move(secrets)}});
}

Result<Kit> read_kit(std::string_view text) {
  const json::value document = TRY(yaml::parse(text));
  if (json::string_at(document, {"kind"}) != "RecoveryKit")
    return Error(ErrorCode::invalid, "this is not a recovery kit: kind is not RecoveryKit");
  const int64_t format = json::int_at(document, {"format"});
  if (format != kFormat)
    return Error(ErrorCode::unsupported,
                 fmt::format("recovery kit of format {}; this program reads {}", format, kFormat));
  Kit kit;
  kit.created = TRY(parse_rfc3339(json::string_at(document, {"created"})).in("created"));
  kit.ns = json::string_at(document, {"namespace"});
  for (const json::value& entry : json::array_at(document, {"locations"}))
    kit.locations.push_back(TRY(read_location(entry)));
  for (const json::value& entry : json::array_at(document, {"secrets"})) kit.secrets.push_back(TRY(read_secret(entry)));
  return kit;
}

std::vector<std::string> kit_faults(const Kit& kit) {
  std::vector<std::string> out;
  if (kit.locations.empty()) out.emplace_back("there is no backup location in it");
  for (const BackupStorageLocation& location : kit.locations) {
    const std::string name = credentials_name(location);
    if (name.empty()) continue;
    const KitSecret* secret = kit.secret(name);
    const std::string key = location.spec.credential ? location.spec.credential->key : "cloud";
    if (secret == nullptr || !secret->data.contains(key))
      out.push_back(fmt::format("location {}: its credentials (key {} of Secret {}) are not in it",
                                location.metadata.name, key, name));
  }
  const KitSecret* password = kit.secret(velero::kRepoCredentialsSecret);
  if (password == nullptr || !password->data.contains(std::string(velero::kRepoPasswordKey)))
    out.push_back(fmt::format("the repository password (key {} of Secret {}) is not in it", velero::kRepoPasswordKey,
                              velero::kRepoCredentialsSecret));
  return out;
}

Result<std::vector<std::string>> import_kit(const Cluster& cluster, const Kit& kit, const ImportOptions& options) {
  const std::vector<std::string> faults = kit_faults(kit);
  if (!faults.empty()) return Error(ErrorCode::invalid, "the recovery kit is not complete: " + faults.front());
  return Import(cluster, kit, options).run();
}

}  // namespace holdfast::app

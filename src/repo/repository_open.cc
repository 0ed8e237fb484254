// How a repository comes to be and how it is opened.
//
// Init writes the key file first and the config last: the config is what makes it a repository, and of two that init at
// once one config wins (put-if-absent where the store has it). An init that died in between left a key without a
// config; with the same password the next init takes that key up, so that no two master keys lie side by side.
#include <fmt/format.h>

#include "base/random.h"
#include "repo/key.h"
#include "repo/local_identity.h"
#include "repo/repository.h"

namespace holdfast::repo {

namespace {

constexpr Duration kKeyTime = std::chrono::milliseconds(500);
constexpr uint64_t kKeyMemory = uint64_t{60} << 20;

Error already_there(const objstore::Store& store) {
  return Error(ErrorCode::exists, fmt::format("{}: there is a repository already", store.name()),
               "open it with its password, or choose another location");
}

Status refuse_existing(objstore::Store& store, std::stop_token stop) {
  const auto config = store.head("config", std::move(stop));
  if (config) return already_there(store);
  if (!config.is(ErrorCode::not_found)) return config.error().in(store.name());
  return {};
}

struct MasterKey {
  Id file;
  crypto::EnvelopeKey key;
  bool made = false;
};

Result<MasterKey> make_key(objstore::Store& store, const crypto::Secret& password, const InitOptions& init,
                           Clock& clock, std::stop_token stop) {
  Result<OpenedKey> left_behind = find_key(store, password, {}, stop);
  if (left_behind) return MasterKey{left_behind->id, std::move(left_behind->master), false};
  if (left_behind.is(ErrorCode::denied)) {
    return Error(ErrorCode::exists, fmt::format("{}: there are keys of another password, but no config", store.name()),
                 "an init died here, or the config is lost; restore the config, or empty the folder keys");
  }
  if (!left_behind.is(ErrorCode::not_found)) return std::move(left_behind).error();

  const crypto::ScryptCost cost = init.kdf ? *init.kdf : TRY(crypto::calibrate_scrypt(kKeyTime, kKeyMemory, clock));
  const LocalIdentity here = local_identity();
  crypto::EnvelopeKey master = crypto::EnvelopeKey::generate();
  const KeyFile file = TRY(make_key_file(
      master, password, cost,
      {init.username.empty() ? here.username : init.username, init.hostname.empty() ? here.hostname : init.hostname},
      clock.now()));
  const std::string text = encode_key_file(file);
  const Id id = Id::of(text);
  TRY(store.put(key_of(FileKind::key, id), text, std::move(stop)).in(store.name()));
  return MasterKey{id, std::move(master), true};
}

// Puts the config so that of several writers one wins; says whether ours is the one.
Result<bool> put_config(objstore::Store& store, const crypto::EnvelopeKey& key, const Config& config,
                        std::stop_token stop) {
  std::string sealed = seal_config(key, config);
  const Status put = store.can(objstore::Capability::conditional_put) ? store.put_if_absent("config", sealed, stop)
                                                                      : store.put("config", sealed, stop);
  const bool unsure = !put && (put.is(ErrorCode::exists) || put.error().retryable());
  if (!put && !unsure) return put.error().in(fmt::format("{}: config", store.name()));
  const Result<std::string> there = store.get("config", {}, std::move(stop));
  if (!there) return (put ? there.error() : put.error()).in(fmt::format("{}: config", store.name()));
  return *there == sealed;
}

}  // namespace

Result<std::unique_ptr<Repository>> Repository::init(std::shared_ptr<objstore::Store> store,
                                                     const crypto::Secret& password, InitOptions init,
                                                     RepositoryOptions options, std::stop_token stop) {
  if (init.version != 1 && init.version != 2) {
    return Error(ErrorCode::unsupported, fmt::format("repository version {} is not known here", init.version));
  }
  TRY(refuse_existing(*store, stop));
  MasterKey master = TRY(make_key(*store, password, init, *options.clock, stop));
  Config config;
  config.version = init.version;
  config.id = random_hex(Id::kSize);
  config.polynomial = init.polynomial ? *init.polynomial : random_polynomial();
  if (degree(config.polynomial) != kPolynomialDegree || !is_irreducible(config.polynomial)) {
    return Error(ErrorCode::invalid, "the chunker polynomial is not irreducible of degree 53");
  }
  const bool ours = TRY(put_config(*store, master.key, config, stop));
  if (!ours) {
    if (master.made) TRY(store->remove(key_of(FileKind::key, master.file), stop));
    return already_there(*store);
  }
  std::unique_ptr<Repository> repository(
      new Repository(std::move(store), std::move(master.key), std::move(config), std::move(options)));
  repository->index_loaded_ = true;
  return repository;
}

Result<std::unique_ptr<Repository>> Repository::open(std::shared_ptr<objstore::Store> store,
                                                     const crypto::Secret& password, RepositoryOptions options,
                                                     std::stop_token stop) {
  OpenedKey key = TRY(find_key(*store, password, options.key_hint, stop));
  Config config = TRY(load_config(*store, key.master, stop));
  return std::unique_ptr<Repository>(
      new Repository(std::move(store), std::move(key.master), std::move(config), std::move(options)));
}

}  // namespace holdfast::repo

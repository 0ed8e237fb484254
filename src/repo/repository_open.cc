// How a repository comes to be and how it is opened.
//
// Init writes the key file first and the config last: the config is what makes it a repository, and of two that init at
// once one config wins (put-if-absent where the store has it). An init that died in between left a key without a
// config; with the same password the next init takes that key up.
//
// Two inits at once may all the same leave two master keys under one password: the loser died, or could not remove its
// key. So an open tries on until a key opens the config. A key that opens but does not fit is stray where configs are
// put by put-if-absent only (a config is never replaced, so no later one can belong to that key) and all index files
// open with the other master key (so nothing was written under it): the next writer that knows both removes it.
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
  Result<OpenedKey> left_behind = find_key(store, password, {}, {}, stop);
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

// Puts the config so that of several writers one wins; gives back the one that did.
Result<std::string> put_config(objstore::Store& store, const std::string& sealed, std::stop_token stop) {
  const Status put = store.can(objstore::Capability::conditional_put) ? store.put_if_absent("config", sealed, stop)
                                                                      : store.put("config", sealed, stop);
  const bool unsure = !put && (put.is(ErrorCode::exists) || put.error().retryable());
  if (!put && !unsure) return put.error().in(fmt::format("{}: config", store.name()));
  Result<std::string> there = store.get("config", {}, std::move(stop));
  if (!there) return (put ? there.error() : put.error()).in(fmt::format("{}: config", store.name()));
  return there;
}

// The key of an init that lost. Another one may have taken it up and won with it: then it is the repository's.
Status remove_lost_key(objstore::Store& store, const MasterKey& master, std::string_view config, std::stop_token stop) {
  const bool in_use = opens_config(master.key, config);
  if (!master.made || in_use || !store.can(objstore::Capability::conditional_put)) return {};
  return store.remove(key_of(FileKind::key, master.file), std::move(stop));
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
  const std::string sealed = seal_config(master.key, config);
  const std::string there = TRY(put_config(*store, sealed, stop));
  if (there != sealed) {
    // Best effort: a key that stays behind is removed by the next writer.
    [[maybe_unused]] const Status removed = remove_lost_key(*store, master, there, stop);
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
  const std::string sealed = TRY(load_sealed_config(*store, stop));
  const auto fits = [&](const crypto::EnvelopeKey& master) { return opens_config(master, sealed); };
  OpenedKey key = TRY(find_key(*store, password, options.key_hint, fits, stop));
  Config config = TRY(open_config(key.master, sealed).in(store->name()));
  std::unique_ptr<Repository> repository(
      new Repository(std::move(store), std::move(key.master), std::move(config), std::move(options)));
  repository->stray_keys_ = std::move(key.rejected);
  return repository;
}

Status Repository::remove_stray_keys(std::stop_token stop) {
  if (!index_loaded_ || !files_.store().can(objstore::Capability::conditional_put)) return {};
  while (!stray_keys_.empty()) {
    TRY(files_.remove(FileKind::key, stray_keys_.back(), stop));
    stray_keys_.pop_back();
  }
  return {};
}

}  // namespace holdfast::repo

#include "repo/key.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"

namespace holdfast::repo {

namespace {

constexpr size_t kSaltSize = 64;
constexpr size_t kKeysTried = 20;

// The master key's JSON, by hand: a JSON library would leave copies of the key in memory.
crypto::Secret master_json(const crypto::EnvelopeKey& master) {
  std::string k = to_base64(as_text(master.mac_k())), r = to_base64(as_text(master.mac_r()));
  std::string encrypt = to_base64(as_text(master.encrypt()));
  std::string text;
  text.reserve(256);
  text.append(R"({"mac":{"k":")").append(k).append(R"(","r":")").append(r);
  text.append(R"("},"encrypt":")").append(encrypt).append(R"("})");
  crypto::Secret secret = crypto::Secret::of(text);
  for (std::string* part : {&k, &r, &encrypt, &text}) crypto::wipe(*part);
  return secret;
}

// The parsed values live in a buffer of ours, so that it can be wiped as well.
Result<crypto::EnvelopeKey> parse_master(std::string_view text) {
  crypto::Secret memory(8192), raw(crypto::EnvelopeKey::kSize);
  boost::json::monotonic_resource resource(reinterpret_cast<unsigned char*>(memory.bytes().data()), memory.size());
  boost::json::error_code error;
  const json::value in = boost::json::parse(text, error, &resource);
  if (error) return Error(ErrorCode::corrupt, "the master key is not JSON");
  size_t at = 0;
  const json::value* const parts[] = {json::find(in, {"encrypt"}), json::find(in, {"mac", "k"}),
                                      json::find(in, {"mac", "r"})};
  for (const json::value* value : parts) {
    const size_t size = at == 0 ? 32 : 16;
    if (value == nullptr || !value->is_string()) return Error(ErrorCode::corrupt, "the master key lacks a part");
    Result<std::string> part = from_base64(std::string_view(value->get_string()));
    if (!part || part->size() != size) return Error(ErrorCode::corrupt, "a part of the master key has a wrong length");
    std::ranges::copy(as_bytes(*part), raw.bytes().begin() + static_cast<std::ptrdiff_t>(at));
    crypto::wipe(*part);
    at += size;
  }
  return crypto::EnvelopeKey::from(std::move(raw));
}

Result<crypto::EnvelopeKey> user_key(const crypto::Secret& password, std::string_view salt,
                                     const crypto::ScryptCost& cost) {
  return crypto::EnvelopeKey::from(
      TRY(crypto::scrypt(password.bytes(), as_bytes(salt), cost, crypto::EnvelopeKey::kSize)));
}

}  // namespace

std::string encode_key_file(const KeyFile& key) {
  json::object out;
  out["created"] = key.created.text;
  out["username"] = key.username;
  out["hostname"] = key.hostname;
  out["kdf"] = "scrypt";
  out["N"] = key.cost.n;
  out["r"] = key.cost.r;
  out["p"] = key.cost.p;
  out["salt"] = to_base64(key.salt);
  out["data"] = to_base64(key.data);
  return json::compact(out);
}

Result<KeyFile> decode_key_file(std::string_view text) {
  const json::object in = TRY(json::parse_object(text));
  KeyFile key;
  const std::string kdf = json::string_at(in, {"kdf"});
  if (kdf != "scrypt") {
    return Error(ErrorCode::unsupported, fmt::format("the key derivation \"{}\" is not known here", kdf));
  }
  key.created = TRY(RecordTime::parse(json::string_at(in, {"created"})).in("created"));
  key.username = json::string_at(in, {"username"});
  key.hostname = json::string_at(in, {"hostname"});
  const auto positive = [&](std::string_view name, int64_t most) -> Result<int64_t> {
    const int64_t number = json::int_at(in, {name}, 0);
    if (number <= 0 || number > most)
      return Error(ErrorCode::invalid, fmt::format("the field {} is out of range", name));
    return number;
  };
  key.cost.n = static_cast<uint64_t>(TRY(positive("N", int64_t{1} << 40)));
  key.cost.r = static_cast<uint32_t>(TRY(positive("r", int64_t{1} << 30)));
  key.cost.p = static_cast<uint32_t>(TRY(positive("p", int64_t{1} << 30)));
  key.salt = TRY(from_base64(json::string_at(in, {"salt"})).in("salt"));
  key.data = TRY(from_base64(json::string_at(in, {"data"})).in("data"));
  if (key.salt.size() != kSaltSize) return Error(ErrorCode::invalid, "the salt has not 64 bytes");
  if (key.data.size() <= crypto::kEnvelopeOverhead) return Error(ErrorCode::invalid, "the field data is too short");
  return key;
}

Result<KeyFile> make_key_file(const crypto::EnvelopeKey& master, const crypto::Secret& password,
                              const crypto::ScryptCost& cost, KeyOwner owner, Time now) {
  if (password.empty()) return Error(ErrorCode::invalid, "an empty password is refused");
  KeyFile key;
  key.created = RecordTime::at(now);
  key.username = std::move(owner.username);
  key.hostname = std::move(owner.hostname);
  key.cost = cost;
  key.salt.resize(kSaltSize);
  random_bytes(std::as_writable_bytes(std::span(key.salt)));
  const crypto::EnvelopeKey user = TRY(user_key(password, key.salt, cost));
  crypto::seal_to(user, master_json(master).bytes(), key.data);
  return key;
}

Result<crypto::EnvelopeKey> open_key_file(const KeyFile& key, const crypto::Secret& password) {
  const crypto::EnvelopeKey user = TRY(user_key(password, key.salt, key.cost));
  crypto::Secret text(key.data.size() - crypto::kEnvelopeOverhead);
  const Status opened = crypto::open(user, as_bytes(key.data), text.bytes());
  if (!opened) return Error(ErrorCode::denied, "the password does not fit");
  return parse_master(text.reveal());
}

Result<OpenedKey> find_key(objstore::Store& store, const crypto::Secret& password, std::string_view hint,
                           const AcceptKey& accept, std::stop_token stop) {
  std::vector<Id> ids;
  objstore::ListRequest request{.prefix = "keys/", .delimiter = "/"};
  do {
    objstore::ListPage page = TRY(store.list(request, stop));
    for (const objstore::ObjectMeta& object : page.objects) {
      if (Result<Id> id = Id::parse(object.key.substr(5))) ids.push_back(*id);
    }
    request.after = page.next;
  } while (!request.after.empty());
  if (ids.empty()) {
    return Error(ErrorCode::not_found, fmt::format("{}: there is no key file", store.name()),
                 "check the location: a repository has a folder keys");
  }
  if (!hint.empty()) {
    std::stable_partition(ids.begin(), ids.end(), [&](const Id& id) { return id.hex().starts_with(hint); });
  }
  ids.resize(std::min(ids.size(), kKeysTried));

  std::optional<Error> damaged;
  bool tried = false;
  std::vector<Id> rejected;
  for (const Id& id : ids) {
    const std::string name = key_of(FileKind::key, id);
    Result<std::string> got = store.get(name, {}, stop);
    // Removed since it was listed.
    if (got.is(ErrorCode::not_found)) continue;
    const std::string text = TRY(std::move(got).in(fmt::format("{}: {}", store.name(), name)));
    Result<KeyFile> key =
        Id::of(text) == id ? decode_key_file(text) : Error(ErrorCode::corrupt, "the content does not match the name");
    if (!key) {
      damaged = std::move(key).error().in(fmt::format("{}: {}", store.name(), name));
      continue;
    }
    Result<crypto::EnvelopeKey> master = open_key_file(*key, password);
    if (master) {
      if (!accept || accept(*master)) return OpenedKey{id, std::move(master).value(), std::move(rejected)};
      rejected.push_back(id);
      continue;
    }
    if (!master.is(ErrorCode::denied)) {
      damaged = std::move(master).error().in(fmt::format("{}: {}", store.name(), name));
      continue;
    }
    tried = true;
  }
  if (!rejected.empty()) {
    return Error(ErrorCode::corrupt,
                 fmt::format("{}: the config opens with none of the {} master keys that the password gives",
                             store.name(), rejected.size()),
                 "the config is damaged or another repository's, or the key file is gone; put back what is missing");
  }
  if (damaged && !tried) return *damaged;
  return Error(ErrorCode::denied, fmt::format("{}: wrong password: it fits none of {} keys", store.name(), ids.size()),
               "check the password; it is the repository's, not the store's");
}

}  // namespace holdfast::repo

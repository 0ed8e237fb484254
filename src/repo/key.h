// Key files: the repository's master key, sealed under a password.
//
// Several key files may hold the same master key, each under its own password. The codec does no I/O.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "crypto/aes_poly1305.h"
#include "crypto/scrypt.h"
#include "objstore/store.h"
#include "repo/ids.h"
#include "repo/snapshot.h"

namespace holdfast::repo {

struct KeyFile {
  RecordTime created;
  std::string username, hostname;
  crypto::ScryptCost cost;
  std::string salt;  ///< 64 bytes
  std::string data;  ///< the master key's JSON in an envelope under the password's key

  Id id;  ///< of the stored file; not part of the JSON
};
[[nodiscard]] std::string encode_key_file(const KeyFile& key);
/// invalid names the field; unsupported for a derivation other than scrypt.
[[nodiscard]] Result<KeyFile> decode_key_file(std::string_view text);

struct KeyOwner {
  std::string username, hostname;
};
/// A new key file with a fresh salt.
[[nodiscard]] Result<KeyFile> make_key_file(const crypto::EnvelopeKey& master, const crypto::Secret& password,
                                            const crypto::ScryptCost& cost, KeyOwner owner, Time now);
/// The master key. denied for a wrong password (or a damaged file: the two cannot be told apart).
[[nodiscard]] Result<crypto::EnvelopeKey> open_key_file(const KeyFile& key, const crypto::Secret& password);

struct OpenedKey {
  Id id;
  crypto::EnvelopeKey master;
  /// Key files that the password opens, but whose master key was not accepted.
  std::vector<Id> rejected = {};
};
/// True where the master key is the repository's.
using AcceptKey = std::function<bool(const crypto::EnvelopeKey&)>;
/// Tries the key files of a repository, the hinted one first, at most 20, until one opens and is accepted (no `accept`:
/// any). denied where none opens; not_found where there is none; corrupt where some open and none is accepted. Files
/// that are no key files are passed over as long as another one fits.
[[nodiscard]] Result<OpenedKey> find_key(objstore::Store& store, const crypto::Secret& password, std::string_view hint,
                                         const AcceptKey& accept, std::stop_token stop = {});

}  // namespace holdfast::repo

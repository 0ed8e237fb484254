#include "crypto/sha256.h"

#include <openssl/evp.h>

#include "base/check.h"
#include "base/text.h"

namespace holdfast::crypto {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  // Fetched once a process: looking the algorithm up costs more than hashing a small blob.
  static const EVP_MD* algorithm() {
    static const EVP_MD* const kAlgorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return kAlgorithm;
  }
  State() { restart(); }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  void restart() const { CHECK(EVP_DigestInit_ex(context, algorithm(), nullptr) == 1); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> piece) {
  CHECK(EVP_DigestUpdate(state_->context, piece.data(), piece.size()) == 1);
}

void Sha256::update(std::string_view piece) {
  update(as_bytes(piece));
}

Digest Sha256::finish() {
  Digest digest;
  CHECK(EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1);
  state_->restart();
  return digest;
}

Digest sha256(std::span<const std::byte> message) {
  thread_local Sha256 hash;
  hash.update(message);
  return hash.finish();
}

Digest sha256(std::string_view message) {
  return sha256(as_bytes(message));
}

void sha256_each(std::span<const std::string_view> messages, std::span<Digest> digests) {
  CHECK(messages.size() == digests.size());
  for (size_t i = 0; i < messages.size(); ++i) digests[i] = sha256(messages[i]);
}

}  // namespace holdfast::crypto

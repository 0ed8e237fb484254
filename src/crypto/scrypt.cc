#include "crypto/scrypt.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <bit>
#include <memory>

namespace holdfast::crypto {

namespace {

constexpr uint64_t kMemoryLimit = uint64_t{1} << 30;

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

Status check(const ScryptCost& cost, size_t length) {
  const auto bad = [&](std::string_view why) {
    return Error(ErrorCode::invalid, fmt::format("scrypt with N={} r={} p={}: {}", cost.n, cost.r, cost.p, why));
  };
  if (cost.n < 2 || !std::has_single_bit(cost.n)) return bad("N is no power of two above 1");
  if (cost.r == 0 || cost.p == 0 || length == 0) return bad("r, p and the length must be above 0");
  if (uint64_t{cost.r} * cost.p >= uint64_t{1} << 30) return bad("r*p is too large");
  if (cost.n > kMemoryLimit / 128 / cost.r) return bad("it would take more than 1 GiB of memory");
  if (uint64_t{cost.p} > kMemoryLimit / 128 / cost.r) return bad("it would take more than 1 GiB of memory");
  return {};
}

}  // namespace

Result<Secret> scrypt(std::span<const std::byte> password, std::span<const std::byte> salt, const ScryptCost& cost,
                      size_t length) {
  TRY(check(cost, length));
  std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "SCRYPT", nullptr));
  if (!kdf) return Error(ErrorCode::unsupported, "OpenSSL here offers no scrypt");
  std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(EVP_KDF_CTX_new(kdf.get()));
  CHECK(context);
  // OpenSSL only reads through these pointers; its parameter type has no const.
  const auto octets = [](const char* name, std::span<const std::byte> bytes) {
    static std::byte none{};
    auto* data = bytes.empty() ? &none : const_cast<std::byte*>(bytes.data());
    return OSSL_PARAM_construct_octet_string(name, data, bytes.size());
  };
  uint64_t n = cost.n;
  uint64_t memory = 2 * kMemoryLimit + (uint64_t{1} << 20);
  uint32_t r = cost.r, p = cost.p;
  const OSSL_PARAM parameters[] = {
      octets(OSSL_KDF_PARAM_PASSWORD, password),
      octets(OSSL_KDF_PARAM_SALT, salt),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
      OSSL_PARAM_construct_end(),
  };
  Secret out(length);
  if (EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.bytes().data()), length, parameters) != 1) {
    ERR_clear_error();
    return Error(ErrorCode::exhausted,
                 fmt::format("scrypt with N={} r={} p={} failed: not enough memory?", cost.n, cost.r, cost.p));
  }
  return out;
}

Result<ScryptCost> calibrate_scrypt(Duration target, uint64_t memory_limit, Clock& clock) {
  ScryptCost cost{.n = 16384, .r = 8, .p = 1};
  const Secret password = Secret::of("a password to measure with"), salt(64);
  const BootTime start = clock.boottime();
  TRY(scrypt(password.bytes(), salt.bytes(), cost, 64));
  const Duration once = std::max(Duration(1), clock.boottime() - start);
  auto factor = static_cast<uint64_t>(std::max<Duration::rep>(1, target / once));
  while (factor >= 2 && 128 * cost.n * 2 * cost.r <= memory_limit) {
    cost.n *= 2;
    factor /= 2;
  }
  cost.p = static_cast<uint32_t>(std::min<uint64_t>(factor, 64));
  return cost;
}

}  // namespace holdfast::crypto

// scrypt (RFC 7914): a key from a password, made expensive on purpose. Any thread; a call holds 128*N*r bytes.
#pragma once

#include <cstdint>
#include <span>

#include "base/clock.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace holdfast::crypto {

struct ScryptCost {
  uint64_t n = 32768;  ///< a power of two above 1
  uint32_t r = 8;
  uint32_t p = 1;
  friend bool operator==(const ScryptCost&, const ScryptCost&) = default;
};

/// `length` bytes from the password. invalid for parameters outside RFC 7914 and for more than 1 GiB of memory: the
/// parameters come from files that others wrote.
[[nodiscard]] Result<Secret> scrypt(std::span<const std::byte> password, std::span<const std::byte> salt,
                                    const ScryptCost& cost, size_t length);

/// The cost that takes about `target` on this machine and at most `memory_limit` bytes: N doubles first, then p.
[[nodiscard]] Result<ScryptCost> calibrate_scrypt(Duration target, uint64_t memory_limit,
                                                  Clock& clock = system_clock());

}  // namespace holdfast::crypto

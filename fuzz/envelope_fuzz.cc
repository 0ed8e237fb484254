// An envelope of foreign bytes opens only if it is one that the key's holder sealed; what is sealed opens again.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/text.h"
#include "crypto/aes_poly1305.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  static const crypto::EnvelopeKey kKey =
      crypto::EnvelopeKey::from(crypto::Secret::of("0123456789abcdef0123456789ABCDEFkkkkkkkkkkkkkkkkrrrrrrrrrrrrrrrr"))
          .value();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Result<std::string> foreign = crypto::open_text(kKey, as_bytes(input));
  CHECK(foreign.ok() || foreign.is(ErrorCode::corrupt));

  std::string sealed;
  crypto::seal_to(kKey, as_bytes(input), sealed);
  CHECK(crypto::open_text(kKey, as_bytes(sealed)).value() == input);
  const size_t place = size == 0 ? 0 : data[0] % sealed.size();
  sealed[place] = static_cast<char>(sealed[place] ^ 1);
  CHECK(!crypto::open_text(kKey, as_bytes(sealed)).ok());
  return 0;
}

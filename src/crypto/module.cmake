holdfast_module(crypto
  SOURCES aes_poly1305.cc hmac.cc scrypt.cc secret.cc sha256.cc
  DEPS base
  LIBS OpenSSL::Crypto
  TESTS aes_poly1305_test.cc hash_test.cc scrypt_test.cc)

holdfast_fuzz(envelope envelope_fuzz.cc DEPS crypto)

holdfast_module(net
  SOURCES http.cc url.cc
  DEPS base sync
  LIBS CURL::libcurl OpenSSL::SSL OpenSSL::Crypto
  TESTS http_test.cc url_test.cc)

holdfast_fuzz(url url_fuzz.cc DEPS net)

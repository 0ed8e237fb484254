# Test support that other modules' tests use too: TEST_DEPS net_testing.
add_library(holdfast_net_testing STATIC ${CMAKE_SOURCE_DIR}/src/net/scripted_server.cc
                                        ${CMAKE_SOURCE_DIR}/src/net/test_identity.cc)
target_include_directories(holdfast_net_testing PUBLIC ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(holdfast_net_testing PUBLIC holdfast_net PRIVATE OpenSSL::SSL OpenSSL::Crypto)

holdfast_module(net
  SOURCES byte_stream.cc curl_error.cc curl_slot.cc http.cc http_client.cc http_connection.cc http_server.cc tls_context.cc
          url.cc websocket_client.cc websocket_frame.cc websocket_stream.cc
  DEPS base sync
  LIBS CURL::libcurl OpenSSL::SSL OpenSSL::Crypto
  TESTS http_client_test.cc http_client_tls_test.cc http_server_test.cc http_test.cc scripted_server_test.cc url_test.cc websocket_frame_test.cc
        websocket_test.cc
  TEST_DEPS net_testing)

holdfast_fuzz(http_server http_server_fuzz.cc DEPS net)
holdfast_fuzz(url url_fuzz.cc DEPS net)
holdfast_fuzz(websocket websocket_fuzz.cc DEPS net)

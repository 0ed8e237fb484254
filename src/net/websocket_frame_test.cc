#include "net/websocket_frame.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace holdfast::net {
namespace {

using Opcode = WebSocketFrame::Opcode;

TEST(WebSocketFrame, ReadsTheExamplesOfRfc6455) {
  WebSocketFrameReader from_server(WebSocketFrameReader::Peer::server);
  from_server.add(from_hex("810548656c6c6f").value());
  EXPECT_EQ(from_server.next().value()->payload, "Hello");
  WebSocketFrameReader from_client(WebSocketFrameReader::Peer::client);
  from_client.add(from_hex("818537fa213d7f9f4d5158").value());
  EXPECT_EQ(from_client.next().value()->payload, "Hello");
  EXPECT_EQ(websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocketFrame, EverySizeComesBackWhateverTheCuts) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{125}, size_t{126}, size_t{65535}, size_t{65536}}) {
    const std::string payload(size, 'p');
    const std::string bytes = encode_frame({.opcode = Opcode::text, .last = false, .payload = payload}, 0x12345678);
    WebSocketFrameReader reader(WebSocketFrameReader::Peer::client);
    const size_t step = size < 200 ? 1 : 997;
    for (size_t at = 0; at < bytes.size(); at += step) {
      EXPECT_FALSE(reader.next().value().has_value());
      reader.add(std::string_view(bytes).substr(at, step));
    }
    const auto frame = reader.next().value();
    ASSERT_TRUE(frame.has_value()) << size;
    EXPECT_EQ(frame->payload, payload);
    EXPECT_FALSE(frame->last);
  }
}

TEST(WebSocketFrame, RefusesWhatBreaksTheProtocol) {
  const auto verdict = [](const char* hex) {
    WebSocketFrameReader reader(WebSocketFrameReader::Peer::server, 1000);
    reader.add(from_hex(hex).value());
    const auto frame = reader.next();
    return frame.ok() ? ErrorCode::internal : frame.error().code();
  };
  EXPECT_EQ(verdict("c100"), ErrorCode::corrupt);      // a reserved bit
  EXPECT_EQ(verdict("8300"), ErrorCode::corrupt);      // an unknown opcode
  EXPECT_EQ(verdict("8180"), ErrorCode::corrupt);      // a server that masks
  EXPECT_EQ(verdict("0900"), ErrorCode::corrupt);      // a ping that is cut
  EXPECT_EQ(verdict("897e0080"), ErrorCode::corrupt);  // a ping that is too long
  EXPECT_EQ(verdict("817e0400"), ErrorCode::exhausted);
  EXPECT_EQ(verdict("817fffffffffffffffff"), ErrorCode::exhausted);
}

}  // namespace
}  // namespace holdfast::net

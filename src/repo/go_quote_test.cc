#include "repo/go_quote.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/file.h"
#include "base/text.h"
#include "crypto/sha256.h"

namespace holdfast::repo {
namespace {

/// Every rune, then every pair of bytes: the texts of tools/go_tables digest.
void for_each_text(const std::function<void(const std::string&)>& use) {
  for (char32_t rune = 0; rune <= 0x10ffff; ++rune) {
    if (rune >= 0xd800 && rune < 0xe000) continue;
    std::string text;
    append_utf8(text, rune);
    use(text);
  }
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) use({static_cast<char>(a), static_cast<char>(b)});
  }
}

std::string json_of(std::string_view text, GoRelease release) {
  std::string out;
  append_go_json(out, text, release);
  return out;
}

TEST(GoQuote, EveryRuneAndBytePairIsSpelledAsGoSpellsIt) {
  crypto::Sha256 quoted, encoded;
  for_each_text([&](const std::string& text) {
    const std::string quote = go_quote(text, GoRelease::go1_26);
    quoted.update(quote + "\n");
    encoded.update(json_of(quote, GoRelease::go1_26) + "\n");
    encoded.update(json_of(text, GoRelease::go1_26) + "\n");
  });
  const std::string golden = *read_file(HOLDFAST_SOURCE_DIR "/tests/fixtures/restic/go_quote.digests");
  EXPECT_EQ("quote " + to_hex(quoted.finish()) + "\njson " + to_hex(encoded.finish()) + "\n", golden);
}

TEST(GoQuote, UnquoteUndoesQuoteForBothReleases) {
  for_each_text([&](const std::string& text) {
    for (const GoRelease release : {GoRelease::go1_19, GoRelease::go1_26}) {
      const Result<std::string> back = go_unquote(go_quote(text, release));
      if (!back || *back != text) FAIL() << to_hex(as_bytes(text));
    }
  });
}

TEST(GoQuote, ReleasesDifferInNewRunesAndInShortEscapes) {
  EXPECT_TRUE(go_is_printable(0x1fae8, GoRelease::go1_26));  // shaking face: Unicode 15
  EXPECT_FALSE(go_is_printable(0x1fae8, GoRelease::go1_19));
  EXPECT_TRUE(go_is_printable(0x1f9ff, GoRelease::go1_19));
  EXPECT_EQ(go_quote("\U0001fae8", GoRelease::go1_19), "\\U0001fae8");
  EXPECT_EQ(json_of("\b\f\x01", GoRelease::go1_19), R"("\u0008\u000c\u0001")");
  EXPECT_EQ(json_of("\b\f\x01", GoRelease::go1_26), R"("\b\f\u0001")");
}

TEST(GoQuote, OddTextsAsResticStoresThem) {
  EXPECT_EQ(go_quote("we\"ird<&>\\ \xc3\xa9\x01\xff", GoRelease::go1_26), "we\\\"ird<&>\\\\ \xc3\xa9\\x01\\xff");
  EXPECT_EQ(go_quote("\xc2\xa0", GoRelease::go1_26), "\\u00a0");
  EXPECT_EQ(go_quote("\x7f\xef\xbf\xbd", GoRelease::go1_26), "\\x7f\xef\xbf\xbd");
}

TEST(GoQuote, UnquoteTakesWhatGoTakesAndNothingElse) {
  EXPECT_EQ(*go_unquote("\\101\\x41\\u00e9\\U0001f600"), "AA\xc3\xa9\xf0\x9f\x98\x80");
  for (const char* wrong : {"\\", "\\q", "\\'", "\\x4", "\\xg0", "\\400", "\\08", "\\ud800", "\\U00110000", "a\"b",
                            "a\nb", "\\u12", "\\U0000"}) {
    const Result<std::string> back = go_unquote(wrong);
    EXPECT_TRUE(back.is(ErrorCode::invalid)) << wrong;
  }
}

}  // namespace
}  // namespace holdfast::repo

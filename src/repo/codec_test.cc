// The small codecs: packs, index files, keys, config, compression, snapshots.
#include <gtest/gtest.h>

#include "base/text.h"
#include "repo/index.h"
#include "repo/index_file.h"
#include "repo/key.h"
#include "repo/test_repository.h"
#include "repo/unpacked.h"

namespace holdfast::repo {
namespace {

using testing::noise;

BlobHandle blob_named(const std::string& name, BlobType type = BlobType::data) {
  return {type, Id::of(name)};
}

PackBuilder::Finished pack_of(const crypto::EnvelopeKey& key, int count) {
  PackBuilder builder(1000);
  for (int i = 0; i < count; ++i) {
    const std::string plain = noise(static_cast<size_t>(i % 50), static_cast<uint64_t>(i));
    std::string sealed;
    crypto::seal_to(key, as_bytes(plain), sealed);
    builder.add(blob_named(std::to_string(i), i % 2 == 0 ? BlobType::data : BlobType::tree), sealed,
                i % 3 == 0 ? 0 : 1000u + static_cast<uint32_t>(i));
  }
  return std::move(builder).finish(key);
}

TEST(Pack, HeaderReadsBackForFewAndManyBlobs) {
  const crypto::EnvelopeKey key = crypto::EnvelopeKey::generate();
  for (const int count : {1, 14, 15, 16, 17, 400}) {
    const PackBuilder::Finished pack = pack_of(key, count);
    EXPECT_EQ(pack.contents.pack, Id::of(pack.bytes));
    EXPECT_EQ(pack_size_of(pack.contents.blobs), pack.bytes.size());
    int reads = 0;
    const auto read = [&](uint64_t offset, uint64_t length) -> Result<std::string> {
      ++reads;
      return pack.bytes.substr(offset, length);
    };
    EXPECT_EQ(read_pack_header(key, pack.bytes.size(), read).value(), pack.contents.blobs) << count;
    EXPECT_LE(reads, 2);
  }
}

TEST(Pack, EveryTruncationAndFlipOfTheHeaderIsCorrupt) {
  const crypto::EnvelopeKey key = crypto::EnvelopeKey::generate();
  const PackBuilder::Finished pack = pack_of(key, 5);
  const auto read_of = [&](std::string bytes) {
    const uint64_t size = bytes.size();
    return read_pack_header(key, size,
                            [bytes = std::move(bytes)](uint64_t offset, uint64_t length) -> Result<std::string> {
                              return bytes.substr(offset, length);
                            });
  };
  for (size_t size = 0; size < pack.bytes.size(); ++size) {
    EXPECT_TRUE(read_of(pack.bytes.substr(0, size)).is(ErrorCode::corrupt)) << size;
  }
  const uint64_t header_at = pack.bytes.size() - 4 - 32 - encode_pack_header(pack.contents.blobs).size();
  for (size_t at = header_at; at < pack.bytes.size(); ++at) {
    std::string bytes = pack.bytes;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x80);
    EXPECT_TRUE(read_of(bytes).is(ErrorCode::corrupt)) << at;
  }
}

TEST(Pack, HeaderLayoutIsTheDocumentedOne) {
  const Id id = Id::parse(std::string(64, 'a')).value();
  const std::vector<PackedBlob> blobs = {{{BlobType::data, id}, 0, 0x01020304, 0},
                                         {{BlobType::tree, id}, 0x01020304, 100, 0x0a0b0c0d}};
  const std::string hex = to_hex(as_bytes(encode_pack_header(blobs)));
  EXPECT_EQ(hex, "0004030201" + std::string(64, 'a') + "03640000000d0c0b0a" + std::string(64, 'a'));
  EXPECT_EQ(decode_pack_header(from_hex(hex).value(), 0x01020304 + 100).value(), blobs);
  EXPECT_TRUE(decode_pack_header(from_hex("04" + hex.substr(2)).value(), 0x01020304 + 100).is(ErrorCode::corrupt));
  EXPECT_TRUE(decode_pack_header(from_hex(hex).value(), 5).is(ErrorCode::corrupt));
}

TEST(IndexFile, IsSpelledAsResticSpellsIt) {
  const std::string a(64, 'a'), b(64, 'b');
  const std::string text = R"({"packs":[{"id":")" + a + R"(","blobs":[{"id":")" + b +
                           R"(","type":"data","offset":0,"length":150},{"id":")" + a +
                           R"(","type":"tree","offset":150,"length":100,"uncompressed_length":200}]}]})" + "\n";
  EXPECT_EQ(encode_index(decode_index(text).value()), text);
  EXPECT_EQ(encode_index({}), "{\"packs\":[]}\n");
}

TEST(IndexFile, ToleratesWhatOthersAddAndRefusesNonsense) {
  const std::string a(64, 'a');
  EXPECT_EQ(decode_index(R"({"supersedes":[")" + a + R"("],"packs":[{"id":")" + a +
                         R"(","time":"x","size":5,"blobs":[]}],"packs_to_delete":[{"id":")" + a + R"("}]})")
                .value()
                .size(),
            1u);
  for (const std::string& wrong :
       {std::string("[]"), std::string("{}"), std::string("{\"packs\":[{\"id\":\"zz\"}]}"),
        R"({"packs":[{"id":")" + a + R"(","blobs":[{"id":")" + a + R"(","type":"leaf","offset":0,"length":99}]}]})",
        R"({"packs":[{"id":")" + a + R"(","blobs":[{"id":")" + a + R"(","type":"data","offset":-1,"length":99}]}]})",
        R"({"packs":[{"id":")" + a + R"(","blobs":[{"id":")" + a + R"(","type":"data","offset":0,"length":9}]}]})",
        R"({"packs":[{"id":")" + a + R"(","blobs":[{"id":")" + a +
            R"(","type":"data","offset":0,"length":99999999999}]}]})"}) {
    EXPECT_TRUE(decode_index(wrong).is(ErrorCode::invalid)) << wrong;
  }
}

TEST(Index, FindsEveryCopyAfterManyAdditions) {
  Index index;
  std::map<BlobHandle, std::vector<BlobLocation>> naive;
  for (int p = 0; p < 300; ++p) {
    PackContents pack{Id::of("pack " + std::to_string(p)), {}};
    uint32_t offset = 0;
    for (int i = 0; i < 20; ++i) {
      const BlobHandle blob =
          blob_named(std::to_string((p * 31 + i * 7) % 2500), p % 4 == 0 ? BlobType::tree : BlobType::data);
      pack.blobs.push_back({blob, offset, 100, 0});
      naive[blob].push_back({pack.pack, offset, 100, 0});
      offset += 100;
    }
    index.add({pack});
    if (p % 10 == 0) index.add({pack});  // listed twice: counted once
  }
  EXPECT_EQ(index.size(), 6000u);
  EXPECT_EQ(index.pack_count(), 300u);
  EXPECT_LE(index.entry_bytes(), 48 * index.size());
  for (auto& [blob, places] : naive) {
    std::vector<BlobLocation> found = index.find(blob);
    std::sort(found.begin(), found.end());
    std::sort(places.begin(), places.end());
    ASSERT_EQ(found, places);
  }
  EXPECT_FALSE(index.contains(blob_named("unknown")));
  size_t grouped = 0;
  for (const PackContents& pack : index.by_pack()) grouped += pack.blobs.size();
  EXPECT_EQ(grouped, 6000u);
}

TEST(Compress, RoundTripsInEveryMode) {
  for (const char* name : {"auto", "off", "fastest", "better", "max"}) {
    const Compression mode = parse_compression(name).value();
    EXPECT_EQ(to_string(mode), name);
    for (const std::string& plain : {std::string(), std::string("x"), std::string(3 << 20, 'a'), noise(100000, 5)}) {
      std::string frame = "before";
      compress_to(plain, mode, frame);
      EXPECT_EQ(decompress(std::string_view(frame).substr(6), plain.size()).value(), plain);
    }
  }
  EXPECT_TRUE(parse_compression("best").is(ErrorCode::invalid));
}

TEST(Compress, RefusesBombsTruncationsAndTrailingBytes) {
  std::string frame;
  compress_to(std::string(10 << 20, 'a'), Compression::max, frame);
  EXPECT_TRUE(decompress(frame, 1 << 20).is(ErrorCode::exhausted));
  EXPECT_TRUE(decompress(frame + "x", 10 << 20).is(ErrorCode::corrupt));
  for (size_t size = 0; size < frame.size(); size += 1 + frame.size() / 100) {
    EXPECT_TRUE(decompress(std::string_view(frame).substr(0, size), 10 << 20).is(ErrorCode::corrupt)) << size;
  }
  // A frame of 13 bytes that announces 2^60.
  const std::string liar = from_hex("28b52ffde000000000000000100100000000").value();
  EXPECT_FALSE(decompress(liar, uint64_t{1} << 61).ok());
}

TEST(KeyFile, OpensWithItsPasswordOnly) {
  const crypto::EnvelopeKey master = crypto::EnvelopeKey::generate();
  const KeyFile key =
      make_key_file(master, crypto::Secret::of("secret"), {16, 1, 1}, {"user", "host"}, system_clock().now()).value();
  const KeyFile again = decode_key_file(encode_key_file(key)).value();
  EXPECT_EQ(again.cost, key.cost);
  const crypto::EnvelopeKey opened = open_key_file(again, crypto::Secret::of("secret")).value();
  EXPECT_TRUE(std::ranges::equal(opened.encrypt(), master.encrypt()));
  EXPECT_TRUE(std::ranges::equal(opened.mac_k(), master.mac_k()));
  EXPECT_TRUE(std::ranges::equal(opened.mac_r(), master.mac_r()));
  EXPECT_TRUE(open_key_file(again, crypto::Secret::of("Secret")).is(ErrorCode::denied));
  EXPECT_TRUE(make_key_file(master, {}, {16, 1, 1}, {}, {}).is(ErrorCode::invalid));
}

TEST(KeyFile, RefusesFieldsThatCannotBe) {
  const crypto::EnvelopeKey master = crypto::EnvelopeKey::generate();
  const std::string good = encode_key_file(
      make_key_file(master, crypto::Secret::of("s"), {16, 1, 1}, {"user", "host"}, system_clock().now()).value());
  const auto with = [&](std::string_view name, json::value value) {
    json::object object = json::parse_object(good).value();
    object[name] = std::move(value);
    return decode_key_file(json::compact(object));
  };
  EXPECT_TRUE(with("kdf", "argon2").is(ErrorCode::unsupported));
  EXPECT_TRUE(with("N", -1).is(ErrorCode::invalid));
  EXPECT_TRUE(with("r", 0).is(ErrorCode::invalid));
  EXPECT_TRUE(with("salt", "AAAA").is(ErrorCode::invalid));
  EXPECT_TRUE(with("data", "!").is(ErrorCode::invalid));
  EXPECT_TRUE(with("created", "yesterday").is(ErrorCode::invalid));
}

TEST(Config, KeepsUnknownFieldsAndRefusesForeignVersions) {
  const std::string text =
      R"({"version":2,"id":")" + std::string(64, '1') + R"(","chunker_polynomial":"3da3358b4dc173","is_hot":true})";
  EXPECT_EQ(encode_config(decode_config(text).value()), text);
  EXPECT_TRUE(decode_config(R"({"version":3})").is(ErrorCode::unsupported));
  EXPECT_TRUE(decode_config(R"({"version":2,"id":"1"})").is(ErrorCode::invalid));
  EXPECT_TRUE(decode_config(R"({"version":2,"id":")" + std::string(64, '1') + R"(","chunker_polynomial":"8"})")
                  .is(ErrorCode::invalid));
}

TEST(Unpacked, KnowsBothEncodings) {
  for (const unsigned version : {1u, 2u}) {
    const std::string text = R"({"a":1})";
    EXPECT_EQ(decode_unpacked(encode_unpacked(text, version, Compression::automatic)).value(), text);
  }
  EXPECT_TRUE(decode_unpacked("\x03x").is(ErrorCode::unsupported));
  EXPECT_TRUE(decode_unpacked("").is(ErrorCode::corrupt));
  EXPECT_TRUE(decode_unpacked("\x02nothing").is(ErrorCode::corrupt));
}

TEST(Snapshot, KeepsFieldsOfOthersAndTheirOrder) {
  const std::string tree(64, 'a');
  const std::string text = R"({"time":"2026-01-02T03:04:05.006-05:00","tree":")" + tree +
                           R"(","paths":["/data"],"hostname":"h","username":"u","uid":5,"gid":6,"excludes":["*.o"],)"
                           R"("tags":["a"],"original":")" +
                           tree +
                           R"(","program_version":"rustic 0.11",)"
                           R"("label":"x","delete":"NotSet"})";
  EXPECT_EQ(encode_snapshot(decode_snapshot(text).value()), text);
  EXPECT_TRUE(decode_snapshot(R"({"time":"x"})").is(ErrorCode::invalid));
  EXPECT_TRUE(decode_snapshot(R"({"time":"2026-01-02T03:04:05Z","tree":"1"})").is(ErrorCode::invalid));
}

TEST(Snapshot, IsFoundByPrefixAndFilter) {
  std::vector<Snapshot> all;
  for (int i = 0; i < 6; ++i) {
    Snapshot snapshot = testing::snapshot_of({}, i % 2 == 0 ? "even" : "odd");
    snapshot.time = RecordTime::at(Time(std::chrono::seconds(1'790'000'000 + i)));
    snapshot.id = Id::of(std::to_string(i));
    if (i > 3) snapshot.tags = {"t", "u"};
    all.push_back(snapshot);
  }
  EXPECT_EQ(find_snapshot(all, "latest").value().id, all[5].id);
  EXPECT_EQ(find_snapshot(all, "latest", {.hosts = {"even"}}).value().id, all[4].id);
  EXPECT_EQ(find_snapshot(all, "latest", {.hosts = {"even"}, .tags = {{}}}).value().id, all[2].id);
  EXPECT_EQ(find_snapshot(all, "latest", {.tags = {{"t", "x"}, {"u"}}}).value().id, all[5].id);
  EXPECT_EQ(find_snapshot(all, "latest", {.not_after = all[1].time.instant}).value().id, all[1].id);
  EXPECT_EQ(find_snapshot(all, all[3].id.hex().substr(0, 10)).value().id, all[3].id);
  EXPECT_TRUE(find_snapshot(all, "latest", {.paths = {"/other"}}).is(ErrorCode::not_found));
  EXPECT_TRUE(find_snapshot(all, "zz").is(ErrorCode::not_found));
  all[1].id = all[0].id;
  EXPECT_TRUE(find_snapshot(all, all[0].id.hex()).is(ErrorCode::invalid));
}

}  // namespace
}  // namespace holdfast::repo

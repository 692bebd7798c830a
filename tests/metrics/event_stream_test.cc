#include "metrics/event_stream.h"

#include <gtest/gtest.h>

#include <random>

#include "metrics/observation.h"
#include "wire_samples.h"

namespace understudy::metrics {
namespace {

using test::corpus;

std::vector<Frame> all_frames(std::string_view bytes) {
  std::vector<Frame> frames;
  while (!bytes.empty()) {
    const DecodedFrame decoded = decode_frame(bytes);
    if (decoded.status != FrameStatus::ok) break;
    frames.push_back(decoded.frame);
    bytes.remove_prefix(decoded.frame.size);
  }
  return frames;
}

TEST(Crc32, IsTheOneOfZlib) {
  EXPECT_EQ(crc32("123456789"), 0xCBF43926u);
  EXPECT_EQ(crc32(""), 0u);
  EXPECT_EQ(crc32("The quick brown fox jumps over the lazy dog"), 0x414FA339u);
}

TEST(Crc32, CanBeContinuedAtAnyPlace) {
  const std::string text = "The quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(crc32(text.substr(cut), crc32(text.substr(0, cut))), 0x414FA339u) << cut;
  }
}

TEST(DecodeFrame, ReadsTheWorkedExample) {
  const std::string bytes = corpus("frames/minimal-messageStart.bin");
  const DecodedFrame decoded = decode_frame(bytes);
  ASSERT_EQ(decoded.status, FrameStatus::ok);
  EXPECT_EQ(decoded.frame.size, 118u);
  EXPECT_EQ(decoded.frame.message_type, "event");
  EXPECT_EQ(decoded.frame.event_type, "messageStart");
  EXPECT_EQ(decoded.frame.content_type, "application/json");
  EXPECT_EQ(decoded.frame.payload, R"({"role":"assistant"})");
}

TEST(DecodeFrame, ReadsEveryRecordedStreamToItsEnd) {
  for (const auto& [name, count] :
       std::vector<std::pair<std::string, std::size_t>>{{"converse-stream-text", 6},
                                                        {"invoke-stream-anthropic", 6},
                                                        {"invoke-stream-nova", 5},
                                                        {"event-unknown", 2},
                                                        {"all-header-types", 1},
                                                        {"bidirectional-client-signed", 3}}) {
    const std::string bytes = corpus("frames/" + name + ".bin");
    const auto frames = all_frames(bytes);
    EXPECT_EQ(frames.size(), count) << name;
    std::size_t size = 0;
    for (const Frame& frame : frames) size += frame.size;
    EXPECT_EQ(size, bytes.size()) << name;
  }
}

TEST(DecodeFrame, NamesExceptionsAndErrors) {
  const std::string exception = corpus("frames/exception-throttlingException.bin");
  EXPECT_EQ(decode_frame(exception).frame.message_type, "exception");
  EXPECT_EQ(decode_frame(exception).frame.event_type, "throttlingException");
  const std::string error = corpus("frames/error-unmodelled.bin");
  EXPECT_EQ(decode_frame(error).frame.message_type, "error");
  EXPECT_EQ(decode_frame(error).frame.event_type, "InternalError");
  EXPECT_EQ(decode_frame(error).frame.error_message, "An internal server error occurred");
}

TEST(DecodeFrame, AsksForMoreAtEveryPrefixOfAFrame) {
  const std::string bytes = corpus("frames/minimal-messageStart.bin");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_frame(std::string_view{bytes}.substr(0, size)).status, FrameStatus::incomplete)
        << size;
  }
}

TEST(DecodeFrame, RefusesBadChecksums) {
  EXPECT_EQ(decode_frame(corpus("frames/invalid-message-crc.bin")).status, FrameStatus::malformed);
  EXPECT_EQ(decode_frame(corpus("frames/invalid-prelude-crc.bin")).status, FrameStatus::malformed);
}

TEST(DecodeFrame, NoticesEveryFlippedBit) {
  const std::string good = corpus("frames/minimal-messageStart.bin");
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(decode_frame(bad).status, FrameStatus::ok) << bit;
  }
}

std::string prelude(std::uint32_t total, std::uint32_t headers) {
  const std::string lengths = test::big_endian(total, 4) + test::big_endian(headers, 4);
  return lengths + test::big_endian(crc32(lengths), 4);
}

TEST(ReadPrelude, RefusesLengthsThatCannotBe) {
  EXPECT_TRUE(read_prelude(prelude(16, 0)));
  EXPECT_FALSE(read_prelude(prelude(15, 0)));
  EXPECT_FALSE(read_prelude(prelude(0, 0)));
  EXPECT_FALSE(read_prelude(prelude(20, 5)));
  EXPECT_TRUE(read_prelude(prelude(20, 4)));
  EXPECT_FALSE(read_prelude(prelude(0xFFFFFFFF, 0)));
  EXPECT_FALSE(read_prelude(prelude(0xFFFFFFFF, 0xFFFFFFFF)));
  EXPECT_FALSE(read_prelude(prelude(16 + (128u << 10) + 1, (128u << 10) + 1)));
  EXPECT_TRUE(read_prelude(prelude(16 + (24u << 20), 0)));
  EXPECT_FALSE(read_prelude(prelude(17 + (24u << 20), 0)));
  EXPECT_FALSE(read_prelude("short"));
}

TEST(DecodeFrame, RefusesHeadersThatRunOverTheirEnd) {
  for (const std::string& headers :
       {std::string{"\x05:ab", 4}, std::string{"\x01t\x0b", 3},
        std::string{"\x01t\x07\x00\x09x", 6}, std::string{"\x01t\x05\x00\x00", 5},
        std::string{"\x00\x07\x00\x00", 4}, std::string{"\x01t", 2},
        std::string{"\x01t\x07\x00", 4}}) {
    EXPECT_EQ(decode_frame(test::frame_of(headers, "{}")).status, FrameStatus::malformed)
        << testing::PrintToString(headers);
  }
}

TEST(DecodeFrame, SurvivesRandomBytes) {
  std::mt19937 random{20261120};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (round % 2 == 0 && bytes.size() > 24) {
      // A true prelude and checksum, so that the headers are reached.
      bytes = test::frame_of(bytes.substr(0, bytes.size() / 2), bytes.substr(bytes.size() / 2));
    }
    const DecodedFrame decoded = decode_frame(bytes);
    if (decoded.status == FrameStatus::ok) {
      EXPECT_LE(decoded.frame.size, bytes.size());
    }
  }
}

TEST(Labels, AreTheEnumeratorsSpelling) {
  EXPECT_EQ(label(Leg::served), "served");
  EXPECT_EQ(label(Leg::control), "control");
  EXPECT_EQ(label(ErrorClass::stream_broken), "stream_broken");
  EXPECT_EQ(label(ErrorClass::client_error), "client_error");
}

}  // namespace
}  // namespace understudy::metrics

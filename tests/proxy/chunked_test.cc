#include "proxy/chunked.h"

#include <gtest/gtest.h>

#include <string>

namespace understudy::proxy {
namespace {

using State = ChunkDecoder::State;

constexpr std::size_t kMaxOverhead = 64u << 10;

struct Decoded {
  State state = State::more;
  std::string data;
  std::size_t consumed = 0;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

// Feeds the bytes in pieces of `step`.
Decoded decode(const std::string& bytes, std::size_t step) {
  ChunkDecoder decoder(kMaxOverhead);
  Decoded all;
  for (std::size_t at = 0; at < bytes.size() && all.state == State::more; at += step) {
    // A copy of its own size, so that the sanitizer sees any read behind it.
    const std::string piece = bytes.substr(at, step);
    std::string_view rest = piece;
    while (!rest.empty() && all.state == State::more) {
      const auto part = decoder.next(rest);
      all.state = part.state;
      all.data += part.data;
      all.consumed += part.consumed;
      rest.remove_prefix(part.consumed);
    }
  }
  return all;
}

Decoded decode_in_every_way(const std::string& bytes) {
  const Decoded whole = decode(bytes, bytes.size() + 1);
  for (std::size_t step = 1; step <= std::min<std::size_t>(bytes.size(), 40); ++step)
    EXPECT_EQ(decode(bytes, step), whole) << "in steps of " << step;
  return whole;
}

TEST(ChunkDecoder, DecodesTheSameHoweverTheBytesCome) {
  const struct {
    std::string bytes, data;
  } rows[] = {{"0\r\n\r\n", ""},
              {"3\r\nabc\r\n0\r\n\r\n", "abc"},
              {"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"},
              {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
              {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
              {"00003\r\nabc\r\n000\r\n\r\n", "abc"},
              {"3;name=value;x=\"y z\"\r\nabc\r\n0;last\r\n\r\n", "abc"},
              {"3 \t\r\nabc\r\n0\r\n\r\n", "abc"},
              {"3 \t;x\r\nabc\r\n0 ;y z\r\n\r\n", "abc"},
              {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"},
              {"3\r\nabc\r\n0\r\nTrailer: a\r\nOther: b\r\n\r\n", "abc"}};
  for (const auto& row : rows) {
    const Decoded got = decode_in_every_way(row.bytes + "NEXT");
    EXPECT_EQ(got.state, State::done) << row.bytes;
    EXPECT_EQ(got.data, row.data) << row.bytes;
    EXPECT_EQ(got.consumed, row.bytes.size()) << "what follows belongs to the next message";
  }
}

TEST(ChunkDecoder, WaitsForMore) {
  const std::string whole = "3;x\r\nabc\r\n0\r\nT: a\r\n\r\n";
  for (std::size_t size = 1; size < whole.size(); ++size)
    EXPECT_EQ(decode(whole.substr(0, size), 1).state, State::more) << size;
}

TEST(ChunkDecoder, RefusesWhatIsMalformed) {
  using namespace std::string_literals;
  for (const std::string& bytes : {"\r\n"s,
                                   "g\r\n"s,
                                   "-1\r\n"s,
                                   "+1\r\n"s,
                                   "0x1\r\n"s,
                                   " 1\r\n"s,
                                   ";x\r\n"s,
                                   "5 junk\r\n"s,
                                   "1 1\r\n"s,
                                   "1\t\tx;y\r\n"s,
                                   "1 \n"s,
                                   "0 x\r\n"s,
                                   "1\nabc"s,
                                   "1\r\nab"s,
                                   "1\r\na\n"s,
                                   "1\r\na\rb"s,
                                   "1\r\rn"s,
                                   "1;\0\r\n"s,
                                   "1;a\nb\r\n"s,
                                   "1;\x7f\r\n"s,
                                   "1234567890123\r\n"s,
                                   "0000000000000\r\n"s,
                                   "0\r\n\ra"s,
                                   "0\r\na\nb"s,
                                   "0\r\na: \0"s,
                                   "0\r\na\r\r"s}) {
    EXPECT_EQ(decode_in_every_way(bytes).state, State::malformed) << bytes;
  }
}

TEST(ChunkDecoder, StaysDone) {
  ChunkDecoder decoder(kMaxOverhead);
  EXPECT_EQ(decoder.next("0\r\n\r\n").state, State::done);
  const auto after = decoder.next("3\r\nabc\r\n");
  EXPECT_EQ(after.state, State::done);
  EXPECT_EQ(after.consumed, 0U);
}

TEST(ChunkDecoder, BoundsWhatIsSpentOnFraming) {
  std::string tiny;
  for (int i = 0; i < 2000; ++i) tiny += "1;" + std::string(100, 'x') + "\r\na\r\n";
  EXPECT_EQ(decode(tiny, 4096).state, State::too_much_framing);
  EXPECT_EQ(decode(tiny, 1).state, State::too_much_framing);

  const std::string extension = "1;" + std::string(100'000, 'x');
  EXPECT_EQ(decode(extension, 4096).state, State::too_much_framing);

  std::string trailers = "0\r\n";
  for (int i = 0; i < 10'000; ++i) trailers += "name: value\r\n";
  EXPECT_EQ(decode(trailers, 4096).state, State::too_much_framing);
}

TEST(ChunkDecoder, AllowsSmallChunksOfALargeBody) {
  // Token by token, as some servers stream: 100 bytes of data for 8 of framing.
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += "64\r\n" + std::string(100, 'a') + "\r\n";
  const Decoded got = decode(bytes + "0\r\n\r\n", 65'536);
  EXPECT_EQ(got.state, State::done);
  EXPECT_EQ(got.data.size(), 10'000'000U);
}

}  // namespace
}  // namespace understudy::proxy

#include "metrics/sse.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace understudy::metrics {
namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

Events decode(std::string_view bytes, std::size_t piece = std::string::npos) {
  SseDecoder decoder;
  Events events;
  const std::size_t all = bytes.size();
  while (!bytes.empty()) {
    std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    while (const auto event = decoder.next(part)) events.emplace_back(event->type, event->data);
    EXPECT_TRUE(part.empty());
  }
  EXPECT_EQ(decoder.taken(), all);
  return events;
}

TEST(Sse, GivesTypeAndData) {
  EXPECT_EQ(decode("event: message_stop\ndata: {\"a\":1}\n\n"),
            (Events{{"message_stop", "{\"a\":1}"}}));
  EXPECT_EQ(decode("data: one\n\ndata: two\n\n"), (Events{{"", "one"}, {"", "two"}}));
}

TEST(Sse, EndsLinesInAllThreeWays) {
  const Events wanted{{"a", "1"}, {"", "2"}};
  EXPECT_EQ(decode("event: a\ndata: 1\n\ndata: 2\n\n"), wanted);
  EXPECT_EQ(decode("event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n"), wanted);
  EXPECT_EQ(decode("event: a\rdata: 1\r\rdata: 2\r\r"), wanted);
  EXPECT_EQ(decode("event: a\r\ndata: 1\n\r\ndata: 2\r\n\n"), wanted);
}

TEST(Sse, ReadsFieldsAsTheStandardSays) {
  // The examples of the standard's own section 9.2.6, and its corners.
  EXPECT_EQ(decode("data: YHOO\ndata: +2\ndata: 10\n\n"), (Events{{"", "YHOO\n+2\n10"}}));
  EXPECT_EQ(decode(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
                   "data:  third event\n"),
            (Events{{"", "first event"}, {"", "second event"}}));
  EXPECT_EQ(decode("data\n\ndata\ndata\n\ndata:"), (Events{{"", ""}, {"", "\n"}}));
  EXPECT_EQ(decode("data:test\n\ndata: test\n\n"), (Events{{"", "test"}, {"", "test"}}));
  EXPECT_EQ(decode("event: lost\n\ndata: x\n\n"), (Events{{"", "x"}}));
  EXPECT_EQ(decode("event: a\nevent: b\nretry: 10\nother: z\ndata: x\n\n"), (Events{{"b", "x"}}));
  EXPECT_EQ(decode("\xef\xbb\xbf"
                   "data: x\n\n\xef\xbb\xbf"
                   "data: no\n\n"),
            (Events{{"", "x"}}));
  EXPECT_EQ(decode(""), Events{});
  EXPECT_EQ(decode("data: unfinished"), Events{});
  EXPECT_EQ(decode("data: unfinished\n"), Events{});
}

TEST(Sse, GivesTheSameEventsHoweverTheBytesAreSplit) {
  const std::string alphabet[] = {"data: x", "data", "event: a",     ":", "\n", "\r", "\r\n",
                                  "\n\n",    " ",    "\xef\xbb\xbf", "z"};
  std::mt19937 random{7};
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 30; ++i) bytes += alphabet[random() % std::size(alphabet)];
    const Events whole = decode(bytes);
    for (const std::size_t piece : {1u, 2u, 3u, 7u}) {
      ASSERT_EQ(decode(bytes, piece), whole) << piece << testing::PrintToString(bytes);
    }
  }
}

TEST(Sse, BreaksOffAtAnEventBeyondItsLimit) {
  const auto given = [](std::string_view bytes) {
    SseDecoder decoder{16};
    int events = 0;
    while (decoder.next(bytes)) ++events;
    EXPECT_TRUE(bytes.empty());
    return std::pair{events, decoder.failed()};
  };
  EXPECT_EQ(given("data: 123456\n\ndata: 123456\n\n"), std::pair(2, false));
  EXPECT_EQ(given("data: 1\n\ndata: " + std::string(17, 'x') + "\n\ndata: 1\n\n"),
            std::pair(1, true));
  EXPECT_EQ(given("data: 1234567\ndata: 1234567\ndata: 1234567\n\n"), std::pair(0, true));
  EXPECT_EQ(given(std::string(1000, 'x')), std::pair(0, true));
}

TEST(Sse, CutsAnEventsTypeShort) {
  EXPECT_EQ(decode("event: " + std::string(500, 'x') + "\ndata: 1\n\n")[0].first.size(),
            SseDecoder::kMaxType);
}

}  // namespace
}  // namespace understudy::metrics

#include "metrics/response_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "wire_samples.h"

namespace understudy::metrics {
namespace {

using test::corpus;
using test::Reading;
using namespace std::chrono_literals;

std::string numbered(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

void expect_same(const CapturedAnswer& whole, const CapturedAnswer& pieces,
                 const std::string& how) {
  EXPECT_EQ(whole.body_bytes, pieces.body_bytes) << how;
  EXPECT_EQ(whole.beginning_text(), pieces.beginning_text()) << how;
  EXPECT_EQ(whole.tail_text(), pieces.tail_text()) << how;
  EXPECT_EQ(whole.tail_offset, pieces.tail_offset) << how;
  EXPECT_EQ(whole.malformed_frames, pieces.malformed_frames) << how;
  EXPECT_EQ(whole.frame_count, pieces.frame_count) << how;
  const auto offsets = [](const std::vector<FrameMark>& marks) {
    std::vector<std::uint64_t> all;
    for (const FrameMark& mark : marks) all.push_back(mark.offset);
    return all;
  };
  EXPECT_EQ(offsets(whole.first_frames), offsets(pieces.first_frames)) << how;
  EXPECT_EQ(offsets(whole.last_frames), offsets(pieces.last_frames)) << how;
}

TEST(ResponseReader, KeepsStatusContentTypeAndAmazonFieldsOnly) {
  Reading reading;
  reading.head(429, {{"Content-Type", "application/json"},
                     {"Set-Cookie", "secret"},
                     {"X-Amzn-RequestId", "r-1"},
                     {"x-amzn-ErrorType", "ThrottlingException:http://x/"},
                     {"Authorization", "secret"},
                     {"X-Amzn-Forged", "a\nx-amzn-requestid: r-2"}});
  const CapturedAnswer captured = reading.finish();
  EXPECT_EQ(captured.status, 429);
  EXPECT_EQ(captured.fields,
            "content-type: application/json\nx-amzn-requestid: r-1\n"
            "x-amzn-errortype: ThrottlingException:http://x/\n");
  EXPECT_EQ(captured.form, BodyForm::whole);
}

TEST(ResponseReader, KeepsABoundedHead) {
  Reading reading;
  std::vector<std::pair<std::string, std::string>> fields;
  for (int i = 0; i < 1000; ++i) fields.emplace_back("x-amzn-field", std::string(100, 'x'));
  fields.emplace_back("Content-Type", "Application/VND.amazon.eventstream; a=b");
  reading.head(200, fields);
  const CapturedAnswer captured = reading.finish();
  EXPECT_LE(captured.fields.size(), 8u << 10);
  EXPECT_EQ(captured.form, BodyForm::event_stream);
}

TEST(ResponseReader, KeepsAWholeAnswerWithinItsBudget) {
  const std::string body = numbered(100'000);
  const CapturedAnswer captured = Reading{{.beginning_bytes = 100'000, .tail_bytes = 64}}
                                      .head(200, {})
                                      .body(body, 777)
                                      .finish();
  EXPECT_TRUE(captured.holds_all());
  EXPECT_EQ(captured.beginning_text(), body);
  EXPECT_EQ(captured.kept_bytes(), body.size());
}

TEST(ResponseReader, KeepsTheBeginningAndTheEndOfALongOne) {
  const std::string body = numbered(10'000);
  for (const std::size_t size : {101u, 163u, 164u, 165u, 228u, 229u, 1000u, 9'999u}) {
    const CapturedAnswer captured = Reading{{.beginning_bytes = 100, .tail_bytes = 64}}
                                        .head(200, {})
                                        .body(body.substr(0, size))
                                        .finish();
    EXPECT_FALSE(captured.holds_all()) << size;
    EXPECT_EQ(captured.beginning_text(), body.substr(0, 100)) << size;
    const std::string tail = captured.tail_text();
    EXPECT_GE(tail.size(), std::min<std::size_t>(64, size - 100)) << size;
    EXPECT_LE(tail.size(), 128u) << size;
    EXPECT_EQ(captured.tail_offset, size - tail.size()) << size;
    EXPECT_EQ(tail, body.substr(size - tail.size(), tail.size())) << size;
  }
}

TEST(ResponseReader, SaysThatItHoldsNotAllEvenWithoutATail) {
  const CapturedAnswer captured =
      Reading{{.beginning_bytes = 10, .tail_bytes = 0}}.head(200, {}).body("0123456789a").finish();
  EXPECT_FALSE(captured.holds_all());
  EXPECT_EQ(captured.body_bytes, 11u);
  EXPECT_EQ(captured.kept_bytes(), 10u);
}

TEST(ResponseReader, DoesNotCareHowBytesAreCut) {
  const std::string body = numbered(1'500);
  std::mt19937 random{7};
  for (int round = 0; round < 500; ++round) {
    const ResponseReader::Budget budget{.beginning_bytes = random() % 300,
                                        .tail_bytes = random() % 200};
    const std::string part = body.substr(0, random() % body.size());
    const CapturedAnswer whole = Reading{budget}.head(200, {}).body(part).finish();
    Reading pieces{budget};
    pieces.head(200, {});
    for (std::size_t at = 0; at < part.size();) {
      const std::size_t step = 1 + random() % 400;
      pieces.body(std::string_view{part}.substr(at, step));
      at += step;
    }
    expect_same(whole, pieces.finish(), "round " + std::to_string(round));
  }
}

TEST(ResponseReader, MarksFramesAtEverySplitOfARecordedStream) {
  for (const std::string name : {"converse-stream-text", "converse-stream-reasoning-tool",
                                 "invoke-stream-anthropic", "invalid-truncated"}) {
    const std::string body = corpus("frames/" + name + ".bin");
    const CapturedAnswer whole = Reading{}.stream_head().body(body).finish();
    EXPECT_GT(whole.frame_count, 0u);
    for (std::size_t cut = 1; cut < body.size(); ++cut) {
      Reading pieces;
      pieces.stream_head().body(body.substr(0, cut)).body(body.substr(cut));
      expect_same(whole, pieces.finish(), name + " at " + std::to_string(cut));
    }
    expect_same(whole, Reading{}.stream_head().body(body, 1).finish(), name + " byte-wise");
  }
}

TEST(ResponseReader, StampsAFrameWithTheArrivalOfItsLastByte) {
  const std::string one = test::event("messageStart", "{}");
  const std::string two = test::event("contentBlockDelta", "{}");
  Reading reading;
  reading.stream_head().body(one + two.substr(0, 20)).body("").body(two.substr(20));
  const CapturedAnswer captured = reading.finish();
  ASSERT_EQ(captured.first_frames.size(), 2u);
  EXPECT_EQ(captured.first_frames[0].offset, 0u);
  EXPECT_EQ(captured.first_frames[0].arrived - reading.begun(), 1ms);
  EXPECT_EQ(captured.first_frames[1].offset, one.size());
  EXPECT_EQ(captured.first_frames[1].arrived - reading.begun(), 2ms);
  EXPECT_EQ(captured.longest_gap, 1ms);
}

TEST(ResponseReader, KeepsTheFirstAndTheLastMarksOfALongStream) {
  std::string body;
  std::vector<std::uint64_t> offsets;
  for (int i = 0; i < 100; ++i) {
    offsets.push_back(body.size());
    body += test::event("contentBlockDelta", std::string(static_cast<std::size_t>(i), 'x'));
  }
  const CapturedAnswer captured = Reading{}.stream_head().body(body, 13).finish();
  EXPECT_EQ(captured.frame_count, 100u);
  ASSERT_EQ(captured.first_frames.size(), 16u);
  ASSERT_EQ(captured.last_frames.size(), 16u);
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(captured.first_frames[i].offset, offsets[i]);
    EXPECT_EQ(captured.last_frames[i].offset, offsets[84 + i]);
  }
}

TEST(ResponseReader, StopsWalkingWhereTheFramingBreaks) {
  const std::string good = test::event("messageStart", "{}");
  for (const std::string& bad :
       {corpus("frames/invalid-prelude-crc.bin"), std::string(40, '\0'), std::string(40, '\xFF')}) {
    const CapturedAnswer captured = Reading{}.stream_head().body(good + bad + good).finish();
    EXPECT_TRUE(captured.malformed_frames);
    EXPECT_EQ(captured.frame_count, 1u);
    EXPECT_EQ(captured.beginning_text(), good + bad + good) << "the bytes are kept all the same";
  }
}

TEST(ResponseReader, CallsAProperEndInsideAFrameMalformedButNotACut) {
  const std::string body = corpus("frames/invalid-truncated.bin");
  EXPECT_TRUE(Reading{}.stream_head().body(body).finish().malformed_frames);
  EXPECT_FALSE(Reading{}.stream_head().body(body).finish(AnswerEnd::cut).malformed_frames);
}

TEST(ResponseReader, DoesNotWalkBodiesThatAreNoEventStream) {
  const CapturedAnswer captured = Reading{}
                                      .head(200, {{"content-type", "application/json"}})
                                      .body(std::string(100, 'x'))
                                      .finish();
  EXPECT_FALSE(captured.malformed_frames);
  EXPECT_EQ(captured.frame_count, 0u);
}

TEST(ResponseReader, SurvivesRandomStreams) {
  std::mt19937 random{3};
  for (int round = 0; round < 2'000; ++round) {
    std::string body;
    while (body.size() < 300) {
      if (random() % 3 == 0) {
        body += static_cast<char>(random());
      } else {
        body += test::event("chunk", std::string(random() % 40, 'x'));
      }
    }
    const CapturedAnswer whole = Reading{}.stream_head().body(body).finish();
    expect_same(whole, Reading{}.stream_head().body(body, 1 + random() % 50).finish(), "random");
  }
}

}  // namespace
}  // namespace understudy::metrics

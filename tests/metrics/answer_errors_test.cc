// Answers that are errors, break off, are garbled, are no answers at all or do not fit.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/answer.h"
#include "tests/metrics/answer_reading.h"

namespace understudy::metrics {
namespace {

using routing::Operation;
using test::corpus;
using test::event;
using test::Reading;

TEST(ReadAnswer, NamesRecordedErrors) {
  struct Case {
    std::string_view name;
    ErrorClass error_class;
    std::string_view type;
  };
  for (const Case& each : std::vector<Case>{
           {"error-400-invalid-model", ErrorClass::client_error, "ValidationException"},
           {"error-400-needs-profile", ErrorClass::client_error, "ValidationException"},
           {"error-403-bad-api-key", ErrorClass::client_error, "AccessDeniedException"},
           {"error-403-bad-signature", ErrorClass::client_error, "InvalidSignatureException"},
           {"error-404-eol", ErrorClass::client_error, "ResourceNotFoundException"},
           {"error-408-model-timeout", ErrorClass::timeout, "ModelTimeoutException"},
           {"error-424-model-error", ErrorClass::server_error, "ModelErrorException"},
           {"error-429-throttling", ErrorClass::throttled, "ThrottlingException"},
           {"error-429-model-not-ready", ErrorClass::throttled, "ModelNotReadyException"},
           {"error-500", ErrorClass::server_error, "InternalServerException"},
           {"error-503", ErrorClass::server_error, "ServiceUnavailableException"}}) {
    SCOPED_TRACE(each.name);
    const Observation seen = read_recorded(Operation::converse, std::string{each.name});
    EXPECT_EQ(seen.error_class, each.error_class);
    EXPECT_EQ(seen.error_type, each.type);
    EXPECT_FALSE(seen.error_message.empty());
    EXPECT_FALSE(seen.answer.parsed);
    EXPECT_TRUE(seen.usage.missing());
  }
}

TEST(ReadAnswer, ReadsTheErrorsNameFromTheBodyWhereNoFieldHasIt) {
  Reading reading;
  reading.head(400, {}).body(R"({"__type":"com.amazon.coral#ValidationException","Message":"no"})");
  const Observation seen = read_answer(facts(Operation::converse), reading.finish());
  EXPECT_EQ(seen.error_type, "ValidationException");
  EXPECT_EQ(seen.error_message, "no");
  const Observation bare = read_answer(facts(Operation::converse),
                                       Reading{}.head(500, {}).body("<html>oops</html>").finish());
  EXPECT_EQ(bare.error_class, ErrorClass::server_error);
  EXPECT_EQ(bare.error_type, "");
}

TEST(ReadAnswer, CallsExceptionsInAStreamABrokenStream) {
  const std::string start = event("messageStart", "{}");
  for (const auto& [name, type] : std::vector<std::pair<std::string, std::string>>{
           {"exception-modelStreamErrorException", "ModelStreamErrorException"},
           {"exception-validationException", "ValidationException"},
           {"error-unmodelled", "InternalError"}}) {
    const Observation seen =
        read_events(Operation::converse_stream, start + corpus("frames/" + name + ".bin"));
    EXPECT_EQ(seen.error_class, ErrorClass::stream_broken) << name;
    EXPECT_EQ(seen.error_type, type);
    EXPECT_FALSE(seen.error_message.empty()) << name;
    EXPECT_EQ(seen.status, 200);
  }
}

TEST(ReadAnswer, CallsThrottlingWithinAStreamThrottling) {
  const Observation events =
      read_events(Operation::converse_stream,
                  event("messageStart", "{}") + corpus("frames/exception-throttlingException.bin"));
  EXPECT_EQ(events.error_class, ErrorClass::throttled);
  EXPECT_EQ(events.error_type, "ThrottlingException");
}

TEST(ReadAnswer, CallsAStreamWithoutItsLastEventBroken) {
  const std::string delta =
      event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"a"}})");
  EXPECT_EQ(read_events(Operation::converse_stream, delta).error_class, ErrorClass::stream_broken);
  EXPECT_EQ(read_events(Operation::converse_stream, "").error_class, ErrorClass::stream_broken);
  const Observation cut = read_chunks(
      {R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}})"});
  EXPECT_EQ(cut.error_class, ErrorClass::stream_broken);
  EXPECT_TRUE(cut.usage.missing());
}

TEST(ReadAnswer, CallsCutAndGarbledAnswersBroken) {
  const std::string whole = corpus("frames/converse-stream-text.bin");
  const AttemptFacts stream = facts(Operation::converse_stream);
  EXPECT_EQ(
      read_answer(stream, Reading{}.stream_head().body(whole).finish(AnswerEnd::cut)).error_class,
      ErrorClass::stream_broken);
  for (const std::string name :
       {"invalid-prelude-crc", "invalid-message-crc", "invalid-truncated"}) {
    const Observation seen =
        read_events(Operation::converse_stream, whole + corpus("frames/" + name + ".bin"));
    EXPECT_EQ(seen.error_class, ErrorClass::stream_broken) << name;
    EXPECT_FALSE(seen.answer.parsed) << name;
    EXPECT_TRUE(seen.answer.text.empty()) << name;
  }
  EXPECT_EQ(read_answer(facts(Operation::converse),
                        Reading{}.head(200, {}).body("{\"outp").finish(AnswerEnd::cut))
                .error_class,
            ErrorClass::stream_broken);
}

TEST(ReadAnswer, SkipsEventsThatNobodyKnows) {
  const std::string body =
      corpus("frames/event-unknown.bin") + corpus("frames/converse-stream-text.bin");
  expect_text(read_events(Operation::converse_stream, body), "Hello", "end_turn");
}

TEST(ReadAnswer, DoesNotUnderstandWhatTheOperationDoesNotPromise) {
  for (const std::string_view body :
       {"", "null", "42", "[]", "{}", "not json", "{\"a\":1}", "{\"output\":{}}",
        "{\"choices\":{}}", "{\"type\":\"nothing\"}", "\xFF\xFE",
        "{\"generation\":\"\xC0\x80\"}"}) {
    const Observation seen = read_invoke(body);
    EXPECT_EQ(seen.status, 200);
    EXPECT_TRUE(seen.answer.text.empty()) << body;
    EXPECT_TRUE(seen.usage.missing()) << body;
    EXPECT_FALSE(seen.answer.parsed) << body;
  }
}

TEST(ReadAnswer, RefusesDepthButNotSize) {
  std::string deep =
      R"({"generation":"x","a":)" + std::string(5'000, '[') + std::string(5'000, ']') + "}";
  EXPECT_FALSE(read_invoke(deep).answer.parsed);
  const std::string big(24u << 20, 'x');
  const Observation seen = read_invoke(R"({"generation":")" + big + R"(","stop_reason":"stop"})");
  EXPECT_EQ(seen.answer.text.size(), big.size());
}

TEST(ReadAnswer, RefusesCountsThatCannotBe) {
  const Observation seen =
      read_invoke(R"({"generation":"x","prompt_token_count":-5,"generation_token_count":1e300})");
  EXPECT_TRUE(seen.usage.missing());
  EXPECT_TRUE(read_invoke(R"({"generation":"x","prompt_token_count":1.5})").usage.missing());
}

TEST(ReadAnswer, ReadsUsageAndStopReasonFromATailAlone) {
  const std::string body =
      R"({"metrics":{"latencyMs":321},"output":{"message":{"content":[{"text":")" +
      std::string(5'000, 'x') + R"( \"usage\":{\"inputTokens\":9}"}],"role":"assistant"}},)" +
      R"("stopReason":"max_tokens","usage":{"cacheDetails":[{"ttl":"5m","inputTokens":0}],)" +
      R"("inputTokens":11,"outputTokens":5,"serverToolUsage":{},"totalTokens":16}})";
  Reading reading{{.beginning_bytes = 1024, .tail_bytes = 512}};
  reading.head(200, {{"content-type", "application/json"}}).body(body, 100);
  const Observation seen = read_answer(facts(Operation::converse), reading.finish());
  EXPECT_EQ(seen.usage, usage(11, 5));
  EXPECT_EQ(seen.answer.stop_reason, "max_tokens");
  EXPECT_FALSE(seen.answer.parsed);
  EXPECT_TRUE(seen.answer.text.empty());
  EXPECT_EQ(seen.error_class, ErrorClass::ok);
}

TEST(ReadAnswer, ReadsTimesUsageAndEndFromBeginningAndTailOfAStream) {
  std::string body = event("messageStart", R"({"role":"assistant"})");
  for (int i = 0; i < 200; ++i) {
    body += event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"word "}})");
  }
  body += event("messageStop", R"({"stopReason":"end_turn"})") +
          event("metadata", R"({"usage":{"inputTokens":3,"outputTokens":200}})");
  for (const std::size_t piece : {1u, 64u, 150u, 4096u}) {
    Reading reading{{.beginning_bytes = 1024, .tail_bytes = 1024}};
    reading.stream_head().body(body, piece);
    const Observation seen = read_answer(facts(Operation::converse_stream), reading.finish());
    EXPECT_EQ(seen.error_class, ErrorClass::ok) << piece;
    EXPECT_EQ(seen.usage, usage(3, 200)) << piece;
    EXPECT_EQ(seen.answer.stop_reason, "end_turn");
    EXPECT_FALSE(seen.answer.parsed);
    EXPECT_TRUE(seen.answer.text.empty());
    ASSERT_TRUE(seen.first_token) << piece;
    EXPECT_TRUE(seen.time_per_output_token) << piece;
  }
}

TEST(ReadAnswer, ReadsItAllWhereTheTailBeginsAtTheBeginningsEnd) {
  const std::string body = corpus("frames/converse-stream-text.bin");
  Reading reading{{.beginning_bytes = body.size() / 2, .tail_bytes = body.size()}};
  reading.stream_head().body(body, 100);
  expect_text(read_answer(facts(Operation::converse_stream), reading.finish()), "Hello",
              "end_turn");
}

TEST(ReadAnswer, SurvivesEveryFlippedByteOfAnAnswer) {
  std::mt19937 random{11};
  const std::string json = corpus("responses/invoke-anthropic-200.http");
  const std::string body = json.substr(json.find("\r\n\r\n") + 4);
  const std::string stream = corpus("frames/invoke-stream-anthropic.bin");
  for (std::size_t at = 0; at < stream.size(); ++at) {
    std::string bad = stream;
    bad[at] = static_cast<char>(random());
    read_events(Operation::invoke_model_with_response_stream, bad, 256);
    std::string bad_body = body;
    bad_body[at % body.size()] = static_cast<char>(random());
    read_invoke(bad_body);
    read_body(Operation::converse, bad_body);
  }
}

TEST(ReadAnswer, HasNothingToSayOfAnAttemptWithoutAnAnswer) {
  const Observation seen = read_answer(facts(Operation::converse), CapturedAnswer{});
  EXPECT_EQ(seen.status, 0);
  EXPECT_EQ(seen.error_class, ErrorClass::transport);
  EXPECT_FALSE(seen.answer.parsed);
}

}  // namespace
}  // namespace understudy::metrics

// What is read of Messages, Chat Completions and Responses, whole and streamed.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "metrics/answer.h"
#include "metrics/comparison.h"
#include "wire_samples.h"

namespace understudy::metrics {
namespace {

using routing::Operation;
using test::Reading;
using namespace std::chrono_literals;

AttemptFacts facts(Operation operation) {
  AttemptFacts made;
  made.operation = operation;
  made.first_byte = made.begun + 1ms;
  made.ended = made.begun + 1000ms;
  return made;
}

Observation read_whole(Operation operation, std::string_view body, int status = 200) {
  return read_answer(
      facts(operation),
      Reading{}.head(status, {{"Content-Type", "application/json"}}).body(body).finish());
}

Reading sse_head(ResponseReader::Budget budget = {.beginning_bytes = test::kEverything,
                                                  .tail_bytes = 0}) {
  Reading reading{budget};
  reading.head(200, {{"Content-Type", "text/event-stream; charset=utf-8"}});
  return reading;
}

Observation read_stream(Operation operation, std::string_view body,
                        std::size_t piece = std::string::npos) {
  return read_answer(facts(operation), sse_head().body(body, piece).finish());
}

std::string typed(std::string_view type, std::string_view data) {
  return "event: " + std::string(type) + "\ndata: " + std::string(data) + "\n\n";
}
std::string untyped(std::string_view data) {
  return "data: " + std::string(data) + "\n\n";
}

void expect_answer(const Observation& seen, std::string_view text, std::string_view stop,
                   const Usage& usage) {
  EXPECT_TRUE(seen.answer.parsed);
  EXPECT_EQ(seen.error_class, ErrorClass::ok) << seen.error_type << seen.error_message;
  EXPECT_EQ(seen.answer.text, text);
  EXPECT_EQ(seen.answer.stop_reason, stop);
  EXPECT_EQ(seen.usage, usage);
}

const std::vector<ToolCall> kWeather{{"get_weather", R"({"city":"Rome"})"}};

// --- Anthropic Messages

const std::vector<std::string> kMessageEvents{
    typed("message_start",
          R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",)"
          R"("content":[],"model":"m","stop_reason":null,"usage":{"input_tokens":9,)"
          R"("cache_read_input_tokens":4,"output_tokens":1}}})"),
    typed("ping", R"({"type": "ping"})"),
    typed("content_block_start", R"({"type":"content_block_start","index":0,"content_block":)"
                                 R"({"type":"thinking","thinking":"","signature":""}})"),
    typed("content_block_delta", R"({"type":"content_block_delta","index":0,"delta":)"
                                 R"({"type":"thinking_delta","thinking":"hmm"}})"),
    typed("content_block_stop", R"({"type":"content_block_stop","index":0})"),
    typed("content_block_start", R"({"type":"content_block_start","index":1,"content_block":)"
                                 R"({"type":"text","text":""}})"),
    typed("content_block_delta", R"({"type":"content_block_delta","index":1,"delta":)"
                                 R"({"type":"text_delta","text":"Hello "}})"),
    typed("content_block_delta", R"({"type":"content_block_delta","index":1,"delta":)"
                                 R"({"type":"text_delta","text":"you"}})"),
    typed("content_block_start",
          R"({"type":"content_block_start","index":2,"content_block":)"
          R"({"type":"tool_use","id":"t","name":"get_weather","input":{}}})"),
    typed("content_block_delta", R"({"type":"content_block_delta","index":2,"delta":)"
                                 R"({"type":"input_json_delta","partial_json":"{\"city\":"}})"),
    typed("content_block_delta", R"({"type":"content_block_delta","index":2,"delta":)"
                                 R"({"type":"input_json_delta","partial_json":"\"Rome\"}"}})"),
    typed("message_delta", R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},)"
                           R"("usage":{"output_tokens":21}})"),
    typed("message_stop", R"({"type":"message_stop"})")};

std::string joined(const std::vector<std::string>& events) {
  std::string all;
  for (const std::string& event : events) all += event;
  return all;
}

TEST(Messages, AreReadWhole) {
  const Observation seen = read_whole(
      Operation::messages,
      R"({"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hello"},)"
      R"({"type":"tool_use","id":"t","name":"get_weather","input":{"city":"Rome"}}],)"
      R"("stop_reason":"tool_use","usage":{"input_tokens":9,"output_tokens":5}})");
  expect_answer(seen, "Hello", "tool_use",
                {.input = 9, .output = 5, .cache_read = {}, .cache_write = {}});
  EXPECT_EQ(seen.answer.tool_calls, kWeather);
  EXPECT_FALSE(seen.stream);
}

TEST(Messages, AreReadFromTheirStream) {
  for (const std::size_t piece : {std::string::npos, std::size_t{1}, std::size_t{50}}) {
    const Observation seen = read_stream(Operation::messages, joined(kMessageEvents), piece);
    expect_answer(seen, "Hello you", "tool_use",
                  {.input = 9, .output = 21, .cache_read = 4, .cache_write = {}});
    EXPECT_EQ(seen.answer.tool_calls, kWeather);
    EXPECT_EQ(seen.answer.thinking_bytes, 3u);
    EXPECT_TRUE(seen.stream);
  }
}

TEST(Messages, AreTimedByTheirEvents) {
  Reading reading = sse_head();
  for (const std::string& event : kMessageEvents) reading.body(event);  // a millisecond apart
  const Observation seen = read_answer(facts(Operation::messages), reading.finish());
  ASSERT_TRUE(seen.first_token);
  EXPECT_EQ(*seen.first_token, 4ms);  // the thinking
  ASSERT_TRUE(seen.time_per_output_token);
  EXPECT_EQ(*seen.time_per_output_token, std::chrono::nanoseconds{7ms} / 20);
}

TEST(Messages, AreCutWhereTheEndMarkIsMissing) {
  auto events = kMessageEvents;
  events.pop_back();
  const Observation seen = read_stream(Operation::messages, joined(events));
  EXPECT_EQ(seen.error_class, ErrorClass::stream_broken);
  EXPECT_FALSE(seen.answer.parsed);
  EXPECT_EQ(seen.answer.stop_reason, "tool_use");
  EXPECT_EQ(seen.usage.output, 21);
  // Inside the last event: what came of it is no event.
  const std::string whole = joined(kMessageEvents);
  EXPECT_EQ(read_stream(Operation::messages, whole.substr(0, whole.size() - 1)).error_class,
            ErrorClass::stream_broken);
}

TEST(Messages, FailInTheMiddleOfAStream) {
  const Observation seen = read_stream(
      Operation::messages,
      kMessageEvents[0] +
          typed("error",
                R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})"));
  EXPECT_EQ(seen.error_class, ErrorClass::stream_broken);
  EXPECT_EQ(seen.error_type, "overloaded_error");
  EXPECT_EQ(seen.error_message, "Overloaded");
}

TEST(Messages, AreReadFromBeginningAndTailAlone) {
  std::vector<std::string> events = kMessageEvents;
  const std::string filler =
      typed("content_block_delta", R"({"type":"content_block_delta","index":1,"delta":)"
                                   R"({"type":"text_delta","text":")" +
                                       std::string(200, 'x') + R"("}})");
  events.insert(events.begin() + 8, 200, filler);
  Reading reading = sse_head({.beginning_bytes = 1024, .tail_bytes = 1024});
  for (const std::string& event : events) reading.body(event);
  const Observation seen = read_answer(facts(Operation::messages), reading.finish());
  EXPECT_EQ(seen.error_class, ErrorClass::ok);
  EXPECT_FALSE(seen.answer.parsed);
  EXPECT_EQ(seen.answer.stop_reason, "tool_use");
  EXPECT_EQ(seen.usage, (Usage{.input = 9, .output = 21, .cache_read = 4, .cache_write = {}}));
  EXPECT_EQ(seen.first_token, 4ms);
  ASSERT_TRUE(seen.time_per_output_token);
  EXPECT_EQ(*seen.time_per_output_token, std::chrono::nanoseconds{207ms} / 20);
}

TEST(Messages, CountTokensInTheirOwnWords) {
  const Observation seen = read_whole(Operation::messages_count_tokens, R"({"input_tokens":77})");
  EXPECT_TRUE(seen.answer.parsed);
  EXPECT_EQ(seen.answer.text, "77");
  EXPECT_TRUE(seen.usage.missing());
}

// --- Chat Completions

std::string chat_chunk(std::string_view delta, std::string_view reason = "null",
                       std::string_view more = "") {
  return untyped(
      R"({"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":)" +
      std::string(delta) + R"(,"finish_reason":)" + std::string(reason) + "}]" + std::string(more) +
      "}");
}
const std::string kDone = untyped("[DONE]");
const std::string kChatUsage = untyped(
    R"({"id":"c","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":7,"total_tokens":19,)"
    R"("prompt_tokens_details":{"cached_tokens":2}}})");
const Usage kChatCounts{.input = 10, .output = 7, .cache_read = 2, .cache_write = {}};

TEST(ChatCompletions, AreReadWhole) {
  const Observation seen = read_whole(
      Operation::chat_completions,
      R"({"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",)"
      R"("content":"Hi","reasoning":"hmm","tool_calls":[{"id":"t","type":"function","function":)"
      R"({"name":"get_weather","arguments":"{\"city\":\"Rome\"}"}}]},"finish_reason":"tool_calls"}],)"
      R"("usage":{"prompt_tokens":12,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":2}}})");
  expect_answer(seen, "Hi", "tool_use", kChatCounts);
  EXPECT_EQ(seen.answer.tool_calls, kWeather);
  EXPECT_EQ(seen.answer.thinking_bytes, 3u);
}

TEST(ChatCompletions, AreReadFromTheirStream) {
  const std::string body =
      chat_chunk(R"({"role":"assistant","content":""})") + chat_chunk(R"({"content":"Hel"})") +
      chat_chunk(R"({"content":"lo"})") +
      chat_chunk(
          R"({"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":)"
          R"("get_weather","arguments":""}},{"index":1,"function":{"name":"other","arguments":"{"}}]})") +
      chat_chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]})") +
      chat_chunk(R"({"tool_calls":[{"index":1,"function":{"arguments":"}"}}]})") +
      chat_chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"\"Rome\"}"}}]})") +
      chat_chunk("{}", R"("tool_calls")") + kChatUsage + kDone;
  for (const std::size_t piece : {std::string::npos, std::size_t{1}}) {
    const Observation seen = read_stream(Operation::chat_completions, body, piece);
    expect_answer(seen, "Hello", "tool_use", kChatCounts);
    ASSERT_EQ(seen.answer.tool_calls.size(), 2u);
    EXPECT_EQ(seen.answer.tool_calls[0], kWeather[0]);
    EXPECT_EQ(seen.answer.tool_calls[1], (ToolCall{"other", "{}"}));
  }
}

TEST(ChatCompletions, AreCutWithoutTheirDone) {
  const std::string body = chat_chunk(R"({"content":"Hel"})") + chat_chunk("{}", R"("stop")");
  EXPECT_EQ(read_stream(Operation::chat_completions, body).error_class, ErrorClass::stream_broken);
  expect_answer(read_stream(Operation::chat_completions, body + kDone), "Hel", "end_turn", {});
  const Observation garbled =
      read_stream(Operation::chat_completions, body + untyped("{broken") + kDone);
  EXPECT_EQ(garbled.error_class, ErrorClass::stream_broken);
}

TEST(ChatCompletions, RefuseInAFieldOfTheirOwn) {
  const Observation seen = read_whole(
      Operation::chat_completions,
      R"({"choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]})");
  expect_answer(seen, "No.", "refusal", {});
}

TEST(ChatCompletions, FailInTheMiddleOfAStream) {
  const Observation seen = read_stream(
      Operation::chat_completions,
      chat_chunk(R"({"content":"Hel"})") +
          untyped(R"({"error":{"code":"server_error","message":"gone","type":"server_error"}})"));
  EXPECT_EQ(seen.error_class, ErrorClass::stream_broken);
  EXPECT_EQ(seen.error_type, "server_error");
}

// --- Responses

std::string response_event(std::string_view type, std::string_view more) {
  return typed(type, R"({"type":")" + std::string(type) + R"(","sequence_number":1,)" +
                         std::string(more) + "}");
}
const std::string kResponseUsage =
    R"("usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":2},"output_tokens":7,)"
    R"("output_tokens_details":{"reasoning_tokens":3},"total_tokens":19})";
const Usage kResponseCounts{
    .input = 10, .output = 7, .cache_read = 2, .cache_write = {}, .reasoning = 3};

TEST(Responses, AreReadWhole) {
  const Observation seen = read_whole(
      Operation::responses,
      R"({"id":"resp_1","object":"response","status":"completed","output":[{"type":"reasoning",)"
      R"("summary":[{"type":"summary_text","text":"hmm"}]},{"type":"message","role":"assistant",)"
      R"("content":[{"type":"output_text","text":"Hi","annotations":[]}]},{"type":"function_call",)"
      R"("call_id":"c","name":"get_weather","arguments":"{\"city\":\"Rome\"}"},)"
      R"({"type":"something_new","x":1}],)" +
          kResponseUsage + "}");
  expect_answer(seen, "Hi", "tool_use", kResponseCounts);
  EXPECT_EQ(seen.answer.tool_calls, kWeather);
  EXPECT_EQ(seen.answer.thinking_bytes, 3u);
}

TEST(Responses, AreReadFromTheirStream) {
  const std::string body =
      response_event("response.created", R"("response":{"status":"in_progress","output":[]})") +
      response_event("response.output_item.added",
                     R"("output_index":0,"item":{"type":"reasoning","summary":[]})") +
      response_event("response.reasoning_summary_text.delta", R"("output_index":0,"delta":"hmm")") +
      response_event("response.output_item.added",
                     R"("output_index":1,"item":{"type":"message","content":[]})") +
      response_event("response.output_text.delta", R"("output_index":1,"delta":"Hel")") +
      response_event("response.output_text.delta", R"("output_index":1,"delta":"lo")") +
      response_event("response.output_text.done", R"("output_index":1,"text":"Hello")") +
      response_event(
          "response.output_item.added",
          R"("output_index":2,"item":{"type":"function_call","name":"get_weather","arguments":""})") +
      response_event("response.function_call_arguments.delta",
                     R"("output_index":2,"delta":"{\"city\":")") +
      response_event("response.function_call_arguments.delta",
                     R"("output_index":2,"delta":"\"Rome\"}")") +
      response_event("response.function_call_arguments.done",
                     R"("output_index":2,"arguments":"{\"city\":\"Rome\"}")") +
      response_event("response.completed",
                     R"("response":{"status":"completed","output":[{"type":"message","content":)"
                     R"([{"type":"output_text","text":"Hello"}]}],)" +
                         kResponseUsage + "}");
  for (const std::size_t piece : {std::string::npos, std::size_t{1}}) {
    const Observation seen = read_stream(Operation::responses, body, piece);
    expect_answer(seen, "Hello", "tool_use", kResponseCounts);
    EXPECT_EQ(seen.answer.tool_calls, kWeather);
    EXPECT_EQ(seen.answer.thinking_bytes, 3u);
  }
}

TEST(Responses, TellHowTheyEnded) {
  const std::string text =
      response_event("response.output_text.delta", R"("output_index":0,"delta":"a")");
  const auto ended = [&](std::string_view type, const std::string& response) {
    return read_stream(Operation::responses,
                       text + response_event(type, R"("response":{)" + response + "}"));
  };
  EXPECT_EQ(ended("response.completed", R"("status":"completed")").answer.stop_reason, "end_turn");
  const Observation cut =
      ended("response.incomplete",
            R"("status":"incomplete","incomplete_details":{"reason":"max_output_tokens"})");
  EXPECT_EQ(cut.answer.stop_reason, "max_tokens");
  EXPECT_TRUE(cut.answer.parsed);
  EXPECT_EQ(ended("response.incomplete",
                  R"("status":"incomplete","incomplete_details":{"reason":"content_filter"})")
                .answer.stop_reason,
            "content_filtered");
  const Observation failed = ended(
      "response.failed", R"("status":"failed","error":{"code":"server_error","message":"gone"})");
  EXPECT_EQ(failed.error_class, ErrorClass::stream_broken);
  EXPECT_EQ(failed.error_type, "server_error");
  EXPECT_EQ(failed.error_message, "gone");
  EXPECT_EQ(read_stream(Operation::responses, text).error_class, ErrorClass::stream_broken);
}

TEST(Responses, FailInTheirBody) {
  const Observation seen = read_whole(
      Operation::responses,
      R"({"object":"response","status":"failed","output":[],"error":{"code":"server_error","message":"gone"}})");
  EXPECT_EQ(seen.error_class, ErrorClass::server_error);
  EXPECT_EQ(seen.error_type, "server_error");
}

TEST(Responses, RefuseAndFailInEventsOfTheirOwn) {
  const Observation refused =
      read_stream(Operation::responses,
                  response_event("response.refusal.delta", R"("output_index":0,"delta":"No.")") +
                      response_event("response.completed", R"("response":{"status":"completed"})"));
  expect_answer(refused, "No.", "refusal", {});
  const Observation failed =
      read_stream(Operation::responses,
                  response_event("error", R"("code":"rate_limit","message":"slow down")"));
  EXPECT_EQ(failed.error_type, "rate_limit");
  EXPECT_EQ(failed.error_message, "slow down");
}

// --- Errors

TEST(SecondWireErrors, AreReadInBothShapes) {
  const Observation anthropic = read_whole(
      Operation::messages,
      R"({"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Field required"}})",
      400);
  EXPECT_EQ(anthropic.error_type, "invalid_request_error");
  EXPECT_EQ(anthropic.error_message, "max_tokens: Field required");
  EXPECT_EQ(anthropic.error_class, ErrorClass::client_error);
  const Observation openai = read_whole(
      Operation::chat_completions,
      R"({"error":{"code":"validation_error","message":"no","param":null,"type":"invalid_request_error"}})",
      400);
  EXPECT_EQ(openai.error_type, "invalid_request_error");
  EXPECT_EQ(openai.error_message, "no");
}

TEST(SecondWireErrors, CountAsValidationErrors) {
  const auto signal = [](int status) {
    Observation good;
    Observation bad =
        read_whole(Operation::chat_completions,
                   R"({"error":{"message":"no","type":"invalid_request_error"}})", status);
    const Comparison comparison = compare(good, bad);
    return std::any_of(
        comparison.findings.begin(), comparison.findings.end(),
        [](const auto& each) { return each.signal == Signal::validation_error && each.other_bad; });
  };
  EXPECT_TRUE(signal(400));
  EXPECT_FALSE(signal(404));  // a model that is not there
}

TEST(SecondWireAnswers, AreNoneWhereTheyAreAnotherApis) {
  const std::string chat = R"({"choices":[{"message":{"content":"x"}}]})";
  EXPECT_FALSE(read_whole(Operation::messages, chat).answer.parsed);
  EXPECT_FALSE(read_whole(Operation::responses, chat).answer.parsed);
  EXPECT_FALSE(read_whole(Operation::chat_completions, R"({"output":[]})").answer.parsed);
  EXPECT_FALSE(read_whole(Operation::chat_completions, "[1]").answer.parsed);
  EXPECT_FALSE(read_stream(Operation::converse, kDone).answer.parsed);
  EXPECT_FALSE(read_stream(Operation::chat_completions, untyped("[1]") + kDone).answer.parsed);
}

}  // namespace
}  // namespace understudy::metrics

#include "metrics/answer.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/metrics/answer_reading.h"

namespace understudy::metrics {
namespace {

using routing::Operation;
using test::corpus;
using test::event;
using test::Reading;
using namespace std::chrono_literals;

TEST(ReadAnswer, ReadsARecordedConverse) {
  const Observation seen = read_recorded(Operation::converse, "converse-200");
  expect_text(seen, "Hello there", "end_turn");
  EXPECT_EQ(seen.usage, usage(11, 5, 0, 0));
  EXPECT_EQ(seen.total, 50ms);
  EXPECT_EQ(seen.first_byte, 5ms);
  EXPECT_FALSE(seen.first_token);
}

TEST(ReadAnswer, PassesOverWhatIsSaidWhereOnlyFiguresAreWanted) {
  const auto figures_of = [](std::string_view body) {
    return read_answer(
        facts(Operation::converse),
        Reading{}.head(200, {{"Content-Type", "application/json"}}).body(body).finish(),
        Detail::figures);
  };
  // A tool may be called with a member of that name.
  const Observation seen = figures_of(R"({"output":{"message":{"content":[{"text":"\"usage\":{"},
      {"toolUse":{"name":"t","input":{"usage":{"inputTokens":99}}}}]}},"stopReason":"tool_use",
      "usage":{"inputTokens":1,"outputTokens":2,"cacheDetails":[{"ttl":"1h","inputTokens":3}]},
      "metrics":{"latencyMs":4}})");
  EXPECT_EQ(seen.usage, usage(1, 2, {}, {}, 3));
  EXPECT_EQ(seen.answer.text, "");
  EXPECT_TRUE(seen.answer.tool_calls.empty());
  // Without a usage that can be read that way, all is.
  for (const char* body :
       {R"({"output":{"message":{"content":[{"text":"hi"}]}},"stopReason":"end_turn"})",
        R"({"output":{"message":{"content":[{"text":"hi"}]}},"usage":7})"}) {
    EXPECT_EQ(figures_of(body).answer.text, "hi") << body;
    EXPECT_EQ(figures_of(body).usage, Usage{}) << body;
  }
}

TEST(ReadAnswer, ReadsToolsReasoningAndCitationsOfConverse) {
  const Observation seen = read_body(Operation::converse, R"({"output":{"message":{"content":[
      {"reasoningContent":{"reasoningText":{"text":"hmm","signature":"x"}}},
      {"text":"A"},{"citationsContent":{"content":[{"text":"B"}]}},
      {"toolUse":{"toolUseId":"t","name":"weather","input":{"city": "Oslo", "days": [1, 2.5]}}}],
      "role":"assistant"}},"stopReason":"tool_use","usage":{"inputTokens":1,"outputTokens":2,
      "cacheReadInputTokens":3,"totalTokens":6}})");
  expect_text(seen, "AB", "tool_use");
  ASSERT_EQ(seen.answer.tool_calls.size(), 1u);
  EXPECT_EQ(seen.answer.tool_calls[0].name, "weather");
  EXPECT_EQ(seen.answer.tool_calls[0].arguments, R"({"city":"Oslo","days":[1,2.5]})");
  EXPECT_EQ(seen.answer.thinking_bytes, 3u);
  EXPECT_EQ(seen.usage, usage(1, 2, 3));
}

TEST(ReadAnswer, ReadsARecordedConverseStream) {
  const Observation seen =
      read_events(Operation::converse_stream, corpus("frames/converse-stream-text.bin"));
  expect_text(seen, "Hello", "end_turn");
  EXPECT_EQ(seen.usage, usage(11, 5, 0, 0));
}

TEST(ReadAnswer, ReadsARecordedStreamWithReasoningAndATool) {
  const Observation seen =
      read_events(Operation::converse_stream, corpus("frames/converse-stream-reasoning-tool.bin"));
  expect_text(seen, "Calling.", "tool_use");
  ASSERT_EQ(seen.answer.tool_calls.size(), 1u);
  EXPECT_FALSE(seen.answer.tool_calls[0].name.empty());
  EXPECT_EQ(seen.answer.tool_calls[0].arguments.front(), '{');
  EXPECT_EQ(seen.answer.tool_calls[0].arguments.back(), '}');
  EXPECT_GE(seen.answer.thinking_bytes, 5u);
}

TEST(ReadAnswer, KeepsStreamedToolCallsApartByTheirBlock) {
  const auto delta = [](int block, std::string_view piece) {
    return event("contentBlockDelta", R"({"contentBlockIndex":)" + std::to_string(block) +
                                          R"(,"delta":{"toolUse":{"input":")" + std::string{piece} +
                                          R"("}}})");
  };
  const auto start = [](int block, std::string_view name) {
    return event("contentBlockStart", R"({"contentBlockIndex":)" + std::to_string(block) +
                                          R"(,"start":{"toolUse":{"name":")" + std::string{name} +
                                          R"("}}})");
  };
  const Observation seen = read_events(
      Operation::converse_stream, start(0, "a") + start(1, "b") + delta(0, "{1") + delta(1, "{2") +
                                      delta(0, "}") + delta(1, "}") + delta(7, "lost") +
                                      event("messageStop", R"({"stopReason":"tool_use"})"));
  EXPECT_EQ(seen.answer.tool_calls, (std::vector<ToolCall>{{"a", "{1}"}, {"b", "{2}"}}));
}

TEST(ReadAnswer, TimesTheFirstTokenAndThoseAfterIt) {
  const std::string start = event("messageStart", R"({"role":"assistant"})");
  const std::string delta =
      event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"a"}})");
  const std::string rest = event("messageStop", R"({"stopReason":"end_turn"})") +
                           event("metadata", R"({"usage":{"inputTokens":1,"outputTokens":4}})");
  Reading reading;
  reading.stream_head().body(start).body(delta).body(delta).body(delta).body(delta).body(rest);
  const Observation seen = read_answer(facts(Operation::converse_stream), reading.finish());
  EXPECT_EQ(seen.first_token, 2ms) << "the role alone is no content";
  EXPECT_EQ(seen.time_per_output_token, 1ms);
}

TEST(ReadAnswer, LeavesTimesOutWhereThereWasNoContent) {
  const Observation seen =
      read_events(Operation::converse_stream,
                  event("messageStart", "{}") + event("messageStop", R"({"stopReason":"x"})"));
  EXPECT_FALSE(seen.first_token);
  EXPECT_FALSE(seen.time_per_output_token);
}

TEST(ReadAnswer, ReadsARecordedAnthropicInvoke) {
  const Observation seen = read_recorded(Operation::invoke_model, "invoke-anthropic-200");
  expect_text(seen, "Hello there", "end_turn");
  EXPECT_EQ(seen.usage, usage(11, 5, 0, 0, 0));
}

TEST(ReadAnswer, PrefersBilledCountsAndFillsGapsFromTheBody) {
  const Observation seen =
      read_body(Operation::invoke_model,
                R"({"type":"message","content":[],"usage":{"input_tokens":1,"output_tokens":2,
          "cache_read_input_tokens":9}})",
                {{"X-Amzn-Bedrock-Input-Token-Count", "100"},
                 {"X-Amzn-Bedrock-Output-Token-Count", "nonsense"}});
  EXPECT_EQ(seen.usage, usage(100, 2, 9));
}

TEST(ReadAnswer, ReadsEveryFamilysBody) {
  struct Case {
    std::string_view name, body, text, stop_reason;
    Usage usage;
  };
  const std::vector<Case> cases{
      {"anthropic",
       R"({"id":"msg_bdrk_1","type":"message","content":[{"type":"thinking","thinking":"abc"},
           {"type":"text","text":"A"},{"type":"text","text":"B"}],"stop_reason":"max_tokens",
           "usage":{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":4}})",
       "AB", "max_tokens", usage(1, 2, {}, 4)},
      {"anthropic v2 text",
       R"({"completion":" Hi","stop_reason":"stop_sequence","stop":"\n\nHuman:"})",
       " Hi",
       "stop_sequence",
       {}},
      {"nova",
       R"({"output":{"message":{"content":[{"text":"Hi"}],"role":"assistant"}},"stopReason":"end_turn",
           "usage":{"inputTokens":1,"outputTokens":2,"cacheReadInputTokenCount":3}})",
       "Hi", "end_turn", usage(1, 2, 3)},
      {"titan",
       R"({"inputTextTokenCount":7,"results":[{"tokenCount":28.0,"outputText":"Hi","completionReason":"FINISH"}]})",
       "Hi", "end_turn", usage(7, 28)},
      {"titan embedding", R"({"embedding":[0.1,0.2],"inputTextTokenCount":3})", "", "",
       usage(3, {})},
      {"llama",
       R"({"generation":"Hi","prompt_token_count":5,"generation_token_count":6,"stop_reason":"length"})",
       "Hi", "max_tokens", usage(5, 6)},
      {"mistral", R"({"outputs":[{"text":"Hi","stop_reason":"stop"}]})", "Hi", "end_turn", {}},
      {"cohere command",
       R"({"generations":[{"finish_reason":"COMPLETE","text":"Hi"}],"prompt":"x"})",
       "Hi",
       "end_turn",
       {}},
      {"cohere command r",
       R"({"text":"Hi","finish_reason":"MAX_TOKENS","generation_id":"g"})",
       "Hi",
       "max_tokens",
       {}},
      {"jurassic",
       R"({"completions":[{"data":{"text":"Hi","tokens":[]},"finishReason":{"reason":"endoftext"}}]})",
       "Hi",
       "end_turn",
       {}},
      {"jamba",
       R"({"choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],
           "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})",
       "Hi", "end_turn", usage(1, 2)},
      {"gpt-oss",
       R"({"choices":[{"message":{"content":"Hi","reasoning_content":"abc","tool_calls":null},
           "finish_reason":"content_filter"}],"usage":{"prompt_tokens":10,"completion_tokens":2,
           "prompt_tokens_details":{"cached_tokens":4}}})",
       "Hi", "content_filtered", usage(6, 2, 4)},
      {"deepseek r1", R"({"choices":[{"text":"Hi","stop_reason":"stop"}]})", "Hi", "end_turn", {}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    const Observation seen = read_invoke(each.body);
    expect_text(seen, each.text, each.stop_reason);
    EXPECT_EQ(seen.usage, each.usage);
  }
}

TEST(ReadAnswer, TellsDearerCacheWritesAndReasoningApart) {
  const Observation claude = read_invoke(
      R"({"type":"message","content":[],"usage":{"input_tokens":1,"output_tokens":2,
          "cache_creation_input_tokens":30,"cache_creation":{"ephemeral_1h_input_tokens":20}}})");
  EXPECT_EQ(claude.usage.cache_write, 30);
  EXPECT_EQ(claude.usage.cache_write_1h, 20);
  const Observation gpt = read_invoke(
      R"({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1,
          "completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":7}}})");
  EXPECT_EQ(gpt.usage.reasoning, 7);
}

TEST(ReadAnswer, SaysWhatTheAnswerBeginsWithAndCites) {
  const Observation thinking = read_invoke(
      R"({"type":"message","content":[{"type":"thinking","thinking":"","signature":"s"},
          {"type":"text","text":"x","citations":[{"type":"char_location"},{}]}]})");
  EXPECT_EQ(thinking.answer.first_block, BlockKind::thinking) << "though it shows nothing of it";
  EXPECT_EQ(thinking.answer.citations, 2u);
  const Observation calling = read_invoke(
      R"({"output":{"message":{"content":[{"toolUse":{"name":"f","input":{}}},{"text":"x"}]}}})");
  EXPECT_EQ(calling.answer.first_block, BlockKind::tool_use);
  const Observation cited = read_invoke(
      R"({"output":{"message":{"content":[{"citationsContent":{"content":[{"text":"x"}],
          "citations":[{"title":"t"}]}}]}}})");
  EXPECT_EQ(cited.answer.first_block, BlockKind::text);
  EXPECT_EQ(cited.answer.citations, 1u);
}

TEST(ReadAnswer, SaysWhetherTheEventsOfAStreamCameInOrder) {
  const std::string begin = event("messageStart", R"({"role":"assistant"})");
  const auto text = [](int block) {
    return event("contentBlockDelta",
                 R"({"contentBlockIndex":)" + std::to_string(block) + R"(,"delta":{"text":"x"}})");
  };
  const std::string end = event("messageStop", R"({"stopReason":"end_turn"})");
  const auto in_order = [](const std::string& events) {
    const Observation seen = read_events(Operation::converse_stream, events);
    return seen.stream && seen.stream->in_order;
  };
  EXPECT_TRUE(in_order(begin + text(0) + text(0) + text(1) + end));
  EXPECT_FALSE(in_order(text(0) + begin + end));
  EXPECT_FALSE(in_order(begin + text(1) + text(0) + end));
  EXPECT_FALSE(in_order(begin + end + text(0)));
  EXPECT_FALSE(in_order(begin + begin + text(0) + end));
  EXPECT_FALSE(in_order(begin + text(0) + end + end));
  EXPECT_EQ(read_events(Operation::converse_stream, begin + text(0) + end).stream->events, 3u);
}

TEST(ReadAnswer, ReadsEveryFamilysToolCalls) {
  const std::vector<std::string_view> bodies{
      R"({"type":"message","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]})",
      R"({"output":{"message":{"content":[{"toolUse":{"name":"f","input":{"a":1}}}]}}})",
      R"({"text":"","tool_calls":[{"name":"f","parameters":{"a":1}}],"finish_reason":"COMPLETE"})",
      R"({"choices":[{"message":{"content":null,"tool_calls":[{"id":"t","type":"function",
          "function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}]})"};
  for (const std::string_view body : bodies) {
    EXPECT_EQ(read_invoke(body).answer.tool_calls, (std::vector<ToolCall>{{"f", R"({"a":1})"}}))
        << body;
  }
}

TEST(ReadAnswer, ReadsRecordedModelStreams) {
  for (const auto& [name, counts] : std::vector<std::pair<std::string, Usage>>{
           {"invoke-stream-anthropic", usage(11, 5, 0, 0, 0)},
           {"invoke-stream-nova", usage(5, 1, 0, 0)}}) {
    SCOPED_TRACE(name);
    const Observation seen = read_events(Operation::invoke_model_with_response_stream,
                                         corpus("frames/" + name + ".bin"));
    expect_text(seen, "Hello", "end_turn");
    EXPECT_EQ(seen.usage, counts);
    EXPECT_TRUE(seen.first_token);
  }
}

TEST(ReadAnswer, ReadsEveryFamilysStream) {
  const std::string metrics =
      R"("amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":22})";
  const std::vector<std::pair<std::string, std::vector<std::string>>> streams{
      {"anthropic",
       {R"({"type":"message_start","message":{"content":[],"usage":{"input_tokens":1}}})",
        R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}})",
        R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}})",
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":133}})",
        R"({"type":"message_stop",)" + metrics + "}"}},
      {"titan",
       {R"({"outputText":"Hel","index":0,"totalOutputTextTokenCount":null,"completionReason":null,"inputTextTokenCount":1})",
        R"({"outputText":"lo","totalOutputTextTokenCount":9,"completionReason":"FINISH",)" +
            metrics + "}"}},
      {"llama",
       {R"({"generation":"Hel","prompt_token_count":3,"generation_token_count":1,"stop_reason":null})",
        R"({"generation":"lo","prompt_token_count":null,"generation_token_count":2,"stop_reason":"stop",)" +
            metrics + "}"}},
      {"mistral",
       {R"({"outputs":[{"text":"Hel","stop_reason":null}]})",
        R"({"outputs":[{"text":"lo","stop_reason":"stop"}],)" + metrics + "}"}},
      {"cohere command",
       {R"({"text":"Hel","is_finished":false})", R"({"text":"lo","is_finished":false})",
        R"({"is_finished":true,"finish_reason":"COMPLETE",)" + metrics + "}"}},
      {"cohere command r",
       {R"({"event_type":"stream-start"})", R"({"event_type":"text-generation","text":"Hel"})",
        R"({"event_type":"text-generation","text":"lo"})",
        R"({"event_type":"stream-end","finish_reason":"COMPLETE","response":{"text":"Hello"},)" +
            metrics + "}"}},
      {"openai",
       {R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})",
        R"({"choices":[{"index":0,"delta":{"content":"Hel"}}]})",
        R"({"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]})",
        R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2},)" + metrics + "}"}},
  };
  for (const auto& [name, chunks] : streams) {
    SCOPED_TRACE(name);
    const Observation seen = read_chunks(chunks);
    expect_text(seen, "Hello", "end_turn");
    EXPECT_EQ(seen.usage, usage(11, 22));
    EXPECT_TRUE(seen.first_token);
  }
}

TEST(ReadAnswer, JoinsStreamedToolArguments) {
  const Observation anthropic = read_chunks(
      {R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","name":"f","input":{}}})",
       R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}})",
       R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}})",
       R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":":1}"}})",
       R"({"type":"message_delta","delta":{"stop_reason":"tool_use"}})",
       R"({"type":"message_stop"})"});
  EXPECT_EQ(anthropic.answer.tool_calls, (std::vector<ToolCall>{{"f", R"({"a":1})"}}));
  const Observation openai = read_chunks(
      {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}}]})",
       R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}}]})",
       R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]},"finish_reason":"tool_calls"}]})"});
  EXPECT_EQ(openai.answer.tool_calls, (std::vector<ToolCall>{{"f", R"({"a":1})"}}));
  EXPECT_EQ(openai.answer.stop_reason, "tool_use");
}

TEST(ReadAnswer, PutsAGuardrailsWordFirst) {
  const Observation seen = read_invoke(
      R"({"type":"message","content":[],"stop_reason":"end_turn","amazon-bedrock-guardrailAction":"INTERVENED"})");
  EXPECT_EQ(seen.answer.stop_reason, "guardrail_intervened");
}

TEST(ReadAnswer, TakesCountedTokensForTheAnswerNotForUse) {
  const Observation seen = read_recorded(Operation::count_tokens, "count-tokens-200");
  EXPECT_TRUE(seen.answer.parsed);
  EXPECT_FALSE(seen.answer.text.empty());
  EXPECT_EQ(seen.answer.text.find_first_not_of("0123456789"), std::string::npos);
  EXPECT_TRUE(seen.usage.missing());
}

TEST(ReadAnswer, GivesTheSameAtEverySplit) {
  for (const auto& [name, operation] : std::vector<std::pair<std::string, Operation>>{
           {"converse-stream-reasoning-tool", Operation::converse_stream},
           {"invoke-stream-anthropic", Operation::invoke_model_with_response_stream}}) {
    const std::string body = corpus("frames/" + name + ".bin");
    const Observation whole = read_events(operation, body, body.size());
    for (std::size_t cut = 1; cut < body.size(); cut += 5) {
      const Observation seen = read_answer(
          facts(operation),
          Reading{}.stream_head().body(body.substr(0, cut)).body(body.substr(cut)).finish());
      EXPECT_EQ(seen.answer.text, whole.answer.text);
      EXPECT_EQ(seen.answer.tool_calls, whole.answer.tool_calls);
      EXPECT_EQ(seen.usage, whole.usage);
    }
  }
}

}  // namespace
}  // namespace understudy::metrics

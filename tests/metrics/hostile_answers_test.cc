#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/metrics/pair_maker.h"

namespace understudy::metrics {
namespace {

std::string repeated(std::string_view piece, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}

// Far above what a pair takes, debug build and busy machine included; far below what one takes that
// grows with the square of its size.
constexpr std::chrono::seconds kPatience{20};

void compare_in_time(const Observation& served, const Observation& other) {
  AnswerProfile profile;
  for (int i = 0; i < 8; ++i) profile.learn(answer("{\"a\": 1}"));
  Expectations expectations = Expectations::from_request(
      routing::Operation::converse,
      R"({"toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json":
         {"type": "object", "properties": {"a": {"$ref": "#"}}}}}}]}})");
  expectations.profile = &profile;
  const auto begun = std::chrono::steady_clock::now();
  const Comparison comparison = compare(served, other, expectations);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, kPatience);
  EXPECT_FALSE(comparison.findings.empty());
  profile.learn(other);
}

TEST(HostileAnswers, TakeBoundedTime) {
  for (const std::string_view piece : {"[", "{", "{\"a\":", "[{", "```\n", "\"", "\\", "**", "a ",
                                       "\xFF", "\xE2\x80", "1", "answer:", "I cannot ", "\n- x"}) {
    compare_in_time(answer("{\"a\": 1}"), answer(repeated(piece, 1u << 20)));
  }
  const Observation brackets = answer(repeated("[{", 20u << 20));
  compare_in_time(brackets, answer("Plain words."));
  const Observation ticks = answer("x " + repeated("```\n", 4u << 20));
  compare_in_time(answer("Plain words."), ticks);
}

TEST(HostileAnswers, MayBeDeep) {
  for (const std::size_t levels : {127u, 129u, 100'000u}) {
    const std::string deep = std::string(levels, '[') + std::string(levels, ']');
    compare_in_time(answer(deep), answer("x " + deep));
    compare_in_time(tool_turn({{"f", deep}}), tool_turn({{"f", "{\"a\":" + deep + "}"}}));
  }
}

TEST(HostileAnswers, MayHaveManyKeysAndCalls) {
  std::string wide = "{";
  for (int i = 0; i < 100'000; ++i) wide += "\"k" + std::to_string(i) + "\": 1,";
  wide.back() = '}';
  compare_in_time(answer(wide), answer(wide + " "));
  std::vector<ToolCall> calls;
  for (int i = 0; i < 1000; ++i) calls.push_back({"f", "{\"a\": " + std::to_string(i) + "}"});
  compare_in_time(tool_turn(calls), tool_turn({{"f", wide}}));
}

TEST(HostileAnswers, MayBeAnyBytes) {
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes.push_back(static_cast<char>(i * 37));
  compare_in_time(answer(bytes), answer(std::string(bytes.rbegin(), bytes.rend())));
  compare_in_time(tool_turn({{bytes, bytes}}), tool_turn({{bytes, "{}"}}));
}

}  // namespace
}  // namespace understudy::metrics

#include "metrics/prompt_text.h"

#include <gtest/gtest.h>

#include <string>

#include "metrics/json_reader.h"

namespace understudy::metrics {
namespace {

PromptText prompt_text(std::string_view body) {
  JsonParser parser;
  const auto json = parser.parse(body);
  return json ? metrics::prompt_text(*json) : PromptText{};
}

TEST(PromptText, IsReadFromEveryApi) {
  const auto converse = prompt_text(R"({"system":[{"text":"be brief"}],
      "messages":[{"role":"user","content":[{"text":"hello"},{"image":{}}]},
                  {"role":"assistant","content":[{"text":"hi"}]},
                  {"role":"user","content":[{"text":"more"}]}]})");
  EXPECT_EQ(converse.system, "be brief");
  EXPECT_EQ(converse.user, "hello") << "the first turn alone";
  const auto anthropic =
      prompt_text(R"({"system":"be brief","messages":[{"role":"user","content":"hello"}]})");
  EXPECT_EQ(anthropic.system, "be brief");
  EXPECT_EQ(anthropic.user, "hello");
  const auto openai = prompt_text(
      R"({"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hello"}]})");
  EXPECT_EQ(openai.system, "be brief");
  EXPECT_EQ(openai.user, "hello");
  EXPECT_EQ(prompt_text(R"({"instructions":"be brief","input":"hello"})").user, "hello");
  EXPECT_EQ(prompt_text(R"({"prompt":"hello"})").user, "hello");
  EXPECT_EQ(prompt_text(R"({"inputText":"hello"})").user, "hello");
}

TEST(JsonParser, TakesATextThatLiesNowhere) {
  EXPECT_FALSE(JsonParser().parse(std::string_view{}));
}

TEST(PromptText, IsEmptyForWhatIsNoPromptAndBoundedForTheRest) {
  EXPECT_EQ(prompt_text("").user, "");
  EXPECT_EQ(prompt_text("[1,2]").user, "");
  EXPECT_EQ(prompt_text(R"({"messages":7,"system":{}})").user, "");
  const std::string huge(5u << 20, 'x');
  EXPECT_LE(prompt_text(R"({"prompt":")" + huge + R"("})").user.size(),
            PromptTextLimits::kMaxBytes + 1);
}

}  // namespace
}  // namespace understudy::metrics

// What the settings of a model's answer do to it.

#include "tests/simulator/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::simulator {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr AnswerSeeds kSeeds{.content = 1, .style = 2, .identity = 3};

Model model_that(AnswerKind kind, double AnswerStyle::*always) {
  Model model;
  model.answer.kind = kind;
  model.answer.*always = 100;
  return model;
}

Prompt prompt_with_a_tool() {
  Prompt prompt;
  prompt.tools.push_back(
      {"pay", json::parse(R"({"type":"object","properties":{"amount":{"type":"number"}}})")});
  return prompt;
}

TEST(AnswerStyle, RenamesTheFirstKeyOfJsonAndKeepsItsValue) {
  const auto plain =
      make_answer({}, model_that(AnswerKind::json, &AnswerStyle::markdown_percent), kSeeds);
  const auto renamed =
      make_answer({}, model_that(AnswerKind::json, &AnswerStyle::json_rename_percent), kSeeds);
  const json before = json::parse(plain.blocks.at(0).text);
  json after = json::parse(renamed.blocks.at(0).text);
  ASSERT_EQ(after.size(), before.size());
  EXPECT_FALSE(after.contains("category"));
  EXPECT_EQ(after.at("category_value"), before.at("category"));
}

TEST(AnswerStyle, RetypesTheFirstArgumentOfATool) {
  const auto answer =
      make_answer(prompt_with_a_tool(),
                  model_that(AnswerKind::tools, &AnswerStyle::tool_retype_percent), kSeeds);
  EXPECT_TRUE(answer.blocks.at(0).tool_input.at("amount").is_string());
}

TEST(AnswerStyle, CallsTwiceInParallelByTwoIds) {
  const auto answer =
      make_answer(prompt_with_a_tool(),
                  model_that(AnswerKind::tools, &AnswerStyle::tool_parallel_percent), kSeeds);
  ASSERT_EQ(answer.blocks.size(), 2u);
  EXPECT_NE(answer.blocks[0].tool_id, answer.blocks[1].tool_id);
  EXPECT_EQ(answer.stop_reason, StopReason::tool_use);
}

TEST(AnswerStyle, BreaksOffWithinNoCharacter) {
  Model model = model_that(AnswerKind::text, &AnswerStyle::cut_percent);
  model.answer.german_percent = 100;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto answer = make_answer({}, model, {.content = seed, .style = 2, .identity = 3});
    EXPECT_EQ(answer.stop_reason, StopReason::max_tokens);
    EXPECT_NO_THROW(json(answer.blocks.at(0).text).dump()) << "it is UTF-8";
  }
}

TEST(AnswerStyle, SpeaksGerman) {
  const auto answer =
      make_answer({}, model_that(AnswerKind::text, &AnswerStyle::german_percent), kSeeds);
  EXPECT_THAT(answer.blocks.at(0).text, testing::AnyOf(HasSubstr("Die "), HasSubstr("Der ")));
}

}  // namespace
}  // namespace understudy::simulator

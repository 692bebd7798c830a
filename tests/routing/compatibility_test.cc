#include "routing/compatibility.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "routing/rewrite.h"

namespace understudy::routing {
namespace {

// What a body becomes by one preset; the body itself where nothing changes.
std::string by_preset(std::string_view name, std::string body,
                      Operation operation = Operation::converse) {
  const auto place = preset_place(name);
  if (!place) return "no such preset";
  const auto outcome = rewrite(presets()[*place].rules, operation, body);
  const auto* made = std::get_if<Rewritten>(&outcome);
  if (made == nullptr) return std::get<RewriteProblem>(outcome).what;
  if (made->applied == 0) return body;
  EXPECT_EQ(made->presets, std::vector<std::string_view>{name}) << "counted once for a request";
  return made->body;
}

TEST(Compatibility, EveryPresetHasANameOfItsOwnItsReasonAndRules) {
  std::set<std::string> names;
  for (const Preset& preset : presets()) {
    EXPECT_TRUE(names.insert(preset.name).second) << preset.name;
    EXPECT_FALSE(preset.about.empty()) << preset.name;
    EXPECT_FALSE(preset.source.empty()) << preset.name;
    EXPECT_FALSE(preset.rules.empty()) << preset.name;
    for (const RewriteRule& rule : preset.rules) EXPECT_FALSE(rule.operations.empty());
  }
  EXPECT_FALSE(preset_place("no-such-preset"));
}

TEST(Compatibility, SamplingParametersGoWhereverTheApiHasThem) {
  EXPECT_EQ(
      by_preset("drop-sampling",
                R"({"inferenceConfig":{"maxTokens":9,"temperature":1,"topP":0.5},"messages":[]})"),
      R"({"inferenceConfig":{"maxTokens":9},"messages":[]})");
  EXPECT_EQ(by_preset("drop-sampling", R"({"temperature":1,"top_k":5,"top_p":1,"messages":[]})",
                      Operation::invoke_model),
            R"({"messages":[]})");
  const std::string without = R"({"messages":[]})";
  EXPECT_EQ(by_preset("drop-sampling", without), without);
}

TEST(Compatibility, OfTwoSamplingParametersOneStays) {
  EXPECT_EQ(
      by_preset("one-sampling-parameter", R"({"inferenceConfig":{"temperature":1,"topP":0.5}})"),
      R"({"inferenceConfig":{"temperature":1}})");
  const std::string alone = R"({"inferenceConfig":{"topP":0.5}})";
  EXPECT_EQ(by_preset("one-sampling-parameter", alone), alone);
}

TEST(Compatibility, AThinkingBudgetBecomesAdaptiveThinkingAndNothingElseDoes) {
  EXPECT_EQ(by_preset("adaptive-thinking",
                      R"({"thinking":{"type":"enabled","budget_tokens":2048},"max_tokens":9})",
                      Operation::invoke_model),
            R"({"thinking":{"type":"adaptive"},"max_tokens":9})");
  const std::string off = R"({"thinking":{"type":"disabled"}})";
  EXPECT_EQ(by_preset("adaptive-thinking", off, Operation::invoke_model), off);
}

TEST(Compatibility, APrefillGoesAndAConversationStays) {
  EXPECT_EQ(
      by_preset(
          "drop-prefill",
          R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"{"}]})"),
      R"({"messages":[{"role":"user","content":"a"}]})");
  for (const std::string body :
       {R"({"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"b"}]})",
        R"({"messages":[{"role":"assistant","content":"a"}]})", R"({"messages":"none"})",
        R"({"messages":[]})"}) {
    EXPECT_EQ(by_preset("drop-prefill", body), body);
  }
}

TEST(Compatibility, ACeilingLowersWhatIsAboveItOnly) {
  EXPECT_EQ(by_preset("max-tokens-8192", R"({"inferenceConfig":{"maxTokens":64000}})"),
            R"({"inferenceConfig":{"maxTokens":8192}})");
  for (const std::string body : {R"({"inferenceConfig":{"maxTokens":8192}})",
                                 R"({"inferenceConfig":{"maxTokens":"many"}})", R"({})"}) {
    EXPECT_EQ(by_preset("max-tokens-8192", body), body);
  }
}

TEST(Compatibility, AForcedToolChoiceBecomesFree) {
  EXPECT_EQ(by_preset("free-tool-choice", R"({"toolConfig":{"toolChoice":{"any":{}}}})"),
            R"({"toolConfig":{"toolChoice":{"auto":{}}}})");
  EXPECT_EQ(by_preset("free-tool-choice", R"({"tool_choice":{"type":"tool","name":"f"}})",
                      Operation::messages),
            R"({"tool_choice":{"type":"auto"}})");
}

TEST(Compatibility, ARefusalLeadsToThePresetThatDoesAwayWithIt) {
  const Preset* found = preset_for_refusal(
      "The model returned the following errors: `temperature` is deprecated for this model.");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, "drop-sampling");
  found = preset_for_refusal(
      "This model does not support assistant message prefill. The conversation must end with a "
      "user message.");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, "drop-prefill");
  EXPECT_EQ(preset_for_refusal("The provided model identifier is invalid."), nullptr);
}

}  // namespace
}  // namespace understudy::routing

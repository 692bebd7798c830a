#include <gtest/gtest.h>

#include <string>

#include "tests/metrics/pair_maker.h"

namespace understudy::metrics {
namespace {

// "none" where the signal does not apply.
std::string_view values(std::string served, std::string other,
                        const Expectations& expectations = {}) {
  const auto finding = found(Signal::json_agreement, answer(std::move(served)),
                             answer(std::move(other)), expectations);
  if (!finding) return "none";
  return finding->diverges ? finding->detail : "same";
}

TEST(JsonAgreement, IsAboutValuesHoweverTheyAreWritten) {
  const struct {
    std::string_view served, other, found;
  } cases[] = {
      {R"({"a": 1})", R"({"a": 1.0})", "same"},
      {R"({"a": 1})", R"({"a": 2})", "leaf_differs"},
      {R"({"a": true})", R"({"a": false})", "leaf_differs"},
      {R"({"a": "high"})", R"({"a": "low"})", "leaf_differs"},
      {R"({"a": "New York"})", R"({"a": "new-york"})", "same"},
      {R"({"a": 1, "b": {"c": "x"}})", R"({"b": {"c": "x"}, "a": 1})", "same"},
      {R"({"a": null})", R"({"a": 0})", "leaf_differs"},
      {R"({"a": 1})", R"({"a": "1"})", "leaf_differs"},
      {R"([1, 2])", R"([2, 1])", "leaf_differs"},
      {R"([1, 2])", R"([1, 2, 3])", "leaf_differs"},
      {R"({"a": {"b": [{"c": 1}]}})", R"({"a": {"b": [{"c": 2}]}})", "leaf_differs"},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(values(std::string{each.served}, std::string{each.other}), each.found)
        << each.served << " " << each.other;
  }
}

TEST(JsonAgreement, LeavesKeysAndFormsToTheContract) {
  EXPECT_EQ(values(R"({"a": 1, "b": 2})", R"({"a": 1})"), "same");
  EXPECT_EQ(values(R"({"a": 1})", R"({"a": 1, "b": 2})"), "same");
  EXPECT_EQ(values(R"({"a": 1})", "```json\n{\"a\": 1}\n```"), "same");
  EXPECT_EQ(values(R"({"a": 1})", "```json\n{\"a\": 2}\n```"), "leaf_differs");
}

TEST(JsonAgreement, TakesSentencesForTextAndComparesTheirWords) {
  const std::string said =
      R"({"summary": "The parcel arrived late and the customer asks politely for a full refund today"})";
  const std::string said_again =
      R"({"summary": "Customer politely asks for a full refund today because the parcel arrived late"})";
  const std::string unlike =
      R"({"summary": "Satellites orbit around Earth because sideways velocity balances gravity forever"})";
  EXPECT_EQ(values(said, said_again), "same");
  EXPECT_EQ(values(said, unlike), "leaf_differs");
}

TEST(JsonAgreement, NeedsJsonOfBothSides) {
  EXPECT_EQ(values(R"({"a": 1})", "I cannot tell."), "none");
  EXPECT_EQ(values(R"({"a": 1})", R"({"a": 1)"), "none");
  EXPECT_EQ(values("Yes.", "No."), "none");
  EXPECT_FALSE(found(Signal::json_agreement, tool_turn({{"f", "{}"}}), answer("{\"a\": 1}")));
}

TEST(JsonAgreement, SaysNothingOfExamplesInProse) {
  const std::string served = R"(An event looks like {"type": "click", "x": 10} as a rule.)";
  const std::string other = R"(For example: {"type": "scroll", "y": 20}. That is all.)";
  EXPECT_EQ(values(served, other), "none");
  const AnswerProfile profile = taught_by(answer(served));
  Expectations known;
  known.profile = &profile;
  EXPECT_EQ(values(served, other, known), "leaf_differs") << "unless a family always has some";
}

}  // namespace
}  // namespace understudy::metrics

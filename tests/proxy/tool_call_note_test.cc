#include "proxy/tool_call_note.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace understudy::proxy {
namespace {

using metrics::SignalCounts;

TEST(ToolCallNote, TellsWhoCallsAndHowOftenForEachCallOfThePrimary) {
  const SignalCounts agreement{
      .pairs = 14, .served_bad = 1, .other_bad = 3, .value_sum = 10 * std::log(1.5)};
  const auto note = describe_tool_calls(agreement, {.pairs = 1}, {});
  EXPECT_EQ(note["text"],
            "Only the primary calls tools in 3 pairs, only the candidate in 1 pair. Where both do, "
            "the candidate makes 1.50 calls for each of the primary's, 10 pairs; between two "
            "answers of the same variant it is 1.00, 1 pair.");
  EXPECT_NEAR(note["difference"].get<double>(), 0.5, 1e-12);
  EXPECT_EQ(note["state"], "info");
}

TEST(ToolCallNote, TakesNothingForMeasuredThatIsNot) {
  const SignalCounts agreement{.pairs = 2, .value_sum = 2 * std::log(2.0)};
  EXPECT_TRUE(describe_tool_calls(agreement, {}, {})["text"].get<std::string>().ends_with(
      "2 pairs; not measured between two answers of the same variant."));
  EXPECT_EQ(describe_tool_calls({}, {}, {})["text"], "No pair yet in which a tool is called.");
  EXPECT_TRUE(describe_tool_calls({}, {}, {})["difference"].is_null());
  const SignalCounts never_both{.pairs = 4, .other_bad = 4};
  EXPECT_EQ(describe_tool_calls(never_both, {}, {})["text"],
            "Only the primary calls tools in 4 pairs, only the candidate in 0 pairs.");
  EXPECT_TRUE(describe_tool_calls(never_both, {}, {})["difference"].is_null());
}

TEST(ToolCallNote, BoundsTheFactorHoweverOftenOneLooks) {
  const SignalCounts agreement{.pairs = 400, .value_sum = 400 * std::log(2.0)};
  EXPECT_TRUE(describe_tool_calls(agreement, {}, {})["interval"].is_null()) << "no evidence of it";
  metrics::Comparison twice;
  twice.findings.push_back({.signal = metrics::Signal::tool_agreement, .value = std::log(2.0)});
  metrics::StyleCounts style;
  for (int i = 0; i < 400; ++i) style.add_pair(twice);
  const auto interval = describe_tool_calls(agreement, {}, style)["interval"];
  EXPECT_LT(interval[0].get<double>(), 1.0);
  EXPECT_GT(interval[0].get<double>(), 0.7);
  EXPECT_GT(interval[1].get<double>(), 1.0);
  EXPECT_LT(interval[1].get<double>(), 1.3);
}

}  // namespace
}  // namespace understudy::proxy

#include "metrics/evidence/style_counts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

namespace understudy::metrics {
namespace {

Comparison of(Signal signal, double value) {
  Comparison comparison;
  comparison.findings.push_back({.signal = signal, .value = value});
  return comparison;
}

TEST(StyleCounts, BoundTheRatioOfLengths) {
  StyleCounts counts;
  std::mt19937_64 random(4);
  std::normal_distribution<double> spread(std::log(1.3), .2);
  for (int i = 0; i < 1'000; ++i) counts.add_pair(of(Signal::verbosity, spread(random)));
  const auto figure = counts.figure(Signal::verbosity);
  ASSERT_TRUE(figure);
  EXPECT_EQ(figure->pairs, 1'000u);
  EXPECT_NEAR(figure->mean, 1.3, .03);
  EXPECT_LT(figure->interval.low, 1.3);
  EXPECT_GT(figure->interval.high, 1.3);
  EXPECT_LT(figure->interval.high - figure->interval.low, .1);
  EXPECT_FALSE(counts.figure(Signal::first_token)) << "no stream came";
  EXPECT_FALSE(counts.figure(Signal::markdown)) << "it is no number";
}

TEST(StyleCounts, HoldTheWordsThatAreSharedAgainstThePrimarysOwnSecondAnswer) {
  StyleCounts counts;
  for (int i = 0; i < 500; ++i) {
    counts.add_pair(of(Signal::containment, .6));
    counts.add_triple(of(Signal::containment, .6), of(Signal::containment, .9));
  }
  const auto figure = counts.figure(Signal::containment);
  ASSERT_TRUE(figure);
  EXPECT_EQ(figure->pairs, 500u) << "a pair alone tells nothing of noise";
  EXPECT_NEAR(figure->mean, .3, 1e-9);
  EXPECT_GT(figure->interval.low, .25);
}

TEST(StyleCounts, CountToolCallsOnlyWhereBothCall) {
  StyleCounts counts;
  Comparison alone = of(Signal::tool_agreement, 0.0);
  alone.findings[0].other_bad = true;
  counts.add_pair(alone);
  EXPECT_FALSE(counts.figure(Signal::tool_agreement));
  counts.add_pair(of(Signal::tool_agreement, std::log(2.0)));
  EXPECT_NEAR(counts.figure(Signal::tool_agreement)->mean, 2.0, .05);
}

TEST(StyleCounts, LeaveOutWhatIsNoNumber) {
  StyleCounts counts;
  counts.add_pair(of(Signal::verbosity, std::numeric_limits<double>::infinity()));
  counts.add_pair(of(Signal::verbosity, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_FALSE(counts.figure(Signal::verbosity));
}

TEST(StyleCounts, AddUpAndComeBackAsTheyWere) {
  StyleCounts one, other;
  one.add_pair(of(Signal::verbosity, .1));
  other.add_pair(of(Signal::first_token, -.4));
  one.merge(other);
  EXPECT_EQ(one.figure(Signal::first_token)->pairs, 1u);
  EXPECT_EQ(StyleCounts::from_json(one.to_json()), one);
  EXPECT_EQ(StyleCounts::from_json(nlohmann::json::object()), StyleCounts{});
  for (const char* bad : {R"({"verbosity":[1]})", R"({"verbosity":3})"})
    EXPECT_ANY_THROW(StyleCounts::from_json(nlohmann::json::parse(bad))) << bad;
}

}  // namespace
}  // namespace understudy::metrics

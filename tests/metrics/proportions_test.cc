#include "metrics/statistics/proportions.h"

#include <gtest/gtest.h>

namespace understudy::metrics {
namespace {

void expect_near(Interval actual, double low, double high) {
  EXPECT_NEAR(actual.low, low, 1e-6);
  EXPECT_NEAR(actual.high, high, 1e-6);
}

TEST(Proportions, WilsonMatchesPublishedValues) {
  expect_near(wilson({0, 50}), 0.0, 0.071348);
  expect_near(wilson({8, 400}), 0.010168, 0.038963);
  expect_near(wilson({15, 1000}), 0.009111, 0.024601);
  expect_near(wilson({100, 1000}), 0.082909, 0.120152);
  expect_near(wilson({0, 0}), 0.0, 1.0);
  constexpr double kZ99 = 2.575829303548901;
  expect_near(wilson({8, 400}, kZ99), 0.008309, 0.047355);
}

TEST(Proportions, NewcombeMatchesPublishedValues) {
  expect_near(newcombe({5, 1000}, {20, 1000}), 0.005332, 0.026067);
  const Interval back = newcombe({20, 1000}, {5, 1000});
  expect_near(back, -0.026067, -0.005332);
}

TEST(Proportions, NewcombeKnowsNothingWithoutCounts) {
  const Interval unknown = newcombe({0, 0}, {0, 0});
  EXPECT_LE(unknown.low, -1.0);
  EXPECT_GE(unknown.high, 1.0);
}

}  // namespace
}  // namespace understudy::metrics

#include "proxy/body_budget.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

namespace understudy::proxy {
namespace {

constexpr std::size_t kStep = BodyBudget::kStep;

TEST(BodyBudget, CountsTheStepsThatABodyHasBegun) {
  BodyBudget budget;
  budget.allow(10 * kStep);
  BodyShare share(budget);
  EXPECT_TRUE(share.grow_to(0));
  EXPECT_EQ(budget.held(), 0u) << "no body, no share";
  EXPECT_TRUE(share.grow_to(1));
  EXPECT_EQ(budget.held(), kStep) << "many small ones are much, too";
  EXPECT_TRUE(share.grow_to(kStep));
  EXPECT_EQ(budget.held(), kStep);
  EXPECT_TRUE(share.grow_to(3 * kStep + 1));
  EXPECT_EQ(budget.held(), 4 * kStep);
  EXPECT_TRUE(share.grow_to(kStep)) << "it never shrinks";
  EXPECT_EQ(budget.held(), 4 * kStep);
}

TEST(BodyBudget, HasRoomForASingleBodyOfItsWholeSize) {
  BodyBudget budget;
  budget.allow(10'000);
  BodyShare share(budget);
  EXPECT_TRUE(share.grow_to(10'000));
}

TEST(BodyBudget, RefusesWhatFindsNoRoomAndKeepsWhatIsThere) {
  BodyBudget budget;
  budget.allow(4 * kStep);
  BodyShare one(budget), other(budget);
  EXPECT_TRUE(one.grow_to(3 * kStep));
  EXPECT_TRUE(other.grow_to(kStep));
  EXPECT_FALSE(other.grow_to(2 * kStep));
  EXPECT_EQ(budget.held(), 4 * kStep);
  one.clear();
  EXPECT_TRUE(other.grow_to(2 * kStep));
}

TEST(BodyBudget, GetsBackWhatABodyHadOnceWhoeverHoldsItLast) {
  BodyBudget budget;
  budget.allow(4 * kStep);
  std::optional<BodyShare> first(std::in_place, budget);
  EXPECT_TRUE(first->grow_to(2 * kStep));
  {
    BodyShare second = std::move(*first);
    first.reset();
    EXPECT_EQ(budget.held(), 2 * kStep);
    BodyShare third;
    third = std::move(second);
    EXPECT_EQ(budget.held(), 2 * kStep);
  }
  EXPECT_EQ(budget.held(), 0u);
}

TEST(BodyBudget, FollowsTheConfigWhileBodiesAreHeld) {
  BodyBudget budget;
  budget.allow(4 * kStep);
  BodyShare share(budget);
  EXPECT_TRUE(share.grow_to(4 * kStep));
  budget.allow(2 * kStep);
  EXPECT_FALSE(share.grow_to(5 * kStep));
  budget.allow(8 * kStep);
  EXPECT_TRUE(share.grow_to(5 * kStep));
}

}  // namespace
}  // namespace understudy::proxy

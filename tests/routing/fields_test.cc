#include "routing/fields.h"

#include <gtest/gtest.h>

#include <array>

namespace understudy::routing {
namespace {

TEST(Fields, AreFoundInAnyCaseAndTheFirstOneCounts) {
  const std::array fields{Field{"X-Team", "search"}, Field{"x-team", "ads"}, Field{"Empty", ""}};
  EXPECT_EQ(find_field(fields, "x-TEAM"), "search");
  EXPECT_EQ(find_field(fields, "empty"), "");
  EXPECT_EQ(find_field(fields, "x-tea"), std::nullopt);
  EXPECT_EQ(find_field({}, "x-team"), std::nullopt);
}

TEST(Fields, IgnoreTheCaseOfAsciiLettersOnly) {
  EXPECT_TRUE(equals_ignoring_case("Content-LENGTH", "content-length"));
  EXPECT_FALSE(equals_ignoring_case("x_team", "x-team"));
  EXPECT_FALSE(equals_ignoring_case("\xc4", "\xe4"));
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
}

}  // namespace
}  // namespace understudy::routing

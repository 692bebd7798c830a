#include "routing/fields.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

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

TEST(Fields, CompareLongNamesAsTheyCompareShortOnes) {
  std::minstd_rand random(7);
  const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  for (int round = 0; round < 20'000; ++round) {
    std::string a(random() % 40, '\0');
    for (char& c : a) c = static_cast<char>(random() % 256);
    std::string b = a;
    for (char& c : b) {
      if (random() % 2 == 0) c = static_cast<char>(c ^ 0x20);
    }
    const bool same = std::equal(a.begin(), a.end(), b.begin(),
                                 [&](char x, char y) { return fold(x) == fold(y); });
    ASSERT_EQ(equals_ignoring_case(a, b), same) << testing::PrintToString(a);
    std::string upper = a;
    for (char& c : upper) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c & ~0x20);
    }
    ASSERT_TRUE(equals_ignoring_case(a, upper)) << testing::PrintToString(a);
  }
}

}  // namespace
}  // namespace understudy::routing

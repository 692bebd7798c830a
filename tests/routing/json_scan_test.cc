#include "routing/json_scan.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace understudy::routing {
namespace {

TEST(JsonScan, WalksMembersAndElementsInOrder) {
  JsonScan scan(R"( { "a" : [1, "two\"}", true, null, {}, []] , "b" : {"c": -1.5e3} } )");
  std::string_view key;
  ASSERT_TRUE(scan.enter_object());
  ASSERT_TRUE(scan.next_member(key));
  EXPECT_EQ(key, "a");
  ASSERT_TRUE(scan.enter_array());
  std::vector<std::string> seen;
  while (scan.next_element()) {
    const auto kind = scan.next_kind();
    if (kind == JsonScan::Kind::object || kind == JsonScan::Kind::array) {
      scan.skip();
    } else {
      seen.emplace_back(scan.take_scalar());
    }
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"1", R"(two\"})", "true", "null"}));
  ASSERT_TRUE(scan.next_member(key));
  EXPECT_EQ(key, "b");
  ASSERT_TRUE(scan.enter_object());
  ASSERT_TRUE(scan.next_member(key));
  EXPECT_EQ(scan.take_scalar(), "-1.5e3");
  EXPECT_FALSE(scan.next_member(key));
  EXPECT_FALSE(scan.next_member(key));
  EXPECT_FALSE(scan.failed());
}

TEST(JsonScan, SkipsNestedValuesWhateverTheirStringsHold) {
  JsonScan scan(R"({"a":{"x":"]}\\","y":[{"z":"\""}]},"b":7 })");
  std::string_view key;
  scan.enter_object();
  scan.next_member(key);
  scan.skip();
  ASSERT_TRUE(scan.next_member(key));
  EXPECT_EQ(key, "b");
  EXPECT_EQ(scan.take_scalar(), "7");
}

TEST(JsonScan, FailsForGoodOnBrokenText) {
  for (const char* text :
       {"", "{", R"({"a)", R"({"a")", R"({"a":)", R"({"a":1)", R"({"a":1 "b":2})", R"({a:1})",
        R"({"a":"x)", R"({"a":[1,2})", R"({"a":1,})", "[1]", R"({"a":x})", R"({"a":{"b":1)"}) {
    JsonScan scan(text);
    std::string_view key;
    if (scan.enter_object()) {
      while (scan.next_member(key)) {
        if (scan.next_kind() == JsonScan::Kind::array) {
          scan.enter_array();
          while (scan.next_element()) scan.skip();
        } else {
          scan.skip();
        }
      }
    }
    EXPECT_TRUE(scan.failed()) << text;
    EXPECT_EQ(scan.next_kind(), JsonScan::Kind::end) << text;
    EXPECT_FALSE(scan.next_member(key)) << text;
  }
}

TEST(JsonScan, FailsBeyondItsDepthInsteadOfFollowing) {
  const std::string deep(JsonScan::kMaxDepth + 1, '[');
  JsonScan skipped(deep);
  skipped.skip();
  EXPECT_TRUE(skipped.failed());

  const std::string allowed =
      std::string(JsonScan::kMaxDepth, '[') + std::string(JsonScan::kMaxDepth, ']');
  JsonScan fits(allowed);
  fits.skip();
  EXPECT_FALSE(fits.failed());
}

TEST(JsonScan, SurvivesAnyBytes) {
  std::mt19937 random(7);
  const std::string alphabet = R"({}[]",:\1tfn -ae)";
  for (int round = 0; round < 200'000; ++round) {
    std::string text;
    for (std::size_t length = random() % 40; length > 0; --length) {
      text += alphabet[random() % alphabet.size()];
    }
    JsonScan scan(text);
    std::string_view key;
    int steps = 0;
    if (scan.enter_object()) {
      while (scan.next_member(key) && ++steps < 100) scan.skip();
    }
    ASSERT_LT(steps, 100) << text;
  }
}

}  // namespace
}  // namespace understudy::routing

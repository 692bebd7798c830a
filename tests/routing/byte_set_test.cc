#include "routing/byte_set.h"

#include <gtest/gtest.h>

namespace understudy::routing {
namespace {

constexpr ByteSet kBrackets{"[]{}"};

TEST(ByteSetTest, FindsTheFirstMember) {
  EXPECT_EQ(kBrackets.find_in("ab[c]", 0), 2u);
  EXPECT_EQ(kBrackets.find_in("ab[c]", 3), 4u);
  EXPECT_EQ(kBrackets.skip_in("[]x]", 0), 2u);
}

TEST(ByteSetTest, SaysTheSizeWhereThereIsNone) {
  EXPECT_EQ(kBrackets.find_in("abc", 0), 3u);
  EXPECT_EQ(kBrackets.find_in("abc", 7), 3u);
  EXPECT_EQ(kBrackets.find_in("", 0), 0u);
  EXPECT_EQ(kBrackets.skip_in("[[", 0), 2u);
}

TEST(ByteSetTest, HoldsBytesAboveAscii) {
  constexpr ByteSet set{"\xff"};
  EXPECT_TRUE(set.contains('\xff'));
  EXPECT_FALSE(set.contains('\x7f'));
}

}  // namespace
}  // namespace understudy::routing

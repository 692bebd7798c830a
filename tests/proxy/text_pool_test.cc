#include "proxy/text_pool.h"

#include <gtest/gtest.h>

namespace understudy::proxy {
namespace {

TEST(TextPool, HandsOutWhatWasGivenBackLastEmpty) {
  TextPool pool;
  pool.give_back(std::string(100, 'a'));
  pool.give_back(std::string(200, 'b'));
  const std::string last = pool.take(), first = pool.take();
  EXPECT_EQ(last, "");
  EXPECT_GE(last.capacity(), 200u);
  EXPECT_EQ(first, "");
  EXPECT_LT(first.capacity(), 200u);
  EXPECT_GE(first.capacity(), 100u);
}

TEST(TextPool, KeepsNothingOfUnusualSizeOrNumber) {
  TextPool pool;
  pool.give_back(std::string(TextPool::kOrdinaryBytes + 1, 'x'));
  EXPECT_LT(pool.take().capacity(), 100u);
  for (std::size_t i = 0; i < TextPool::kMaxKept + 10; ++i) pool.give_back(std::string(100, 'x'));
  std::size_t kept = 0;
  while (pool.take().capacity() >= 100) ++kept;
  EXPECT_EQ(kept, TextPool::kMaxKept);
}

}  // namespace
}  // namespace understudy::proxy

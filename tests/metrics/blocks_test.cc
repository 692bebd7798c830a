#include "metrics/blocks.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <thread>
#include <vector>

namespace understudy::metrics {
namespace {

TEST(Block, IsEmptyByDefault) {
  const Block none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.view(), "");
  EXPECT_FALSE(Block{none});
}

TEST(Block, HoldsWhatWasWritten) {
  BlockPool pool;
  for (const std::size_t capacity : {0UL, 1UL, 2048UL, 2049UL, 1'000'000UL, 30'000'000UL}) {
    Block block = pool.take(capacity);
    ASSERT_TRUE(block);
    EXPECT_GE(block.capacity(), capacity);
    EXPECT_EQ(block.size(), 0U);
    std::memset(block.data(), 'a', block.capacity());
    block.set_size(block.capacity());
    EXPECT_EQ(block.view().size(), block.capacity());
    EXPECT_EQ(block.view().back(), 'a');
  }
}

TEST(Block, IsSharedUntilTheLastOwnerGoes) {
  BlockPool pool;
  Block first = pool.take(10);
  std::memcpy(first.data(), "text", 4);
  first.set_size(4);
  Block second = first;
  Block third = std::move(first);
  EXPECT_FALSE(first);
  second = {};
  EXPECT_EQ(third.view(), "text");
  third = Block{third};
  EXPECT_EQ(third.view(), "text");
}

TEST(BlockPool, GivesTheSameMemoryAgain) {
  BlockPool pool;
  const char* memory = nullptr;
  {
    Block block = pool.take(5000);
    block.set_size(100);
    memory = block.data();
  }
  Block again = pool.take(5000);
  EXPECT_EQ(again.data(), memory);
  EXPECT_EQ(again.size(), 0U);
  EXPECT_NE(pool.take(5000).data(), memory) << "not while it is in use";
}

TEST(BlockPool, GivesFirstWhatItsOwnerDroppedLast) {
  BlockPool pool;
  Block older = pool.take(5000);
  Block newer = pool.take(5000);
  const char* last = older.data();
  newer = {};
  older = {};
  EXPECT_EQ(pool.take(5000).data(), last) << "it is still in the cache";
}

TEST(BlockPool, FreesWhatNobodyWantedBetweenTwoTrims) {
  BlockPool pool;
  { const std::array blocks{pool.take(64u << 10), pool.take(64u << 10), pool.take(2u << 10)}; }
  const std::size_t all = pool.trim();
  EXPECT_EQ(all, 130u << 10) << "they were in use a moment ago";
  { const Block wanted = pool.take(64u << 10); }
  EXPECT_EQ(pool.trim(), 64u << 10) << "one was wanted meanwhile";
  EXPECT_EQ(pool.trim(), 0u);
  EXPECT_EQ(pool.trim(), 0u);
}

TEST(BlockPool, TakesBackWhatOtherThreadsDrop) {
  BlockPool pool;
  for (int round = 0; round < 200; ++round) {
    std::vector<Block> blocks;
    for (int i = 0; i < 20; ++i) {
      Block block = pool.take(static_cast<std::size_t>(i) * 500);
      std::memset(block.data(), i, block.capacity());
      block.set_size(block.capacity());
      blocks.push_back(std::move(block));
    }
    std::thread reader([shared = blocks] {
      for (std::size_t i = 0; i < shared.size(); ++i) {
        for (const char byte : shared[i].view()) ASSERT_EQ(byte, static_cast<char>(i));
      }
    });
    blocks.clear();  // the reader is the last owner, or not
    pool.take(1000);
    reader.join();
  }
}

}  // namespace
}  // namespace understudy::metrics

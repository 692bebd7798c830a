#include "metrics/blocks.h"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <set>
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

// Of the pages that a block's bytes are on, how many hold something.
std::size_t resident_pages(const char* begin, std::size_t size) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(begin) / page * page;
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(begin) + size;
  std::vector<unsigned char> states((end - first + page - 1) / page);
  EXPECT_EQ(::mincore(reinterpret_cast<void*>(first), end - first, states.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(states.begin(), states.end(), [](unsigned char state) { return state & 1; }));
}

TEST(BlockPool, GivesThePagesBackAndUsesTheAddressesAgain) {
  constexpr std::size_t kSize = 64u << 10;
  BlockPool pool;
  std::set<const char*> before;
  {
    std::vector<Block> blocks;  // more than there was room for when the first one came
    for (int i = 0; i < 50; ++i) {
      blocks.push_back(pool.take(kSize));
      std::memset(blocks.back().data(), 'a', kSize);
      before.insert(blocks.back().data());
    }
    EXPECT_GE(resident_pages(*before.begin(), kSize), kSize >> 12);
  }
  pool.trim();
  EXPECT_EQ(pool.trim(), 0u);
  for (const char* data : before) EXPECT_EQ(resident_pages(data, kSize), 0u);
  std::set<const char*> after;
  std::vector<Block> blocks;
  for (int i = 0; i < 50; ++i) {
    blocks.push_back(pool.take(kSize));
    std::memset(blocks.back().data(), 'b', kSize);
    after.insert(blocks.back().data());
  }
  EXPECT_EQ(after, before);
}

TEST(BlockPool, GivesBackAtOnceWhatIsMoreThanItMayKeep) {
  BlockPool pool(64u << 10);
  const char* first = nullptr;
  {
    Block kept = pool.take(64u << 10), beyond = pool.take(64u << 10);
    std::memset(kept.data(), 'a', kept.capacity());
    first = kept.data();
    beyond = {};  // there is room for one
  }
  EXPECT_EQ(resident_pages(first, 64u << 10), 0u);
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

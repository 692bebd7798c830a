#include "proxy/frame_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <set>
#include <vector>

namespace understudy::proxy {
namespace {

constexpr std::size_t kKeep = 64u << 10;

std::vector<void*> taken(FramePool& pool, std::size_t count, std::size_t bytes) {
  std::vector<void*> frames;
  for (std::size_t i = 0; i < count; ++i) {
    frames.push_back(pool.take(bytes));
    std::memset(frames.back(), 0xff, bytes);  // the address sanitizer looks
  }
  return frames;
}

void give_back(FramePool& pool, const std::vector<void*>& frames, std::size_t bytes) {
  for (void* frame : frames) pool.give_back(frame, bytes);
}

TEST(FramePool, GivesWhatCameBackLast) {
  FramePool pool(kKeep);
  const auto frames = taken(pool, 2, 500);
  give_back(pool, frames, 500);
  EXPECT_EQ(taken(pool, 2, 500), (std::vector<void*>{frames[1], frames[0]}));
  give_back(pool, frames, 500);
}

TEST(FramePool, UsesAFrameForEverySizeThatItHasRoomFor) {
  FramePool pool(kKeep);
  void* const frame = pool.take(65);
  pool.give_back(frame, 65);
  for (const std::size_t bytes : {65u, 100u, 128u}) {
    EXPECT_EQ(taken(pool, 1, bytes), std::vector<void*>{frame});
    pool.give_back(frame, bytes);
  }
  const auto others = taken(pool, 1, 64), larger = taken(pool, 1, 129);
  EXPECT_NE(others.front(), frame);
  EXPECT_NE(larger.front(), frame);
  give_back(pool, others, 64);
  give_back(pool, larger, 129);
}

TEST(FramePool, NeverGivesAFrameTwice) {
  FramePool pool(kKeep);
  std::set<void*> out;
  for (const std::size_t bytes : {1u, 64u, 65u, 1000u, 4096u, 4097u, 100'000u}) {
    give_back(pool, taken(pool, 3, bytes), bytes);
    for (void* frame : taken(pool, 5, bytes)) {
      EXPECT_TRUE(out.insert(frame).second) << bytes;
    }
    std::vector<void*> all(out.begin(), out.end());
    give_back(pool, all, bytes);
    out.clear();
  }
}

TEST(FramePool, KeepsNoMoreOfASizeThanItIsAllowed) {
  FramePool pool(1024);
  const auto frames = taken(pool, 5, 256);
  give_back(pool, frames, 256);  // the first four stay, the last one is freed
  EXPECT_EQ(taken(pool, 1, 256), std::vector<void*>{frames[3]});
  pool.give_back(frames[3], 256);
}

TEST(FramePool, DropsWhatNobodyUses) {
  FramePool pool(kKeep);
  void* const used = pool.take(500);
  give_back(pool, taken(pool, 3, 500), 500);
  EXPECT_EQ(pool.drop_unused(), 3u * 512u);
  EXPECT_EQ(pool.drop_unused(), 0u);
  pool.give_back(used, 500);
}

TEST(FramePool, IsNotFilledByABurstOfAnotherSize) {
  FramePool pool(1024);
  give_back(pool, taken(pool, 100, 1000), 1000);
  void* const frame = pool.take(64);
  pool.give_back(frame, 64);
  EXPECT_EQ(taken(pool, 1, 64), std::vector<void*>{frame});
  pool.give_back(frame, 64);
}

}  // namespace
}  // namespace understudy::proxy

#include "proxy/handover.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace understudy::proxy {
namespace {

struct Item : HandoverNode<Item> {
  Item(int p, int n, std::atomic<int>* a = nullptr) : producer(p), number(n), alive(a) {
    if (alive) ++*alive;
  }
  ~Item() {
    if (alive) --*alive;
  }
  int producer;
  int number;
  std::atomic<int>* alive;
};

TEST(Handover, HandsOverTheOldestFirst) {
  Handover<Item> queue;
  EXPECT_FALSE(queue.take_all([](std::unique_ptr<Item>) { FAIL(); }));
  for (int i = 0; i < 5; ++i) queue.push(std::make_unique<Item>(0, i));
  int next = 0;
  EXPECT_TRUE(queue.take_all([&](std::unique_ptr<Item> item) { EXPECT_EQ(item->number, next++); }));
  EXPECT_EQ(next, 5);
  EXPECT_FALSE(queue.take_all([](std::unique_ptr<Item>) { FAIL(); }));
}

TEST(Handover, LetsTheTakerPush) {
  Handover<Item> queue;
  queue.push(std::make_unique<Item>(0, 0));
  int taken = 0;
  while (queue.take_all([&](std::unique_ptr<Item> item) {
    ++taken;
    if (item->number < 3) queue.push(std::make_unique<Item>(0, item->number + 1));
  })) {
  }
  EXPECT_EQ(taken, 4);
}

TEST(Handover, FreesWhatNobodyTook) {
  std::atomic<int> alive{0};
  {
    Handover<Item> queue;
    for (int i = 0; i < 5; ++i) queue.push(std::make_unique<Item>(0, i, &alive));
    EXPECT_EQ(alive, 5);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Handover, LosesNothingOfManyThreadsAndKeepsEachOnesOrder) {
  constexpr int kProducers = 4, kItems = 20'000;
  Handover<Item> queue;
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&queue, p] {
      for (int i = 0; i < kItems; ++i) queue.push(std::make_unique<Item>(p, i));
    });
  }
  std::vector<int> next(kProducers, 0);
  int taken = 0;
  while (taken < kProducers * kItems) {
    queue.take_all([&](std::unique_ptr<Item> item) {
      EXPECT_EQ(item->number, next[static_cast<std::size_t>(item->producer)]++);
      ++taken;
    });
  }
  for (auto& producer : producers) producer.join();
}

}  // namespace
}  // namespace understudy::proxy

#include "proxy/recycler.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

namespace understudy::proxy {
namespace {

struct Note : Recycled<Note> {
  std::string text;
  void clear() noexcept { clear_for_reuse(text); }
};

TEST(Recycler, GivesAnObjectAgainWithTheMemoryItHasGrown) {
  Recycler<Note> notes;
  const Note* first = nullptr;
  {
    auto note = notes.take();
    note->text.assign(500, 'x');
    first = note.get();
  }
  const auto again = notes.take();
  EXPECT_EQ(again.get(), first);
  EXPECT_EQ(again->text, "");
  EXPECT_GE(again->text.capacity(), 500U);
}

TEST(Recycler, DoesNotKeepTheMemoryOfAnUnusualObject) {
  Recycler<Note> notes;
  notes.take()->text.assign(1u << 20, 'x');
  EXPECT_LT(notes.take()->text.capacity(), 64u << 10);
}

TEST(Recycler, TakesBackWhatOtherThreadsLetGo) {
  Recycler<Note> notes;
  std::set<const Note*> seen;
  for (int round = 0; round < 200; ++round) {
    std::vector<Recycler<Note>::Pointer> taken;
    for (int i = 0; i < 8; ++i) {
      taken.push_back(notes.take());
      EXPECT_EQ(taken.back()->text, "");
      taken.back()->text = "in use";
      seen.insert(taken.back().get());
    }
    std::thread other([mine = std::move(taken)]() mutable { mine.clear(); });
    other.join();
  }
  EXPECT_LE(seen.size(), 16U) << "they are the same objects again and again";
}

TEST(Recycler, KeepsABoundedNumber) {
  Recycler<Note> notes;
  {
    std::vector<Recycler<Note>::Pointer> burst;
    for (std::size_t i = 0; i < 3 * Recycler<Note>::kMaxKept; ++i) burst.push_back(notes.take());
    for (auto& note : burst) note->text.assign(100, 'x');
  }
  std::vector<Recycler<Note>::Pointer> taken;
  std::size_t recycled = 0;
  for (std::size_t i = 0; i < 3 * Recycler<Note>::kMaxKept; ++i) {
    taken.push_back(notes.take());
    if (taken.back()->text.capacity() >= 100) ++recycled;
  }
  EXPECT_EQ(recycled, Recycler<Note>::kMaxKept);
}

}  // namespace
}  // namespace understudy::proxy

#include <gtest/gtest.h>

#include "bench/detectors/scores.h"

namespace understudy::bench {
namespace {

TEST(DetectorBenchmark, ReachesItsTargetsOnHeldOutPairs) {
  const Scores scores = score(labelled_pairs(Split::held_out, 2, 60));
  for (std::size_t c = kBenignClasses; c < kPairClasses; ++c) {
    const auto pair_class = static_cast<PairClass>(c);
    EXPECT_GE(scores.classes[c].f1(), target_of(pair_class)) << label(pair_class);
  }
  EXPECT_TRUE(reaches_targets(scores)) << table(scores);
  for (const std::string& mistake : scores.mistakes) std::printf("  %s\n", mistake.c_str());
}

TEST(DetectorBenchmark, MakesTheSamePairsOfTheSameSeed) {
  const auto pairs = labelled_pairs(Split::tuning, 7, 2);
  const auto again = labelled_pairs(Split::tuning, 7, 2);
  ASSERT_EQ(pairs.size(), 2 * kPairClasses);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(pairs[i].other.answer.text, again[i].other.answer.text);
  }
}

}  // namespace
}  // namespace understudy::bench

#pragma once
// How well the signals tell labelled pairs apart.

#include <array>
#include <string>
#include <vector>

#include "bench/detectors/labelled_pairs.h"

namespace understudy::bench {

struct ClassScore {
  int pairs = 0;
  int hits = 0;          // found as what they are
  int false_alarms = 0;  // others taken for it
  double precision() const noexcept;
  double recall() const noexcept;
  double f1() const noexcept;
};

struct Scores {
  std::array<ClassScore, kPairClasses> classes{};  // benign ones have no figures of their own
  int benign_pairs = 0;
  int benign_flagged = 0;
  double macro_f1() const noexcept;  // over the regressions
  double benign_flag_rate() const noexcept;
  // What was taken for something else, a line each, at most twenty.
  std::vector<std::string> mistakes;
};

Scores score(const std::vector<LabelledPair>& pairs);
// F1 of .90 for refusals, .95 for languages, .85 for answers that break off, .99 for every
// structural class; macro F1 .95; at most one benign pair in a hundred flagged.
double target_of(PairClass pair_class) noexcept;
bool reaches_targets(const Scores& scores) noexcept;
std::string table(const Scores& scores);

}  // namespace understudy::bench

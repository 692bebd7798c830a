// The detector benchmark, level 1: labelled pairs from seeds, per-class precision, recall and F1.
//
//   detector-pairs [--mistakes]      exit status 0 where the held-out pairs reach the targets

#include <cstdio>
#include <cstring>

#include "bench/detectors/scores.h"

int main(int argc, char** argv) {
  using namespace understudy::bench;
  const bool show_mistakes = argc > 1 && std::strcmp(argv[1], "--mistakes") == 0;
  constexpr int kPerClass = 60;  // 120 with both seeds
  bool reached = true;
  for (const Split split : {Split::tuning, Split::held_out}) {
    const bool held_out = split == Split::held_out;
    const Scores scores = score(labelled_pairs(split, held_out ? 2 : 1, kPerClass));
    std::printf("%s\n%s\n", held_out ? "Held-out seed" : "Tuning seed", table(scores).c_str());
    if (held_out) reached = reaches_targets(scores);
    if (!show_mistakes) continue;
    for (const std::string& mistake : scores.mistakes) std::printf("  %s\n", mistake.c_str());
  }
  std::printf("Targets on held-out pairs: %s\n", reached ? "reached" : "missed");
  return reached ? 0 : 1;
}

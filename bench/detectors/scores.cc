#include "bench/detectors/scores.h"

#include <algorithm>
#include <cstdio>

namespace understudy::bench {

namespace {

constexpr std::size_t kMaxMistakes = 20;

double share(int part, int whole) noexcept {
  return whole == 0 ? 0.0 : static_cast<double>(part) / whole;
}

std::string line(const char* name, const ClassScore& score) {
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "%-20s %6d %10.3f %8.3f %8.3f\n", name, score.pairs,
                score.precision(), score.recall(), score.f1());
  return text.data();
}

}  // namespace

double ClassScore::precision() const noexcept {
  return share(hits, hits + false_alarms);
}
double ClassScore::recall() const noexcept {
  return share(hits, pairs);
}
double ClassScore::f1() const noexcept {
  return share(2 * hits, pairs + hits + false_alarms);
}

double Scores::macro_f1() const noexcept {
  double sum = 0.0;
  for (std::size_t c = kBenignClasses; c < kPairClasses; ++c) sum += classes[c].f1();
  return sum / (kPairClasses - kBenignClasses);
}

double Scores::benign_flag_rate() const noexcept {
  return share(benign_flagged, benign_pairs);
}

Scores score(const std::vector<LabelledPair>& pairs) {
  Scores scores;
  for (const LabelledPair& pair : pairs) {
    const PairClass found = detected(pair);
    ++scores.classes[static_cast<std::size_t>(pair.truth)].pairs;
    const bool benign = is_benign(pair.truth);
    if (benign) ++scores.benign_pairs;
    if (found == pair.truth || (benign && is_benign(found))) {
      ++scores.classes[static_cast<std::size_t>(pair.truth)].hits;
      continue;
    }
    if (benign) ++scores.benign_flagged;
    if (!is_benign(found)) ++scores.classes[static_cast<std::size_t>(found)].false_alarms;
    if (scores.mistakes.size() < kMaxMistakes) {
      scores.mistakes.push_back(std::string{label(pair.truth)} + " taken for " +
                                std::string{is_benign(found) ? "nothing" : label(found)} + ": " +
                                pair.other.answer.text.substr(0, 160));
    }
  }
  return scores;
}

double target_of(PairClass pair_class) noexcept {
  if (pair_class == PairClass::refusal) return 0.90;
  if (pair_class == PairClass::language || pair_class == PairClass::label_flip) return 0.95;
  if (pair_class == PairClass::breaks_off) return 0.85;
  return pair_class == PairClass::off_topic ? 0.50 : 0.99;  // the weakest signal, never a gate
}

bool reaches_targets(const Scores& scores) noexcept {
  for (std::size_t c = kBenignClasses; c < kPairClasses; ++c) {
    if (scores.classes[c].f1() < target_of(static_cast<PairClass>(c))) return false;
  }
  return scores.macro_f1() >= 0.95 && scores.benign_flag_rate() <= 0.01;
}

std::string table(const Scores& scores) {
  std::string text = "class                 pairs  precision   recall       F1\n";
  for (std::size_t c = kBenignClasses; c < kPairClasses; ++c) {
    text += line(label(static_cast<PairClass>(c)).data(), scores.classes[c]);
  }
  std::array<char, 128> summary{};
  std::snprintf(summary.data(), summary.size(),
                "macro F1 %.3f; benign pairs flagged: %d of %d (%.2f %%)\n", scores.macro_f1(),
                scores.benign_flagged, scores.benign_pairs, 100.0 * scores.benign_flag_rate());
  return text + summary.data();
}

}  // namespace understudy::bench

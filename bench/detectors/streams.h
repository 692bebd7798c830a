#pragma once
// Streams of pairs made from a seed, as the analysis thread would hand them to the evidence: what
// the detector benchmark runs the engine and its rivals on.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/detectors/random.h"
#include "metrics/evidence/evidence.h"

namespace understudy::bench {

// How a candidate is worse, in one gate and one family.
struct Regression {
  std::string_view name;
  std::string_view signal;  // of the gate that has to find it
  double rate = 0.0;  // share of the family's answers that it spoils; of latency, the ratio - 1
  double grows_over = 0.0;  // pairs of the family until it has that rate; 0: at once
};

// What kind of traffic a stream is.
struct StreamPlan {
  std::size_t families = 20;
  double pairs_an_hour = 800.0;
  // Answers that either side spoils, whatever the model, in every gate of flags. Of gates of noise,
  // how often two answers of one model differ.
  double noise = 0.002;
  bool noise_varies = false;   // by family and gate: 0.1 % to 2 %, of noise gates 2 % to 12 %
  double slow_tail = 1.0;      // times as long as else take 6 % of the candidate's answers
  bool day_and_night = false;  // families, spoilt answers and latencies change with the hour
  std::optional<Regression> regression{};
  std::optional<std::size_t> affected_family{};  // none: all of them
};

// What either side, and the primary asked again, did wrong in one gate.
struct Flags {
  bool primary = false, candidate = false, primary_again = false;
};

struct StreamedPair {
  std::size_t family = 0;
  std::chrono::system_clock::time_point at{};
  std::array<Flags, metrics::kGateCount> flags{};
  metrics::Comparison shadow, control;
  metrics::Observation served, other;
};

class PairStream {
 public:
  PairStream(const StreamPlan& plan, std::uint64_t seed);

  static std::chrono::system_clock::time_point begin() noexcept;
  // Overwritten by the next call.
  const StreamedPair& next();
  const std::string& family_name(std::size_t family) const { return names_[family]; }
  std::uint64_t pairs() const noexcept { return pairs_; }
  // The candidate is worse from now on.
  void regress(const Regression& regression, std::optional<std::size_t> family);
  // Of the affected family, since it is.
  std::uint64_t affected_pairs() const noexcept { return affected_pairs_; }

 private:
  std::size_t draw_family(double day);
  void draw_flags(double day);
  void draw_times(double day);
  bool is_affected() const noexcept;
  double spoilt(std::size_t gate) const noexcept;

  StreamPlan plan_;
  SplitMix64 random_;
  std::vector<std::string> names_;
  std::vector<double> up_to_;                                   // shares of the families, added up
  std::vector<std::array<double, metrics::kGateCount>> noise_;  // by family and gate
  StreamedPair pair_;
  std::uint64_t pairs_ = 0, affected_pairs_ = 0;
};

// Counts the pair in the evidence, with the primary's second answer where it was asked for.
void record(metrics::RouteEvidence& evidence, const StreamedPair& pair, const std::string& family,
            bool asked_again = true);

}  // namespace understudy::bench

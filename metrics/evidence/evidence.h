#pragma once
// What the pairs of a route have shown so far: counts and nothing else, so that the evidence of
// threads, processes and restarts adds up. One object per route and experiment, on the analysis
// thread; copies are values.

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "metrics/comparison.h"
#include "metrics/evidence/example_pairs.h"
#include "metrics/evidence/message_counts.h"
#include "metrics/evidence/spend.h"
#include "metrics/evidence/traffic.h"
#include "metrics/observation.h"
#include "metrics/statistics/betting.h"
#include "metrics/statistics/quantiles.h"
#include "routing/gates.h"

namespace understudy::metrics {

inline constexpr std::size_t kGateCount = routing::kGates.size();

// How a gate's pairs become values (divergence reference 2.3).
enum class GateKind : std::uint8_t {
  flag,   // bad(candidate) - bad(primary), the same function for both
  noise,  // differs(primary, candidate) - differs(primary, primary asked again)
  ratio   // ln(candidate / primary)
};
GateKind gate_kind(std::size_t gate) noexcept;
std::size_t gate_values(std::size_t gate) noexcept;  // how many values its counts have

struct GateCounts {
  // The first gate_values() are used. Of a noise gate: triples.
  std::array<std::uint64_t, kRatioValues> values{};
  // Rates to show. Of a noise gate `primary` counts pairs with the primary's second answer.
  std::uint64_t candidate_pairs = 0, candidate_bad = 0;
  std::uint64_t primary_pairs = 0, primary_bad = 0;

  ValueCounts counts(std::size_t gate) const noexcept { return {values.data(), gate_values(gate)}; }
  std::uint64_t total() const noexcept;
  void merge(const GateCounts& other) noexcept;
  friend bool operator==(const GateCounts&, const GateCounts&) = default;
};

struct FamilyEvidence {
  std::uint64_t pairs = 0;
  std::uint64_t triples = 0;
  std::array<GateCounts, kGateCount> gates{};
  // Gates that alarmed once: an e-process may be trusted at its largest.
  std::bitset<kGateCount> alarmed;
  PairedSpend primary, candidate;

  void merge(const FamilyEvidence& other) noexcept;
  friend bool operator==(const FamilyEvidence&, const FamilyEvidence&) = default;
};

// A pair as it is counted.
struct PairOutcome {
  const Comparison& comparison;  // served against the copy
  const Observation& served;
  const Observation& other;
  bool served_by_candidate = false;
  const PairCost* cost = nullptr;  // none: not known
  std::string_view exchange_id{};  // names it in the records; empty: it is no example
};

class RouteEvidence {
 public:
  static constexpr std::size_t kMaxFamilies = 256;
  static constexpr std::string_view kOther = "other";  // what found no family, or no room

  // `experiment` identifies what is compared: models, rewrites, families' definition.
  RouteEvidence(std::string experiment, std::chrono::system_clock::time_point since);

  // A pair, at once; and, when the control leg answered as well, the same pair with its noise.
  void record_pair(std::string_view family, const PairOutcome& pair,
                   std::chrono::system_clock::time_point now);
  void record_triple(std::string_view family, const Comparison& shadow, const Comparison& control);
  // A pair that says nothing: the candidate was throttled; a repeated conversation or body.
  void record_missing() noexcept { ++missing_; }
  void record_repeat() noexcept { ++repeats_; }
  // What the candidate said to a request that it refused as invalid (divergence/error_headline.h).
  void record_validation_error(std::string_view family, std::string_view headline);
  // All requests of the route, copied or not, that came during the last `watched`.
  void record_traffic(std::uint64_t requests, std::chrono::milliseconds watched,
                      std::chrono::system_clock::time_point now) {
    traffic_.add(requests, watched, now);
  }

  // Adds the evidence of another process on the same experiment. Families beyond the bound go to
  // `other`.
  void merge(const RouteEvidence& other);
  // Remembers the alarms that the thresholds raise now. Call after recording.
  void latch(std::string_view family, std::size_t gate);
  void latch_pooled(std::size_t gate) { pooled_.alarmed.set(gate); }

  const std::string& experiment() const noexcept { return experiment_; }
  std::chrono::system_clock::time_point since() const noexcept { return since_; }
  const FamilyEvidence& pooled() const noexcept { return pooled_; }
  const std::map<std::string, FamilyEvidence, std::less<>>& families() const noexcept {
    return families_;
  }
  std::uint64_t missing() const noexcept { return missing_; }
  std::uint64_t repeats() const noexcept { return repeats_; }
  const MessageCounts& validation_errors() const noexcept { return validation_errors_; }
  const ExamplePairs& examples() const noexcept { return examples_; }
  const TrafficTally& traffic() const noexcept { return traffic_; }
  // Of the pairs' costs: a day, or "from to to" where the prices changed; empty without costs.
  std::string prices_as_of() const;
  // Hours of the clock in which pairs came.
  std::uint64_t hours() const noexcept { return hours_; }
  const TimeSketch& latency(routing::Variant variant) const noexcept {
    return latency_[static_cast<std::size_t>(variant)];
  }
  const TimeSketch& first_token(routing::Variant variant) const noexcept {
    return first_token_[static_cast<std::size_t>(variant)];
  }

 private:
  friend struct EvidenceFormat;  // evidence_json.cc
  FamilyEvidence& family(std::string_view name);
  void record_examples(std::string_view family, const PairOutcome& pair,
                       std::chrono::system_clock::time_point now);
  void record_prices(std::string_view oldest, std::string_view newest);

  std::string experiment_;
  std::chrono::system_clock::time_point since_;
  FamilyEvidence pooled_;
  std::map<std::string, FamilyEvidence, std::less<>> families_;
  std::uint64_t missing_ = 0, repeats_ = 0;
  std::uint64_t hours_ = 0;
  std::int64_t last_hour_ = -1;
  MessageCounts validation_errors_;
  ExamplePairs examples_;
  TrafficTally traffic_;
  std::string oldest_prices_, newest_prices_;  // days as in "2026-11-20"
  std::array<TimeSketch, 2> latency_, first_token_;
};

}  // namespace understudy::metrics

#pragma once
// What the pairs of a route have shown so far: counts and nothing else, so that the evidence of
// threads, processes and restarts adds up. One object per route and experiment, on the analysis
// thread; copies are values.

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/comparison.h"
#include "metrics/evidence/containment_counts.h"
#include "metrics/evidence/example_pairs.h"
#include "metrics/evidence/gate_counts.h"
#include "metrics/evidence/message_counts.h"
#include "metrics/evidence/quantile_alarms.h"
#include "metrics/evidence/recent_past.h"
#include "metrics/evidence/spend.h"
#include "metrics/evidence/style_counts.h"
#include "metrics/evidence/traffic.h"
#include "metrics/observation.h"
#include "metrics/statistics/quantiles.h"

namespace understudy::metrics {

// Which of a gate's e-processes: that of all pairs, one that began with an hour of the clock, or
// that of the rollout's stage: what has seen good times for long is slow to see the bad ones.
enum class Process : std::uint8_t { whole, hour, stage };
std::string_view label(Process process) noexcept;

// The process that speaks loudest, and what it began with: hours since the Unix epoch, or the
// stage's ordinal; nothing of `whole`.
struct ProcessOrigin {
  Process process = Process::whole;
  std::int64_t begin = 0;
  friend bool operator==(const ProcessOrigin&, const ProcessOrigin&) = default;
};

inline constexpr std::size_t kErrorGate = *routing::gate_of("error_class");

inline constexpr double kAnyThreshold = std::numeric_limits<double>::infinity();

struct FamilyEvidence {
  std::uint64_t pairs = 0;
  std::uint64_t triples = 0;
  std::uint64_t extra_pairs = 0;  // of `pairs`: those that do not stand for all traffic
  std::array<GateCounts, kGateCount> gates{};
  RecentPast recent;
  SpanCounts stage;  // since the rollout's stage began
  // Gates that alarmed once, and by which process: an e-process may be trusted at its largest. Each
  // was worse by more than this; kAnyThreshold where files of former versions do not tell.
  std::bitset<kGateCount> alarmed;
  std::array<ProcessOrigin, kGateCount> alarmed_by{};
  std::array<double, kGateCount> alarmed_at{};
  PairedSpend primary, candidate;
  ContainmentCounts containment;

  void add(const PairMarks& marks, std::int64_t hour, bool in_stage);
  // The first alarm stays, unless another says more.
  void latch(std::size_t gate, ProcessOrigin origin, double threshold) noexcept;
  // False where the gate's threshold has been raised since: what alarmed need not be worse than
  // that.
  bool alarm_stands(std::size_t gate, double threshold) const noexcept {
    return alarmed.test(gate) && alarmed_at[gate] >= threshold;
  }
  // All but the stage's counts, which RouteEvidence knows how to add.
  void merge(const FamilyEvidence& other);
  friend bool operator==(const FamilyEvidence&, const FamilyEvidence&) = default;
};

// A pair as it is counted.
struct PairOutcome {
  const Comparison& comparison;
  // As of the comparison: the primary's answer and the candidate's, whoever served.
  const Observation& served;
  const Observation& other;
  const PairCost* cost = nullptr;  // none: not known
  std::string_view exchange_id{};  // names it in the records; empty: it is no example
  std::string_view language{};     // of the primary's answer; empty: not known
  // It stands for all traffic. A pair of a family that is copied more often than others does not:
  // it counts in its family alone, so that the pool stays a uniform sample.
  bool in_pool = true;
};

// Which attempts of an exchange failed that was drawn to be compared, where a failure left nothing
// to compare. None: that variant was not asked.
//
// What the gate of errors makes of them. A copy is sent only where the served attempt succeeded, so
// pairs alone show the other variant's failures and never the served one's: two equal models that
// fail now and then would alarm, however many good pairs lie between. So the failure of the served
// attempt is one value by itself: D = -1 where it was the primary's, +1 where it was the
// candidate's. With p and c the failures of both variants on one request:
//   primary serves    D = c - p but where both fail, which counts -1: E[D] = P(c) - P(p) - P(both).
//                     Never above the true difference, so "not worse" is rejected no more often
//                     than is stated; equal rates q that are independent give -q^2, and failures
//                     that come together (an outage of the region) at least -q.
//   candidate serves, falls back
//                     Both are known: D = c - p to the letter.
//   candidate serves alone
//                     E[D] = P(c) - P(p) + P(both): above the truth by q^2, or by an outage of
//                     both; but an outage meets the primary's share as well and counts -1 there, so
//                     that it tells against the candidate only where that serves more than half.
// What nobody asked the candidate does not speak for it: on the way to "safe" a primary's failure
// alone counts as a tie (verdict.cc), so that P(both) cannot hide a candidate that fails more.
// Throttling and what the client did wrong (4xx) are left out on both sides: the one is missing
// data, with the other nobody is asked.
struct FailedAttempts {
  std::optional<bool> primary, candidate;
  bool in_pool = true;  // as of a pair
};

// A stage of the rollout: evidence gathered in it is also judged by itself.
struct Stage {
  std::string name;
  std::int64_t ordinal = 0;  // from 1: how many have begun
  std::chrono::sys_seconds since{};
  friend bool operator==(const Stage&, const Stage&) = default;
};

// Copies of the route's requests, as its books have them.
struct CopyCounts {
  std::uint64_t drawn = 0;    // that should have been sent
  std::uint64_t dropped = 0;  // of those, by our own limits
  friend bool operator==(const CopyCounts&, const CopyCounts&) = default;
};

// Counts that others made: a fleet's, put together from its sums (evidence/fleet_evidence.h). What
// they cost and which pairs show it is not among them.
struct CountedEvidence {
  std::chrono::sys_seconds since{};
  std::uint64_t hours = 0, missing = 0;
  FamilyEvidence pooled{};
  std::map<std::string, FamilyEvidence, std::less<>> families{};
  std::optional<Stage> stage{};
  std::array<TimeSketch, 2> latency{}, first_token{};
  QuantileAlarms quantile_alarms{};
};

class RouteEvidence {
 public:
  static constexpr std::size_t kMaxFamilies = 256;
  static constexpr std::size_t kMaxShared = 20;
  static constexpr std::string_view kOther = "other";  // what found no family, or no room
  static constexpr std::size_t kMaxLanguages = 32;     // that are counted by name

  // `experiment` identifies what is compared: models, rewrites, families' definition.
  RouteEvidence(std::string experiment, std::chrono::system_clock::time_point since);
  static RouteEvidence of(std::string experiment, CountedEvidence counted);

  // A pair, at once; and, when the control leg answered as well, the same pair with its noise.
  void record_pair(std::string_view family, const PairOutcome& pair,
                   std::chrono::system_clock::time_point now);
  // Both comparisons are of answers, and the control asked the primary again.
  void record_triple(std::string_view family, const Comparison& shadow, const Comparison& control,
                     bool in_pool = true);
  // No pair: an exchange that failed before there was one.
  void record_failure(std::string_view family, const FailedAttempts& failed,
                      std::chrono::system_clock::time_point now);
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
  // Copies that were drawn since they were last told of.
  void record_copies(const CopyCounts& more) noexcept {
    copies_.drawn += more.drawn;
    copies_.dropped += more.dropped;
  }
  // The traffic of before: it is the route's, whatever is compared there.
  void record_former_traffic(const TrafficTally& former) { traffic_.merge(former.without_pairs()); }

  // Pairs from now on are also counted by themselves, until the next stage begins. A stage that
  // goes on already is left alone.
  // False where that stage is the one that goes on.
  bool begin_stage(std::string_view name, std::chrono::system_clock::time_point now);

  // Adds the evidence of another process on the same experiment. Families beyond the bound go to
  // `other`. Alarms of either stand: a process that judged by itself raises a false one with 5 % at
  // most, and so does the sum, N of them and their sum with (N + 1) 5 %. The other way, an alarm
  // that was true at one of them would be lost among the good pairs of all the others.
  void merge(const RouteEvidence& other);
  // Remembers alarms that the thresholds raise now.
  void latch(std::string_view family, std::size_t gate, ProcessOrigin origin = {},
             double threshold = kAnyThreshold);
  void latch_pooled(std::size_t gate, ProcessOrigin origin = {}, double threshold = kAnyThreshold) {
    pooled_.latch(gate, origin, threshold);
  }
  // The same of a quantile of times (evidence/quantile_alarms.h).
  void latch_quantile(std::size_t time, std::size_t quantile, double threshold) noexcept {
    quantile_alarms_.latch(time, quantile, threshold);
  }
  // The alarms that the evidence of before remembers.
  void latch_as(const RouteEvidence& before);

  const std::string& experiment() const noexcept { return experiment_; }
  std::chrono::system_clock::time_point since() const noexcept { return since_; }
  const FamilyEvidence& pooled() const noexcept { return pooled_; }
  const std::map<std::string, FamilyEvidence, std::less<>>& families() const noexcept {
    return families_;
  }
  // The first kMaxShared families that are the same on every proxy of a fleet, in the order in
  // which they came, which does not change: mined ones never are.
  const std::vector<std::string>& shared() const noexcept { return shared_; }
  std::uint64_t missing() const noexcept { return missing_; }
  std::uint64_t repeats() const noexcept { return repeats_; }
  const MessageCounts& validation_errors() const noexcept { return validation_errors_; }
  const ExamplePairs& examples() const noexcept { return examples_; }
  const TrafficTally& traffic() const noexcept { return traffic_; }
  const CopyCounts& copies() const noexcept { return copies_; }
  // Of the pairs' costs: a day, or "from to to" where the prices changed; empty without costs.
  std::string prices_as_of() const;
  const std::optional<Stage>& stage() const noexcept { return stage_; }
  // Hours of the clock in which pairs came.
  std::uint64_t hours() const noexcept { return hours_; }
  const TimeSketch& latency(routing::Variant variant) const noexcept {
    return latency_[static_cast<std::size_t>(variant)];
  }
  const TimeSketch& first_token(routing::Variant variant) const noexcept {
    return first_token_[static_cast<std::size_t>(variant)];
  }
  const QuantileAlarms& quantile_alarms() const noexcept { return quantile_alarms_; }
  const StyleCounts& style() const noexcept { return style_; }
  // Pairs by the language of the primary's answer, as far as that could be told: what no pair is of
  // was not tested.
  const std::map<std::string, std::uint64_t, std::less<>>& languages() const noexcept {
    return languages_;
  }

 private:
  friend struct EvidenceFormat;  // evidence_json.cc
  FamilyEvidence& family(std::string_view name);
  void share(const std::string& family);
  void record_examples(std::string_view family, const PairOutcome& pair,
                       std::chrono::system_clock::time_point now);
  void record_prices(std::string_view oldest, std::string_view newest);
  void merge_stage(const RouteEvidence& other);
  void count_language(std::string_view language, std::uint64_t pairs);

  std::string experiment_;
  std::chrono::system_clock::time_point since_;
  FamilyEvidence pooled_;
  std::map<std::string, FamilyEvidence, std::less<>> families_;
  std::vector<std::string> shared_;
  std::uint64_t missing_ = 0, repeats_ = 0;
  std::uint64_t hours_ = 0;
  std::int64_t last_hour_ = -1;
  MessageCounts validation_errors_;
  ExamplePairs examples_;
  TrafficTally traffic_;
  CopyCounts copies_;
  std::string oldest_prices_, newest_prices_;  // days as in "2026-11-20"
  std::optional<Stage> stage_;
  std::array<TimeSketch, 2> latency_, first_token_;
  QuantileAlarms quantile_alarms_;
  StyleCounts style_;
  std::map<std::string, std::uint64_t, std::less<>> languages_;
};

}  // namespace understudy::metrics

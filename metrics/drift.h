#pragma once
// Whether a candidate that serves everything gets worse than its rollout saw it. The rollout's
// figures are frozen when it is complete; what comes later is held against them by e-processes (one
// over all of it, and one from each hour of the clock on), so that one may look whenever one likes.
//
// For each signal the null is "not worse than at the rollout": the mean later is at most the upper
// end of the confidence sequence of the mean before, plus what the gate allows. Sequence and
// e-process share the signal's part of 5 %, half each. The times to the first token are those of
// the candidate alone, as ratios to what was usual during the rollout, and are allowed what the
// gate `latency` allows. Values and pure functions of counts.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/evidence/evidence.h"
#include "metrics/statistics/betting.h"
#include "routing/config.h"

namespace understudy::metrics {

// Requests that the candidate was to serve.
struct ServedTally {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;     // answered with anything but 2xx
  std::uint64_t fallbacks = 0;  // the primary had to answer
  void add(const ServedTally& other) noexcept;
  friend bool operator==(const ServedTally&, const ServedTally&) = default;
};

// Of one hour of the clock, in hours since the Unix epoch.
struct ServedHour {
  std::int64_t hour = 0;
  ServedTally tally;
  friend bool operator==(const ServedHour&, const ServedHour&) = default;
};

// Times to the first token of the candidate's streams, as ratios to a usual one (betting.h).
using FirstTokenCounts = std::array<std::uint64_t, kRatioValues>;
struct FirstTokens {
  double usual_ms = 0.0;  // their geometric mean; 0: there was no stream
  FirstTokenCounts counts{};
  friend bool operator==(const FirstTokens&, const FirstTokens&) = default;
};
FirstTokens first_tokens_of(const RouteEvidence& evidence);
// The same against a usual time that is given, which is above 0.
FirstTokenCounts first_tokens_against(const RouteEvidence& evidence, double usual_ms);
// Which came in between; none where something is gone that was there.
std::optional<FirstTokenCounts> first_tokens_since(const FirstTokenCounts& now,
                                                   const FirstTokenCounts& before) noexcept;

struct FirstTokenHour {
  std::int64_t hour = 0;
  FirstTokenCounts counts{};
  friend bool operator==(const FirstTokenHour&, const FirstTokenHour&) = default;
};

struct DriftBaseline {
  std::chrono::sys_seconds since{};  // when the rollout was complete
  std::array<GateCounts, kGateCount> gates{};
  ServedTally served;
  FirstTokens first_tokens{};
  friend bool operator==(const DriftBaseline&, const DriftBaseline&) = default;
};

// The gates of the evidence, of the served requests `error_rate` and `fallback_rate`, and
// `first_token`.
inline constexpr std::size_t kServedSignals = 2;
inline constexpr std::size_t kFirstTokenSignal = kGateCount + kServedSignals;
inline constexpr std::size_t kDriftSignals = kFirstTokenSignal + 1;
std::string_view drift_signal(std::size_t signal) noexcept;

struct DriftFinding {
  std::size_t signal = 0;
  bool drifts = false;
  std::uint64_t seen = 0;          // pairs, requests or streams since
  std::optional<double> before{};  // shares; of ratios the candidate's figure over the primary's;
                                   // of first_token seconds
  std::optional<double> after{};
  // When the loudest process began; none: with the rollout's end.
  std::optional<std::chrono::sys_seconds> from{};
  std::string text{};  // in plain words
};

class DriftJudge {
 public:
  DriftJudge(const DriftBaseline& baseline, const routing::VerdictConfig& rules);

  // What is seen of each signal that is judged; those without a count are left out. `evidence` goes
  // on from the one that the baseline was taken of; null: not known. `hours` are those since, of
  // `first_tokens` perhaps only the newest: times against the baseline's usual one.
  std::vector<DriftFinding> judge(const RouteEvidence* evidence,
                                  const std::vector<ServedHour>& hours,
                                  const std::vector<FirstTokenHour>& first_tokens = {}) const;

  const routing::VerdictConfig& rules() const noexcept { return rules_; }

 private:
  struct Bet {
    std::size_t signal = 0;
    double before = 0.0;  // mean
    Bets bets;
  };
  struct Weight;
  void bet_on(std::size_t signal, ValueCounts before, double allowed_mean(double, double),
              double allowance);
  std::optional<DriftFinding> judge_gate(const Bet& bet, const RouteEvidence& evidence) const;
  std::optional<DriftFinding> judge_served(const Bet& bet,
                                           const std::vector<ServedHour>& hours) const;
  std::optional<DriftFinding> judge_first_tokens(const Bet& bet, const RouteEvidence& evidence,
                                                 const std::vector<FirstTokenHour>& hours) const;

  DriftBaseline baseline_;
  routing::VerdictConfig rules_;
  double threshold_ = 0.0;
  std::vector<Bet> bets_;
};

}  // namespace understudy::metrics

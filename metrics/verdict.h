#pragma once
// What the evidence of a route allows: each gate's state, the verdict with its reasons, and what is
// still missing. A pure function of counts and rules.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/evidence/evidence.h"
#include "metrics/family.h"
#include "routing/config.h"

namespace understudy::metrics {

enum class VerdictState : std::uint8_t { safe_to_promote, keep_shadowing, fix_first, roll_back };
std::string_view label(VerdictState state) noexcept;

enum class GateState : std::uint8_t {
  alarm,  // worse beyond chance, however often one looked
  open,   // not known yet
  safe,   // worse by less than the margin, beyond chance
  info    // no gate, or switched off
};
std::string_view label(GateState state) noexcept;

// One gate, over all traffic or in one family.
struct GateResult {
  std::string family{kAllFamilies};
  std::size_t gate = 0;  // index into routing::kGates
  GateState state = GateState::open;
  bool critical = false;
  // That it was judged by; of noise gates those with a second answer of the primary.
  std::uint64_t pairs = 0;
  std::optional<double> primary_rate;    // shares of bad answers; none for ratios
  std::optional<double> candidate_rate;  // for noise gates: of pairs that differ
  // Shares: candidate minus primary. Ratios: the candidate's figure over the primary's, minus 1.
  std::optional<double> difference;
  Interval interval;                          // a confidence sequence, 95 %, in the same unit
  double log_e_worse = 0.0;                   // against "not worse"
  double log_e_safe = 0.0;                    // against "worse by the margin"
  std::optional<std::uint64_t> pairs_needed;  // until safe, if all goes on as it did
  // Of alarms: the process that raised it; the figures above are of the pairs it has seen.
  Process process = Process::whole;
  std::optional<std::chrono::sys_seconds> since{};  // when it began, unless with the evidence
  std::string stage{};                              // which it began with
  std::string leading_family{};  // of alarms over all traffic that a family raises more than all
  std::string text;              // in plain words
};

// One quantile of one kind of time, both variants over the same pairs; milliseconds.
struct QuantileResult {
  struct Side {
    std::uint64_t answers = 0;
    std::optional<double> value{};
    std::optional<Interval> bounds{};  // 95 %, at all times together
  };
  std::string_view signal;  // latency or first_token
  double quantile = 0.5;
  GateState state = GateState::open;
  Side primary{}, candidate{};
  std::string text;
};

// What the evidence does not tell by itself.
struct CoverageFacts {
  CopyCounts copies{};
  bool candidate_serves = false;
};

struct Verdict {
  VerdictState state = VerdictState::keep_shadowing;
  std::string text;                 // one sentence
  std::vector<GateResult> reasons;  // the most telling first: alarms, then what is open, then safe
  // By family: the gate that says most against the candidate there; none where nothing does.
  struct Worst {
    std::size_t gate = 0;
    double log_e = 0.0;  // against "not worse"
  };
  std::map<std::string, Worst, std::less<>> worst{};
  std::vector<QuantileResult> quantiles;  // of latency and time to first token
  std::vector<std::string> missing;       // why it is not safe_to_promote, where no gate says so
  std::uint64_t pairs = 0, triples = 0, hours = 0;
  // While it keeps shadowing, if all goes on as it does: pairs until all gates are safe and every
  // family has been seen often enough, and hours of the clock with pairs until min_hours; both it
  // takes. None: no more are needed, there is no telling yet how many pairs, or copies are lost,
  // which pairs do not mend.
  std::optional<std::uint64_t> pairs_needed{}, hours_needed{};
};

// Families of which no more has to be known: every gate that is on is safe there, none alarms, and
// they have min_pairs_per_family pairs, also in the rollout's stage where there is one.
std::set<std::string, std::less<>> settled_families(const RouteEvidence& evidence,
                                                    const routing::VerdictConfig& rules);

// Whether pairs came at a peak of the traffic, as far as that was watched; asked along with
// min_hours.
bool saw_peak(const RouteEvidence& evidence, const routing::VerdictConfig& rules) noexcept;

Verdict judge(const RouteEvidence& evidence, const routing::VerdictConfig& rules,
              const CoverageFacts& facts);

}  // namespace understudy::metrics

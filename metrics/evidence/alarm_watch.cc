#include "metrics/evidence/alarm_watch.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace understudy::metrics {
namespace {

using routing::kGates;
using routing::VerdictConfig;

// Half of the 5 % of false alarms goes to the route as a whole, half to its families.
constexpr double kPooledAlpha = 0.025;
// The families' half is shared by the next power of two above their number, at least 32. Those
// that come later find the shares halved each time, which adds up to 2.5 times one share each.
constexpr double kSharesInAll = 2.5;
constexpr double kFamilyAlpha = 0.025;
constexpr std::size_t kFewestShares = 32;
// Of a fair gate's part of that: what goes where pairs differ.
constexpr double kByDiffering = 0.75;

constexpr double kOnWhole = 0.70, kOnHours = 0.25, kOnStages = 0.05;
// A week of hours and eight stages cost about as much each as the first one.
constexpr double kSlownessOfHours = 168.0, kSlownessOfStages = 8.0;

// A process that has lost its bet matters to no alarm; leaving it out errs on the safe side.
constexpr double kWorth = 0.1;

double enabled_gates(const VerdictConfig& rules) noexcept {
  return static_cast<double>(std::ranges::count_if(
      rules.gates, [](const auto& thresholds) { return thresholds.has_value(); }));
}

// One over the equal share of each of so many families.
double parts_of(std::size_t families) noexcept {
  return kSharesInAll * static_cast<double>(std::bit_ceil(std::max(kFewestShares, families)));
}

// ln of a sum that is told term by term, and its largest term.
class LogSum {
 public:
  void add(double log, ProcessOrigin origin) noexcept {
    if (!(log > -std::numeric_limits<double>::infinity())) return;
    if (log > largest_) {
      sum_ = sum_ * std::exp(largest_ - log) + 1.0;
      largest_ = log;
      origin_ = origin;
    } else {
      sum_ += std::exp(log - largest_);
    }
  }
  AlarmWatch::Weight weight() const noexcept {
    if (sum_ == 0.0) return {};
    return {largest_ + std::log(sum_), origin_, largest_};
  }

 private:
  double largest_ = -std::numeric_limits<double>::infinity();
  double sum_ = 0.0;
  ProcessOrigin origin_{};
};

}  // namespace

double mean_at(std::size_t gate, double threshold) noexcept {
  return kGates[gate].unit == routing::GateUnit::ratio ? mean_of_ratio(1.0 + threshold)
                                                       : mean_of_difference(threshold);
}

double pooled_alpha(const VerdictConfig& rules) noexcept {
  return kPooledAlpha / (enabled_gates(rules) + 1.0);
}

double family_alpha(const VerdictConfig& rules, std::size_t families) noexcept {
  return kFamilyAlpha / (enabled_gates(rules) * parts_of(families));
}

AlarmWatch::AlarmWatch(const VerdictConfig& rules) : rules_(rules), fair_(fair_gates(rules)) {
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (!rules.gates[gate]) continue;
    index_[gate] = bets_.size();
    bets_.emplace_back(Null::mean_at_most, mean_at(gate, rules.gates[gate]->alarm),
                       gate_values(gate));
  }
  of_all_ = log_threshold(pooled_alpha(rules));
  if (fair_.any()) {
    const double part = static_cast<double>(fair_.count()) / enabled_gates(rules);
    by_differing_ = log_threshold(kFamilyAlpha * part * kByDiffering);
  }
}

void AlarmWatch::weigh_gates(const FamilyEvidence& evidence, const Calendar& calendar,
                             Weights& weights) const {
  std::array<LogSum, kGateCount> sums{};
  const auto bet = [&](const auto& counts_of, double share, ProcessOrigin origin) {
    const double log_share = std::log(share);
    for (std::size_t gate = 0; gate < kGateCount; ++gate) {
      if (!rules_.gates[gate]) continue;
      const double log_e = bets_[index_[gate]].log_e(counts_of(gate), kWorth - log_share);
      sums[gate].add(log_share + log_e, origin);
    }
  };
  bet([&](std::size_t gate) { return evidence.gates[gate].counts(gate); }, kOnWhole, {});
  if (calendar.stage > 0) {
    bet([&](std::size_t gate) { return evidence.stage.values(gate); },
        kOnStages * share_of(calendar.stage, kSlownessOfStages), {Process::stage, calendar.stage});
  }
  SpanCounts since;
  const auto& spans = evidence.recent.spans();
  for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
    since.merge(span->counts);
    const std::int64_t k = span->begin - calendar.first_hour + 1;
    bet([&](std::size_t gate) { return since.values(gate); },
        kOnHours * share_of(k, kSlownessOfHours), {Process::hour, span->begin});
  }
  for (std::size_t gate = 0; gate < kGateCount; ++gate) weights[gate] = sums[gate].weight();
}

bool AlarmWatch::weigh(const FamilyEvidence& evidence, const Calendar& calendar,
                       Known& known) const {
  // Every pair counts there, and what failed before it was one.
  const std::uint64_t pairs = evidence.gates[kErrorGate].total();
  if (known.pairs == pairs && known.triples == evidence.triples && known.stage == calendar.stage)
    return false;
  known.pairs = pairs;
  known.triples = evidence.triples;
  known.stage = calendar.stage;
  weigh_gates(evidence, calendar, known.weights);
  return true;
}

// One process of each gate is asked, the loudest: that is as good as all of them and never says
// more.
GateSet AlarmWatch::alarms_by_differing(StreamShares& shares, const FamilyEvidence& family,
                                        const Weights& weights) const {
  GateSet alarms;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const Weight& weight = weights[gate];
    // What alarmed before needs no level any more, and most streams have no share that would do.
    if (!fair_.test(gate) || weight.log_loudest < by_differing_ || family.alarm_stands(gate, 0.0))
      continue;
    const double share = shares.of(family, gate, weight.origin);
    alarms.set(gate, share > 0.0 && weight.log_loudest + std::log(share) >= by_differing_);
  }
  return alarms;
}

void AlarmWatch::look(const RouteEvidence& evidence) {
  const Calendar calendar{
      .first_hour =
          std::chrono::floor<std::chrono::hours>(evidence.since()).time_since_epoch().count(),
      .stage = evidence.stage() ? evidence.stage()->ordinal : 0};
  weigh(evidence.pooled(), calendar, all_);
  StreamShares shares(evidence, fair_);
  for (const auto& [name, family] : evidence.families()) {
    auto known = families_.find(name);
    if (known == families_.end()) known = families_.emplace(name, Known{}).first;
    Known& of_family = known->second;
    if (weigh(family, calendar, of_family))
      of_family.by_differing = alarms_by_differing(shares, family, of_family.weights);
  }
  of_family_ = log_threshold(family_alpha(rules_, families_.size()));
  of_fair_ = of_family_ - std::log(1.0 - kByDiffering);
  for (std::size_t gate = 0; gate < kGateCount; ++gate) pool(gate, parts_of(families_.size()));
}

// A sum of e-processes is one, too, where their weights are fixed and add up to one at most. The
// mean over the families that are there is none: each newcomer would change the weights of the
// others and bring a 1 of its own. So a family weighs the share that it found when it came, which
// the sum here never exceeds.
void AlarmWatch::pool(std::size_t gate, double parts) {
  LogSum families;
  const Weight* loudest = nullptr;
  std::string_view family;
  for (const auto& [name, known] : families_) {
    const Weight& one = known.weights[gate];
    families.add(one.log_e, one.origin);
    if (loudest && one.log_e <= loudest->log_e) continue;
    loudest = &one;
    family = name;
  }
  const double log_half = std::log(0.5);
  const Weight& together = all_.weights[gate];
  Weight spread = families.weight();
  spread.log_e -= std::log(parts);
  LogSum both;
  both.add(log_half + together.log_e, together.origin);
  both.add(log_half + spread.log_e, spread.origin);
  static_cast<Weight&>(pooled_[gate]) = both.weight();
  pooled_[gate].family = spread.log_e > together.log_e ? family : std::string_view{};
}

bool AlarmWatch::alarms(std::size_t gate) const noexcept {
  return pooled_[gate].log_e >= of_all_;
}

const AlarmWatch::Weight& AlarmWatch::weight(std::string_view family,
                                             std::size_t gate) const noexcept {
  static const Weight kNone;
  const auto known = families_.find(family);
  return known == families_.end() ? kNone : known->second.weights[gate];
}

bool AlarmWatch::alarms(const Known& family, std::size_t gate) const noexcept {
  return family.by_differing.test(gate) ||
         family.weights[gate].log_e >= (fair_.test(gate) ? of_fair_ : of_family_);
}

bool AlarmWatch::alarms(std::string_view family, std::size_t gate) const noexcept {
  const auto known = families_.find(family);
  return known != families_.end() && alarms(known->second, gate);
}

void AlarmWatch::latch(RouteEvidence& evidence) const {
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (!rules_.gates[gate]) continue;
    const double threshold = rules_.gates[gate]->alarm;
    if (alarms(gate)) evidence.latch_pooled(gate, pooled_[gate].origin, threshold);
    for (const auto& [name, known] : families_) {
      if (alarms(known, gate)) evidence.latch(name, gate, known.weights[gate].origin, threshold);
    }
  }
}

}  // namespace understudy::metrics

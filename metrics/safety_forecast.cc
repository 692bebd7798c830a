#include "metrics/safety_forecast.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "metrics/evidence/alarm_watch.h"

namespace understudy::metrics {
namespace {

// How often each value will come with a pair, if all goes on as it does. As long as nothing tells
// the two variants apart, what differed did so by chance: only how often counts, not whom it spoke
// against. A few values know even that badly; half a value is added to those that differ.
std::array<double, kRatioValues> rates_to_come(const GateCounts& counts, std::size_t gate,
                                               double values_a_pair, bool by_chance) noexcept {
  const double each = values_a_pair / static_cast<double>(counts.total());
  std::array<double, kRatioValues> rates{};
  for (std::size_t k = 0; k < rates.size(); ++k)
    rates[k] = each * static_cast<double>(counts.values[k]);
  if (gate_kind(gate) == GateKind::ratio || !by_chance) return rates;
  const double differ = rates[0] + rates[2] + 0.5 * each;
  rates[1] = std::max(0.0, rates[1] - 0.5 * each);
  rates[0] = rates[2] = differ / 2.0;
  return rates;
}

}  // namespace

std::optional<std::uint64_t> pairs_until_safe(const GateCounts& counts, std::size_t gate,
                                              double margin, double values_a_pair,
                                              bool by_chance) noexcept {
  if (counts.total() == 0) return std::nullopt;
  const auto rates = rates_to_come(counts, gate, values_a_pair, by_chance);
  const ValueCounts values = counts.counts(gate);
  const auto more = more_to_reject(values, std::span(rates).first(values.size()),
                                   Null::mean_at_least, mean_at(gate, margin), kSafetyAlpha);
  if (!more) return std::nullopt;
  return static_cast<std::uint64_t>(std::ceil(*more));
}

bool wants_triples(const FamilyEvidence& evidence, const routing::VerdictConfig& rules) noexcept {
  if (evidence.triples < kFewestTriples) return true;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const auto& thresholds = rules.gates[gate];
    if (!thresholds || gate_kind(gate) != GateKind::noise) continue;
    if (evidence.alarm_stands(gate, thresholds->alarm)) continue;
    const auto more = pairs_until_safe(evidence.gates[gate], gate, thresholds->margin, 1.0, true);
    if (more && *more > 0 && evidence.triples + *more <= kMostTriples) return true;
  }
  return false;
}

}  // namespace understudy::metrics

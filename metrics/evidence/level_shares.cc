#include "metrics/evidence/level_shares.h"

#include <algorithm>

namespace understudy::metrics {
namespace {

constexpr double kSlownessOfRanks = 4.0;

using Differing = std::array<std::uint64_t, kGateCount>;

// Of fair gates: pairs that say +1 or -1.
template <typename CountsOf>
Differing differing_in(const GateSet& fair, const CountsOf& counts_of) {
  Differing differing{};
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (!fair.test(gate)) continue;
    const auto counts = counts_of(gate);
    differing[gate] = std::uint64_t{counts.front()} + counts.back();
  }
  return differing;
}

// Hours that share a span with others count with these, which never makes a share larger.
Differing differing_of(const FamilyEvidence& family, const GateSet& fair,
                       const ProcessOrigin& process) {
  switch (process.process) {
    case Process::hour: {
      const SpanCounts since = family.recent.since(process.begin);
      return differing_in(fair, [&](std::size_t gate) { return since.values(gate); });
    }
    case Process::stage:
      return differing_in(fair, [&](std::size_t gate) { return family.stage.values(gate); });
    case Process::whole:
      break;
  }
  return differing_in(fair, [&](std::size_t gate) { return family.gates[gate].counts(gate); });
}

}  // namespace

double share_of(std::int64_t k, double slowness) noexcept {
  const auto nth = static_cast<double>(std::max<std::int64_t>(k, 1));
  return slowness / ((nth + slowness - 1.0) * (nth + slowness));
}

GateSet fair_gates(const routing::VerdictConfig& rules) noexcept {
  GateSet fair;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const auto& thresholds = rules.gates[gate];
    fair.set(gate, thresholds && thresholds->alarm == 0.0 && gate_kind(gate) != GateKind::ratio);
  }
  return fair;
}

double share_by_differing(const RouteEvidence& route, const GateSet& fair,
                          const FamilyEvidence& family, std::size_t gate,
                          const ProcessOrigin& process) {
  const std::uint64_t own = differing_of(family, fair, process)[gate];
  if (!fair.test(gate) || own < kRungs.front().differing) return 0.0;
  std::array<std::int64_t, kRungs.size()> standing{};
  for (const auto& [name, other] : route.families()) {
    for (const std::uint64_t differing : differing_of(other, fair, process)) {
      for (std::size_t rung = 0; rung < kRungs.size(); ++rung)
        standing[rung] += differing >= kRungs[rung].differing ? 1 : 0;
    }
  }
  double best = 0.0;
  for (std::size_t rung = 0; rung < kRungs.size(); ++rung) {
    if (own < kRungs[rung].differing) break;
    best = std::max(best, kRungs[rung].share * share_of(standing[rung], kSlownessOfRanks));
  }
  return best;
}

}  // namespace understudy::metrics

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

bool StreamShares::may_be_forgotten(const ProcessOrigin& process) const noexcept {
  if (process.process != Process::hour) return false;
  return std::ranges::any_of(route_.families(), [&](const auto& family) {
    const auto& spans = family.second.recent.spans();
    return !spans.empty() && process.begin < spans.back().begin - RecentPast::kHorizon;
  });
}

const StreamShares::Standing& StreamShares::standing_of(const ProcessOrigin& process) {
  const auto [known, is_new] = standing_.try_emplace({process.process, process.begin});
  Standing& standing = known->second;
  if (!is_new) return standing;
  for (const auto& [name, family] : route_.families()) {
    for (const std::uint64_t differing : differing_of(family, fair_, process)) {
      for (std::size_t rung = 0; rung < kRungs.size(); ++rung)
        standing[rung] += differing >= kRungs[rung].differing ? 1 : 0;
    }
  }
  return standing;
}

double StreamShares::of(const FamilyEvidence& family, std::size_t gate,
                        const ProcessOrigin& process) {
  const std::uint64_t own = differing_of(family, fair_, process)[gate];
  if (!fair_.test(gate) || own < kRungs.front().differing || may_be_forgotten(process)) return 0.0;
  const Standing& standing = standing_of(process);
  double best = 0.0;
  for (std::size_t rung = 0; rung < kRungs.size(); ++rung) {
    if (own < kRungs[rung].differing) break;
    best = std::max(best, kRungs[rung].share * share_of(standing[rung], kSlownessOfRanks));
  }
  return best;
}

}  // namespace understudy::metrics

#include "bench/detectors/rivals.h"

#include <algorithm>
#include <cmath>

#include "bench/detectors/fixed_horizon.h"

namespace understudy::bench {
namespace {

using metrics::GateKind;
using metrics::kGateCount;

constexpr std::uint64_t kFewest = 50;

bool is_ratio(std::size_t gate) noexcept {
  return metrics::gate_kind(gate) == GateKind::ratio;
}

std::size_t cell_of(std::chrono::nanoseconds time, std::size_t cells) noexcept {
  const double seconds = std::chrono::duration<double>(time).count();
  const double at = (std::log(std::max(seconds, 1e-3)) + 3.0) * 14.0;  // 50 ms to 460 s
  return static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(cells - 1)));
}

}  // namespace

void DiffyRule::count(const StreamedPair& pair) noexcept {
  last_ = pair.family;
  Endpoint& endpoint = counts_[pair.family];
  ++endpoint.requests;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const Flags& flags = pair.flags[gate];
    endpoint.differences[gate].raw += flags.primary != flags.candidate ? 1 : 0;
    endpoint.differences[gate].noise += flags.primary != flags.primary_again ? 1 : 0;
  }
}

std::optional<std::size_t> DiffyRule::reported() const noexcept {
  const Endpoint& endpoint = counts_[last_];
  if (endpoint.requests < kFewest) return std::nullopt;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const auto raw = static_cast<double>(endpoint.differences[gate].raw);
    const auto noise = static_cast<double>(endpoint.differences[gate].noise);
    if (raw > noise && (raw - noise) / (raw + noise) * 100.0 > 20.0 &&
        (raw - noise) / static_cast<double>(endpoint.requests) * 100.0 > 0.03)
      return gate;
  }
  return std::nullopt;
}

void FixedHorizonTests::count(const StreamedPair& pair) noexcept {
  last_ = pair.family;
  Arms& arms = counts_[pair.family];
  ++arms.pairs;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const Flags& flags = pair.flags[gate];
    const bool noisy = metrics::gate_kind(gate) == GateKind::noise;
    arms.primary[gate] += (noisy ? flags.primary_again : flags.primary) ? 1 : 0;
    arms.candidate[gate] += flags.candidate ? 1 : 0;
  }
  ++arms.primary_times[cell_of(pair.served.total, kCells)];
  ++arms.candidate_times[cell_of(pair.other.total, kCells)];
}

std::optional<std::size_t> FixedHorizonTests::reported() const noexcept {
  const Arms& arms = counts_[last_];
  if (arms.pairs < kFewest) return std::nullopt;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (is_ratio(gate) || arms.candidate[gate] <= arms.primary[gate]) continue;
    if (two_proportion_p({arms.primary[gate], arms.pairs}, {arms.candidate[gate], arms.pairs}) <
        alpha_)
      return gate;
  }
  if (arms.pairs % 50 != 0) return std::nullopt;
  const MannWhitney slower = mann_whitney_of_counts(arms.candidate_times, arms.primary_times);
  return slower.cles > 0.5 && slower.p < alpha_ ? routing::gate_of("latency") : std::nullopt;
}

}  // namespace understudy::bench

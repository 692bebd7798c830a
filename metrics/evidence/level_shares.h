#pragma once
// How the families' level is shared among streams; a stream is one gate in one family.
//
// Nobody knows beforehand which of hundreds of streams will show a regression, and equal shares
// make each wait for evidence against all of them. But where a gate asks of a pair only which of
// both answers is bad, a pair with one bad answer speaks against either side as likely as not while
// the candidate is not worse: how many such pairs there are tells nothing of whom they speak
// against. (Of equal models that is exact: swap the two answers of any pairs and all is as likely
// as before.) So this number may say who gets how much of the level, and what breaks gets the most,
// because it collects such pairs soonest.
//
// The k-th stream to have 16 differing pairs gets 4 / ((k + 3) (k + 4)) of half of the level, and
// likewise of the rest with 64 and 256 pairs: shares that add up to one. Who was k-th need not be
// remembered: as many streams as there are by now are never fewer than there were then. So the
// share follows from counts, and those of threads, restarts and proxies add up as before.
//
// Each e-process has shares of its own, by the pairs that it has seen. Pure functions.

#include <array>
#include <bitset>
#include <cstdint>

#include "metrics/evidence/evidence.h"
#include "routing/config.h"

namespace understudy::metrics {

using GateSet = std::bitset<kGateCount>;

// The share of the k-th of a sequence, k = 1, 2, ...: slowness / ((k + slowness - 1) (k +
// slowness)), which adds up to one.
double share_of(std::int64_t k, double slowness) noexcept;

struct Rung {
  std::uint64_t differing = 0;  // pairs that a stream needs to stand on it
  double share = 0.0;           // of the level, for all streams that ever stand on it
};
inline constexpr std::array kRungs{Rung{16, 0.35}, Rung{32, 0.3}, Rung{64, 0.2}, Rung{128, 0.1},
                                   Rung{256, 0.05}};

// Gates that are on and whose null is a fair coin: flags and noise that may not be worse at all.
GateSet fair_gates(const routing::VerdictConfig& rules) noexcept;

// The best of the gate's shares in the family for that process, among the streams of `fair` gates
// in all of the route's families; 0 below the first rung.
double share_by_differing(const RouteEvidence& route, const GateSet& fair,
                          const FamilyEvidence& family, std::size_t gate,
                          const ProcessOrigin& process);

}  // namespace understudy::metrics

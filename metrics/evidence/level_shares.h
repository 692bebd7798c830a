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
// Three quarters of the fair gates' part of the families' level are shared like this, the last
// quarter equally (alarm_watch.h). Five rungs (kRungs) divide the three quarters: .35 of them for
// streams with 16 differing pairs, .30 for 32, .20 for 64, .10 for 128, .05 for 256. The k-th
// stream to reach a rung gets 4 / ((k + 3) (k + 4)) of what the rung has: shares that add up to
// one. Who was k-th need not be remembered: as many streams as stand on a rung by now are never
// fewer than there were then, so nobody's share is larger than it was as the k-th. So it follows
// from counts, and those of threads, restarts and proxies add up as before.
//
// Each e-process has shares of its own, by the pairs that it has seen. That of an hour has them as
// long as every family remembers that hour: a family forgets by its own newest hour, so once the
// route's newest lies RecentPast::kHorizon behind, streams that stood there may be gone from the
// count, and what no longer counts pairs would get a better rank for it. Pure functions.

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <utility>

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

// The shares of the streams of `fair` gates in all of a route's families, as the evidence is while
// this lives. How many stand on each rung is counted once for a process: when all families break at
// once, hundreds of streams ask.
class StreamShares {
 public:
  StreamShares(const RouteEvidence& route, const GateSet& fair) : route_(route), fair_(fair) {}

  // The best of the gate's shares in the family for that process; 0 below the first rung, and of an
  // hour that a family may have forgotten.
  double of(const FamilyEvidence& family, std::size_t gate, const ProcessOrigin& process);

 private:
  using Standing = std::array<std::int64_t, kRungs.size()>;  // streams, by rung
  const Standing& standing_of(const ProcessOrigin& process);
  bool may_be_forgotten(const ProcessOrigin& process) const noexcept;

  const RouteEvidence& route_;
  const GateSet fair_;
  std::map<std::pair<Process, std::int64_t>, Standing> standing_;
};

}  // namespace understudy::metrics

#pragma once
// A fleet's sums as evidence that can be judged: what they are now, and what they were when hours
// and the rollout's stage began, since a process that began then has seen the difference. Nothing
// else goes in, so that whoever reads the same sums gets the same evidence. Pure functions.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "metrics/evidence/evidence.h"
#include "metrics/evidence/fleet_counts.h"

namespace understudy::metrics {

struct FleetSums {
  std::string experiment;
  std::chrono::sys_seconds since{};  // when the first of the proxies began
  std::uint64_t hours = 0;           // with pairs in them
  std::chrono::sys_seconds at{};     // `now` is as of then
  FleetCounts now{};
  std::map<std::int64_t, FleetCounts> marks{};  // by hour since 1970: as it began
  std::optional<Stage> stage{};
  FleetCounts at_stage{};  // as it began
};

// The hours that a mark is needed of; none before the evidence began, when all was nothing. At most
// RecentPast::kMaxSpans.
std::vector<std::int64_t> hours_to_mark(std::chrono::sys_seconds since,
                                        std::chrono::sys_seconds at);

// `marks` holds at least hours_to_mark(). Where a count fell in between (a proxy that ended without
// saving lost a few seconds of pairs) that gate's difference says nothing and counts as nothing.
RouteEvidence fleet_evidence(const FleetSums& sums);

}  // namespace understudy::metrics

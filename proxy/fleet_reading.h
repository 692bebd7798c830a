#pragma once
// What the fleet's sums said of one route when they were last read. Values; any thread.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/evidence/evidence.h"
#include "routing/rollout.h"

namespace understudy::proxy {

struct FleetReading {
  std::string identity{};  // what was read: fleet_identity()
  // Whether the sums are those of now. Where they are not, nothing is promoted and nothing rolled
  // back by them.
  bool fresh = false;
  std::string problem = "they have not been read yet";  // why not: a clause

  // As of the last good reading:
  std::shared_ptr<const metrics::RouteEvidence> evidence{};  // null: no pair in the whole fleet
  std::chrono::sys_seconds at{};
  std::size_t gone = 0;           // replicas that count and answer no more
  std::size_t stage = 0;          // this replica's when it was read; 0: none
  std::uint64_t stage_pairs = 0;  // of the fleet, since the first was in it

  // Where the others stand, which is read apart: none where that is not known.
  std::optional<routing::RolloutFleet> rollout{};
  std::size_t replicas = 0;       // that Prometheus sees now, this one included
  std::uint64_t alarms = 0;       // of families that only their own proxy knows
  std::size_t badly_covered = 0;  // replicas that drop too many copies, or saw no peak
};

// What proxies must have in common to decide together: what is compared, and the rollout's plan.
std::string fleet_identity(std::string_view experiment, std::string_view canary);

// Null where the config asks no Prometheus: evidence is local.
using FleetSource = std::function<std::shared_ptr<const FleetReading>(std::string_view route)>;

}  // namespace understudy::proxy

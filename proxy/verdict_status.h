#pragma once
// Verdicts as the admin port tells them: JSON, and a metric. Pure functions; any thread.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "metrics/recorder.h"
#include "metrics/verdict.h"
#include "proxy/fleet_reading.h"
#include "proxy/snapshot.h"

namespace understudy::proxy {

// The newest evidence of a route; null before its first pair.
using EvidenceSource =
    std::function<std::shared_ptr<const metrics::RouteEvidence>(std::string_view route)>;

// A route's count of one kind, whatever the reasons.
std::uint64_t total(const std::map<std::string, std::uint64_t>& reasons);

// What a route's books say of its copies since the process began.
metrics::CopyCounts copies_of(const metrics::RouteCounts& counts);

// How well the copies cover the route: since its evidence began, restarts included. As the books
// have it where the evidence does not tell: before its first pair, or from a former version.
metrics::CoverageFacts coverage_of(const routing::RouteConfig& route,
                                   const metrics::RouteCounts& counts,
                                   const metrics::RouteEvidence* evidence);

// The verdict on one route as things are.
metrics::Verdict judge_route(const routing::RouteConfig& route, const metrics::RouteCounts& counts,
                             const metrics::RouteEvidence* evidence);

// The verdict that decides, and what it is of.
struct Judgement {
  metrics::Verdict verdict;
  std::shared_ptr<const metrics::RouteEvidence> evidence;  // null: there is no pair
};
// Alone (no `fleet`) by this proxy's evidence. In a fleet by its sums, and by what single proxies
// object. While those are not known, what is known here may still say roll back, and all else
// holds.
Judgement judge_now(const routing::RouteConfig& route, const metrics::RouteCounts& counts,
                    std::shared_ptr<const metrics::RouteEvidence> local, const FleetReading* fleet);

// {"verdict", "verdict_text", "missing", "coverage", "reasons"} of a judgement, and what
// describe_evidence() tells of `local`, this proxy's own evidence: the fields of a route's object.
nlohmann::json describe_verdict(const metrics::Verdict& verdict,
                                const metrics::RouteEvidence* judged,
                                const metrics::RouteEvidence* local);

// Where the fleet's figures stand; null without one.
nlohmann::json describe_fleet(const FleetReading* fleet);

// understudy_verdict{route,verdict}: 1 for the one that holds, 0 for the others. In the
// exposition's text format.
std::string verdict_exposition(const Snapshot& snapshot, const EvidenceSource& evidence,
                               const FleetSource& fleet);

}  // namespace understudy::proxy

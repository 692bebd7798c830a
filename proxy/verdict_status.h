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
#include "proxy/snapshot.h"

namespace understudy::proxy {

// The newest evidence of a route; null before its first pair.
using EvidenceSource =
    std::function<std::shared_ptr<const metrics::RouteEvidence>(std::string_view route)>;

// A route's count of one kind, whatever the reasons.
std::uint64_t total(const std::map<std::string, std::uint64_t>& reasons);

// The verdict on one route as things are.
metrics::Verdict judge_route(const routing::RouteConfig& route, const metrics::RouteCounts& counts,
                             const metrics::RouteEvidence* evidence);

// {"verdict", "verdict_text", "missing", "coverage", "reasons"} and what describe_evidence() tells:
// the fields of a route's object.
nlohmann::json describe_verdict(const metrics::Verdict& verdict,
                                const metrics::RouteEvidence* evidence);

// understudy_verdict{route,verdict}: 1 for the one that holds, 0 for the others. In the
// exposition's text format.
std::string verdict_exposition(const Snapshot& snapshot, const EvidenceSource& evidence);

}  // namespace understudy::proxy

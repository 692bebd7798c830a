#pragma once
// The alarms that evidence remembers, as JSON: those of one family as part of its evidence
// (evidence_json.h), and those of a route by themselves, for who reads the counts elsewhere (a
// fleet's sums). What from_json is given is hostile. Pure functions.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>

#include "metrics/evidence/evidence.h"
#include "metrics/evidence/evidence_json.h"

namespace understudy::metrics {

// [{"signal": "refusal", "process": "hour", "begin": 497223, "threshold": 0.0}], of those that
// alarmed; a threshold that is not known is null.
nlohmann::json alarms_json(const FamilyEvidence& family);
// Latches them. Throws for what alarms_json() did not write; takes names of gates alone as versions
// 1 and 2 of the evidence wrote them.
void read_alarms(const nlohmann::json& from, FamilyEvidence& family);

// Whether anything alarmed in the route, gates or quantiles.
bool any_alarm(const RouteEvidence& evidence);

// All alarms of a route and nothing else; versioned.
std::string alarms_to_json_text(const RouteEvidence& evidence);
// Evidence without a count that remembers those alarms: to be given to RouteEvidence::latch_as().
std::variant<RouteEvidence, EvidenceProblem> alarms_from_json(std::string_view text);

}  // namespace understudy::metrics

#pragma once
// What a proxy tells the rest of its fleet, in the text format of /metrics: its evidence as
// counters that only grow, and where its rollouts stand. Pure functions; any thread.
//
// Every series has the labels fleet, route, experiment and replica. A series of evidence also has
// `begun`, the second in which that evidence began: a proxy that begins anew (another state
// directory, back to a former candidate) counts beside what it had counted, never below it. Series
// of the rollout have `canary`, a hash of the route's canary section: stages of other plans are
// other stages, and another section lifts a rollback.

#include <string>
#include <string_view>

#include "proxy/rollout_status.h"
#include "proxy/snapshot.h"
#include "proxy/verdict_status.h"

namespace understudy::proxy {

namespace fleet_metric {
// Counters and facts of the evidence.
inline constexpr std::string_view kEvidence = "understudy_evidence_total";
inline constexpr std::string_view kHours = "understudy_evidence_hours";
// What only this proxy can know and what the whole fleet heeds, by `kind`: alarms in families that
// are not exported, and 1 under `coverage` where its own limits drop too many copies or no pair
// came at a peak of its traffic.
inline constexpr std::string_view kObjections = "understudy_evidence_objections";
inline constexpr std::string_view kAlarms = "alarms", kCoverage = "coverage";
// The rollout; the moments are Unix seconds, to the millisecond.
inline constexpr std::string_view kStage = "understudy_rollout_stage";
inline constexpr std::string_view kStageSince = "understudy_rollout_stage_since_timestamp_seconds";
inline constexpr std::string_view kRolledBack = "understudy_rolled_back_timestamp_seconds";
inline constexpr std::string_view kPaused = "understudy_rollout_paused_timestamp_seconds";
inline constexpr std::string_view kResumed = "understudy_rollout_resumed_timestamp_seconds";
}  // namespace fleet_metric

std::string fleet_exposition(const Snapshot& snapshot, std::string_view replica,
                             const EvidenceSource& evidence, const RolloutSource& rollouts);

}  // namespace understudy::proxy

#pragma once
// Rollouts as the admin port tells them: JSON, and metrics; and what a look at a route finds in the
// same figures. Pure functions of what is handed in; any thread.

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/exposition.h"
#include "proxy/rollout_keeper.h"
#include "proxy/snapshot.h"
#include "proxy/verdict_status.h"

namespace understudy::proxy {

// RolloutKeeper::view; none where a route has no candidate.
using RolloutSource = std::function<std::optional<RolloutView>(std::string_view route)>;

// The `rollout` object of a route.
nlohmann::json describe_rollout(const RolloutView& rollout, routing::Moment now);

bool is_in_stage(const RolloutView& rollout) noexcept;
// The stage as the evidence names it: "stage 2 (25 %)".
std::string stage_name(const RolloutView& rollout);

// The answer to POST /api/routes/{name}/{order}.
std::string order_json(std::string_view route, routing::RolloutOrder order,
                       const OrderAnswer& answer, const std::optional<RolloutView>& rollout);

// understudy_canary_percent, understudy_rollout_drift and understudy_rollbacks_total, in the
// exposition's text format. The stage stands in proxy/fleet_exposition.
std::string rollout_exposition(const Snapshot& snapshot, const RolloutSource& rollouts,
                               const std::vector<RolloutKeeper::Rollbacks>& rollbacks);

// What the route's evidence, its fleet and its counters say now. `samples` is the recorder's
// exposition.
RouteLook look_at(const Snapshot& snapshot, std::string_view route, const EvidenceSource& evidence,
                  const std::vector<Sample>& samples, const FleetReading* fleet = nullptr);

}  // namespace understudy::proxy

#pragma once
// What is compared on a route, as one id: evidence from before a change of it says nothing about
// after.

#include <string>

#include "routing/config.h"

namespace understudy::routing {

// 16 hex digits over the models, upstreams and rewrites of both variants. Empty where there is no
// candidate. Shares, limits, thresholds and credentials may change without a new experiment.
std::string experiment_id(const Config& config, const RouteConfig& route);

}  // namespace understudy::routing

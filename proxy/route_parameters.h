#pragma once
// What a route compares and by which rules it is judged, as the admin port tells them. Pure
// functions; any thread.

#include <nlohmann/json_fwd.hpp>

#include "routing/config.h"

namespace understudy::proxy {

// The `parameters` object of a route: `gates` by signal, each with `alarm` and `margin` (shares, or
// ratios less 1), null where it is switched off.
nlohmann::json describe_parameters(const routing::RouteConfig& route);

// {"primary", "candidate"}: upstream and model; null where there is no candidate.
nlohmann::json describe_variants(const routing::Config& config, const routing::RouteConfig& route);

}  // namespace understudy::proxy

#pragma once
// By which rules a route is judged, as the admin port tells them. A pure function; any thread.

#include <nlohmann/json_fwd.hpp>

#include "routing/config.h"

namespace understudy::proxy {

// The `parameters` object of a route: `gates` by signal, each with `alarm` and `margin` (shares, or
// ratios less 1), null where it is switched off.
nlohmann::json describe_parameters(const routing::RouteConfig& route);

}  // namespace understudy::proxy

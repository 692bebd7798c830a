#pragma once
// What the copies of a route may use and have used, as the admin port tells it: JSON, and metrics.
// Pure functions of what is handed in; any thread.

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "proxy/shadow_account.h"
#include "routing/config.h"

namespace understudy::proxy {

// Server::shadow_account; null where no copy of the route was thought of yet.
using ShadowSource = std::function<std::shared_ptr<const ShadowAccount>(std::string_view route)>;

// The `shadow_use` object of a route; the field names are an interface.
nlohmann::json describe_shadow_use(const routing::ShadowConfig& config,
                                   const ShadowAccount* account, SteadyTime now);

// understudy_shadow_suspended, understudy_shadow_suspensions_total,
// understudy_shadow_budget_spent_usd and understudy_shadow_budget_tokens, of every route with a
// candidate, in the exposition's text format.
std::string shadow_use_exposition(const routing::Config& config, const ShadowSource& accounts,
                                  SteadyTime now);

}  // namespace understudy::proxy

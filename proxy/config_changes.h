#pragma once
// What a reload changes, for the log: keys, and values only where they are shares of traffic. Never
// a secret.

#include <string>
#include <vector>

#include "routing/config.h"

namespace understudy::proxy {

// "routes.sonnet.shadow.percent 10 -> 0", "upstreams.east.credentials", "routes.haiku added".
// Upstreams and routes are told apart by name, so moving them changes nothing but their order,
// which is told as "routes order".
std::vector<std::string> changes_between(const routing::Config& before,
                                         const routing::Config& after);

// "12.5" for 1250 hundredths.
std::string percent_text(routing::Percent percent);

}  // namespace understudy::proxy

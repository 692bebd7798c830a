#pragma once
// What the evidence of a route says nothing of, in plain words, beside the books of what was not
// copied: a verdict holds for what was tested. Pure functions; any thread.

#include <map>
#include <string>
#include <vector>

#include "metrics/evidence/evidence.h"
#include "metrics/recorder.h"
#include "routing/config.h"

namespace understudy::proxy {

// `signals` are those of the shadow legs. Empty while there is no pair.
std::vector<std::string> untested(const routing::RouteConfig& route,
                                  const metrics::RouteCounts& counts,
                                  const std::map<metrics::Signal, metrics::SignalCounts>& signals,
                                  const metrics::RouteEvidence* evidence);

// The commands that judge the route's evidence once more, elsewhere: ADMIN and CONFIG stand for the
// admin port's address and for the config file.
std::string reproduction(const std::string& route);

}  // namespace understudy::proxy

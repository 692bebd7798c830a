#pragma once
// One route's part of the admin API: its shares, books, measured figures and the reasons behind its
// verdict.

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/evidence/evidence.h"
#include "metrics/recorder.h"
#include "proxy/exposition.h"
#include "proxy/fleet_reading.h"
#include "routing/config.h"

namespace understudy::proxy {

// The field names are an interface: add, don't rename. `samples` is the whole exposition, read once
// for all routes, `evidence` this proxy's own.
nlohmann::json describe_route(const routing::Config& config, const routing::RouteConfig& route,
                              const metrics::RouteMeter& meter, const std::vector<Sample>& samples,
                              const std::shared_ptr<const metrics::RouteEvidence>& evidence,
                              const FleetReading* fleet);

// One entry per signal that is for information only, and the number of tool calls, most telling
// first. `noise` are the signals of the control legs, `style` is what the evidence measured. All
// intervals are confidence sequences, 95 %.
nlohmann::json describe_information(const std::map<metrics::Signal, metrics::SignalCounts>& signals,
                                    const std::map<metrics::Signal, metrics::SignalCounts>& noise,
                                    const metrics::StyleCounts& style = {});

// Latency, first token, tokens and cost of each variant and leg that was asked.
nlohmann::json describe_measurements(std::string_view route, const std::vector<Sample>& samples);

}  // namespace understudy::proxy

#pragma once
// How many tools the answers call, for information: newer models ask in parallel for what older
// ones ask for one after the other, which is no regression (the gate of tool agreement lets it
// pass), but who runs the calls should know it.

#include <nlohmann/json_fwd.hpp>

#include "metrics/evidence/style_counts.h"
#include "metrics/recorder.h"

namespace understudy::proxy {

// An entry among a route's reasons, called "tool_calls". `agreement` are the counts of the signal
// tool_agreement, `noise` the same of the control legs. Its difference is that of a ratio: calls of
// the candidate over calls of the primary, minus 1; null where no pair of answers called tools. Its
// interval, as far as the evidence tells (`style`), in the same unit.
nlohmann::json describe_tool_calls(const metrics::SignalCounts& agreement,
                                   const metrics::SignalCounts& noise,
                                   const metrics::StyleCounts& style);

}  // namespace understudy::proxy

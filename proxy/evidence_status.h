#pragma once
// What the evidence of a route tells besides its gates, as the admin port tells it: money, times,
// what the candidate said to the requests it refused, and how far its answers are from the
// primary's beyond the primary's own spread. Pure functions; any thread.

#include <nlohmann/json_fwd.hpp>

#include "metrics/evidence/evidence.h"
#include "metrics/verdict.h"

namespace understudy::proxy {

// {"cost", "validation_errors", "latency", "first_token", "containment"}: fields of a route's
// object. Null evidence is none yet; what is not known is null, never zero.
nlohmann::json describe_evidence(const metrics::RouteEvidence* evidence);

// `examples`: pairs of the gates that alarm, most telling gate first. How the answers differ is
// told only `with_shape`, that is where records may hold as much; else the exchanges' names alone.
nlohmann::json describe_examples(const metrics::RouteEvidence* evidence,
                                 const metrics::Verdict& verdict, bool with_shape);

}  // namespace understudy::proxy

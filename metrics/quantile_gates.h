#pragma once
// Whether the slow answers became slower: p50, p95 and p99 of latency and time to first token, by
// bounds that hold however often one looks and for the times themselves: what the sketch rounds
// away widens them, so a candidate has to be slower by up to 4 % more than the threshold to alarm,
// and by as much less than the margin to be safe. Pairs play no part here: a ratio of pairs tells
// the usual answer, not the slowest. Pure functions.

#include <vector>

#include "metrics/verdict.h"

namespace understudy::metrics {

// By signal, then by quantile. `alarm` where the candidate's lower bound lies above the primary's
// upper one by more than the threshold of the gate `latency`, or did once; `safe` where its upper
// bound lies below the primary's lower one by the margin; `info` where that gate is off. All six
// share the level of one gate; none of them has to be safe for a verdict to be.
std::vector<QuantileResult> judge_quantiles(const RouteEvidence& evidence,
                                            const routing::VerdictConfig& rules);

// Remembers in the evidence what alarms now.
void latch_quantiles(RouteEvidence& evidence, const routing::VerdictConfig& rules);

}  // namespace understudy::metrics

#pragma once
// Token counts out of JSON and header fields. Two sources are kept apart: what Bedrock bills
// (header fields of InvokeModel, invocationMetrics of its stream) goes before what the model's body
// says, count by count; neither is derived from the other, and what nobody said stays empty.

#include <string_view>

#include "metrics/json_fwd.h"
#include "metrics/observation.h"

namespace understudy::metrics {

// A body's `usage` object: Converse, Nova, Anthropic or OpenAI spelling. Later counts replace
// earlier ones (streams repeat them cumulatively).
void read_usage(Json usage, Usage& into);
// `amazon-bedrock-invocationMetrics`, the last chunk's extra member.
void read_invocation_metrics(Json metrics, Usage& into);
// The fields of InvokeModel's answer, from CapturedAnswer::fields.
Usage usage_of_fields(std::string_view fields);
// `preferred`, its gaps filled from `fallback`.
Usage merged(const Usage& preferred, const Usage& fallback);

// What it used is not known. A stream always has output tokens; what lacks their count was billed
// all the same.
inline bool usage_unknown(const Observation& seen) noexcept {
  return seen.usage.missing() || (seen.stream && !seen.usage.output);
}

// The first field of that lower-case name in CapturedAnswer::fields; empty where there is none.
std::string_view captured_field(std::string_view fields, std::string_view name);

}  // namespace understudy::metrics

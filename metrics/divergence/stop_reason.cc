#include <algorithm>
#include <array>
#include <string_view>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

constexpr std::array<std::string_view, 5> kBad{"refusal", "guardrail_intervened",
                                               "content_filtered", "malformed_model_output",
                                               "malformed_tool_use"};

bool bad(const Observation& seen) {
  return std::find(kBad.begin(), kBad.end(), seen.answer.stop_reason) != kBad.end();
}

}  // namespace

std::optional<Finding> stop_reason(const Pair& pair) {
  const auto& [served, other, expected] = pair;
  if (!both_answered(pair)) return std::nullopt;
  // CountTokens and embeddings stop for no reason.
  if (served.answer.stop_reason.empty() && other.answer.stop_reason.empty()) return std::nullopt;
  return Finding{.signal = Signal::stop_reason,
                 .diverges = served.answer.stop_reason != other.answer.stop_reason,
                 .served_bad = bad(served),
                 .other_bad = bad(other)};
}

}  // namespace understudy::metrics::divergence

#include <algorithm>
#include <array>
#include <string_view>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

constexpr std::array<std::string_view, 5> kBad{"refusal", "guardrail_intervened",
                                               "content_filtered", "malformed_model_output",
                                               "malformed_tool_use"};

// The word itself, which is a static string only where it is a known one.
std::string_view name_of(const Observation& seen) {
  const auto* found = std::find(kBad.begin(), kBad.end(), seen.answer.stop_reason);
  return found != kBad.end() ? *found : std::string_view{};
}

bool bad(const Observation& seen) {
  return !name_of(seen).empty();
}

}  // namespace

std::optional<Finding> stop_reason(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  // CountTokens and embeddings stop for no reason.
  if (served.answer.stop_reason.empty() && other.answer.stop_reason.empty()) return std::nullopt;
  return Finding{.signal = Signal::stop_reason,
                 .diverges = served.answer.stop_reason != other.answer.stop_reason,
                 .served_bad = bad(served),
                 .other_bad = bad(other),
                 .detail = name_of(bad(other) ? other : served)};
}

}  // namespace understudy::metrics::divergence

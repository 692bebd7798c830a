#include <algorithm>
#include <array>
#include <string_view>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

// In Converse's words.
constexpr std::array<std::string_view, 5> kBad{"refusal", "guardrail_intervened",
                                               "content_filtered", "malformed_model_output",
                                               "malformed_tool_use"};

}  // namespace

// The word itself, which is a static string only where it is a known one.
std::string_view bad_stop(const Answer& answer) noexcept {
  const auto* found = std::find(kBad.begin(), kBad.end(), answer.stop_reason);
  return found != kBad.end() ? *found : std::string_view{};
}

std::optional<Finding> stop_reason(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  // CountTokens and embeddings stop for no reason.
  if (served.answer.stop_reason.empty() && other.answer.stop_reason.empty()) return std::nullopt;
  const std::string_view here = bad_stop(served.answer);
  const std::string_view there = bad_stop(other.answer);
  return Finding{.signal = Signal::stop_reason,
                 .diverges = served.answer.stop_reason != other.answer.stop_reason,
                 .served_bad = !here.empty(),
                 .other_bad = !there.empty(),
                 .detail = there.empty() ? here : there};
}

}  // namespace understudy::metrics::divergence

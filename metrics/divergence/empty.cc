#include <string_view>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

std::string_view what_is_missing(const Answer& answer) noexcept {
  if (!answer.tool_calls.empty()) return {};
  if (answer.text.find_first_not_of(" \t\r\n") != std::string::npos) return {};
  return answer.thinking_bytes != 0 ? "only_thinking" : "empty";
}

// CountTokens and embeddings have neither text nor a reason to stop.
bool is_no_text(const Answer& answer) noexcept {
  return answer.text.empty() && answer.stop_reason.empty();
}

}  // namespace

std::optional<Finding> empty(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  if (is_no_text(served.answer) && is_no_text(other.answer)) return std::nullopt;
  const std::string_view here = what_is_missing(served.answer);
  const std::string_view there = what_is_missing(other.answer);
  return Finding{.signal = Signal::empty,
                 .diverges = here.empty() != there.empty(),
                 .served_bad = !here.empty(),
                 .other_bad = !there.empty(),
                 .detail = there.empty() ? here : there};
}

}  // namespace understudy::metrics::divergence

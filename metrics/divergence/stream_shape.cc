#include <string_view>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

// Longer than any pause between tokens, shorter than the patience of a reader.
constexpr std::chrono::seconds kStall{5};

bool ended_as_a_stream(const Observation& seen) noexcept {
  return seen.stream &&
         (seen.error_class == ErrorClass::ok || seen.error_class == ErrorClass::stream_broken);
}

std::string_view what_is_odd(const Observation& seen) noexcept {
  if (!seen.error_type.empty()) return "exception";
  if (seen.error_class == ErrorClass::stream_broken) return "broken";
  if (!seen.stream->in_order) return "out_of_order";
  return seen.stream->longest_gap >= kStall ? "stalled" : "";
}

}  // namespace

std::optional<Finding> stream_shape(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!ended_as_a_stream(served) || !ended_as_a_stream(other)) return std::nullopt;
  const std::string_view here = what_is_odd(served);
  const std::string_view there = what_is_odd(other);
  return Finding{.signal = Signal::stream_shape,
                 .diverges = here != there,
                 .served_bad = !here.empty(),
                 .other_bad = !there.empty(),
                 .detail = there.empty() ? here : there};
}

}  // namespace understudy::metrics::divergence

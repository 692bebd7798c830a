#pragma once
// What one signal group says of a pair. Pure functions; nothing is said (no Finding) where the
// signal does not apply. comparison.cc composes them.

#include <cstdint>
#include <optional>
#include <string_view>

#include "metrics/comparison.h"

namespace understudy::metrics::divergence {

struct Pair {
  const Observation& served;
  const Observation& other;
  const Expectations& expected;
};

// How the attempts ended. Throttling of either side is missing data, not a difference; a time-out
// or any other failure is bad.
std::optional<Finding> error_class(const Pair& pair);
// A refused request (ValidationException): the candidate does not take what the primary takes.
std::optional<Finding> validation_error(const Pair& pair);

// The signals below compare two answers: they apply only where both attempts succeeded and were
// read.
inline bool answered(const Observation& seen) noexcept {
  return seen.error_class == ErrorClass::ok && seen.answer.parsed;
}
inline bool both_answered(const Pair& pair) noexcept {
  return answered(pair.served) && answered(pair.other);
}

// Bad: refusals, interventions, filters and malformed output.
std::optional<Finding> stop_reason(const Pair& pair);
// Applies where either text is or holds JSON. Diverges when the container or the validity differs.
// Bad: no valid JSON.
std::optional<Finding> json_contract(const Pair& pair);
// Applies where either side called a tool. Diverges when the multisets of names differ. Bad: no
// call at all.
std::optional<Finding> tool_agreement(const Pair& pair);
// Information only: ln(characters other / characters served). Diverges beyond a quarter longer or a
// fifth shorter.
std::optional<Finding> verbosity(const Pair& pair);
// Share of the smaller vocabulary that the other side has too. Applies to texts of some words;
// diverges below 0.15, where the two are about different things.
std::optional<Finding> containment(const Pair& pair);

}  // namespace understudy::metrics::divergence

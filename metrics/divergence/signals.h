#pragma once
// What one signal group says of a pair. Pure functions over two Observations; nothing is said (no
// Finding) where the signal does not apply. comparison.cc composes them.

#include <cstdint>
#include <optional>
#include <string_view>

#include "metrics/comparison.h"

namespace understudy::metrics::divergence {

// How the attempts ended. Throttling of either side is missing data, not a difference; a time-out
// or any other failure is bad.
std::optional<Finding> error_class(const Observation& served, const Observation& other);
// A refused request (ValidationException): the candidate does not take what the primary takes.
std::optional<Finding> validation_error(const Observation& served, const Observation& other);

// The signals below compare two answers: they apply only where both attempts succeeded and were
// read.
inline bool both_answered(const Observation& served, const Observation& other) noexcept {
  return served.error_class == ErrorClass::ok && other.error_class == ErrorClass::ok &&
         served.answer.parsed && other.answer.parsed;
}

// Bad: refusals, interventions, filters and malformed output.
std::optional<Finding> stop_reason(const Observation& served, const Observation& other);
// Applies where either text is or holds JSON. Diverges when the container or the validity differs.
// Bad: no valid JSON.
std::optional<Finding> json_contract(const Observation& served, const Observation& other);
// Applies where either side called a tool. Diverges when the multisets of names differ. Bad: no
// call at all.
std::optional<Finding> tool_agreement(const Observation& served, const Observation& other);
// Information only: ln(characters other / characters served). Diverges beyond a quarter longer or a
// fifth shorter.
std::optional<Finding> verbosity(const Observation& served, const Observation& other);
// Share of the smaller vocabulary that the other side has too. Applies to texts of some words;
// diverges below 0.15, where the two are about different things.
std::optional<Finding> containment(const Observation& served, const Observation& other);

// How JSON stands in a text.
enum class Container : std::uint8_t { none, bare, fenced, wrapped };
struct JsonForm {
  Container container = Container::none;
  bool valid = false;
  friend bool operator==(const JsonForm&, const JsonForm&) = default;
};
JsonForm json_form(std::string_view text);

}  // namespace understudy::metrics::divergence

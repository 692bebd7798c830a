#include <string_view>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

bool throttled(const Observation& seen) {
  return seen.error_class == ErrorClass::throttled;
}

bool failed(const Observation& seen) {
  return seen.error_class != ErrorClass::ok && !throttled(seen);
}

// The second wire's word is also OpenAI's for a model that is not there.
bool refused_as_invalid(const Observation& seen) {
  return seen.error_type == "ValidationException" || seen.error_type == "validationException" ||
         (seen.error_type == "invalid_request_error" && seen.status != 404);
}

}  // namespace

std::optional<Finding> error_class(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (throttled(served) || throttled(other)) return std::nullopt;
  return Finding{.signal = Signal::error_class,
                 .diverges = served.error_class != other.error_class,
                 .served_bad = failed(served),
                 .other_bad = failed(other),
                 .detail = failed(other)    ? label(other.error_class)
                           : failed(served) ? label(served.error_class)
                                            : ""};
}

std::optional<Finding> validation_error(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (throttled(served) || throttled(other)) return std::nullopt;
  const bool served_bad = refused_as_invalid(served);
  const bool other_bad = refused_as_invalid(other);
  return Finding{.signal = Signal::validation_error,
                 .diverges = served_bad != other_bad,
                 .served_bad = served_bad,
                 .other_bad = other_bad,
                 .detail = served_bad || other_bad ? "refused_as_invalid" : ""};
}

}  // namespace understudy::metrics::divergence

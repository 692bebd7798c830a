#include "metrics/served_outcome.h"

namespace understudy::metrics {

namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, kFallbackReasons> kFallbackLabels{
    "throttled",  "server_error", "unreachable", "timeout",    "transport",
    "validation", "access",       "not_found",   "credentials"};
static_assert(static_cast<std::size_t>(FallbackReason::credentials) + 1 == kFallbackReasons);

constexpr std::array<std::string_view, kModelGoneKinds> kModelGoneLabels{"ended", "locked_out",
                                                                         "drill"};
static_assert(static_cast<std::size_t>(ModelGone::drill) + 1 == kModelGoneKinds);

}  // namespace

std::string_view label(FallbackReason reason) noexcept {
  return kFallbackLabels[static_cast<std::size_t>(reason)];
}

std::string_view label(ModelGone kind) noexcept {
  return kModelGoneLabels[static_cast<std::size_t>(kind)];
}

}  // namespace understudy::metrics

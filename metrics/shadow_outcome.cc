#include "metrics/shadow_outcome.h"

namespace understudy::metrics {

namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, kDropReasons> kDropLabels{
    "in_flight", "queue",  "memory",    "breaker",  "budget",
    "rate",      "tokens", "suspended", "draining", "analysis"};
static_assert(static_cast<std::size_t>(DropReason::analysis) + 1 == kDropReasons);

constexpr std::array<std::string_view, kFailReasons> kFailLabels{
    "resolve", "connect", "tls",       "credentials", "timeout",    "transport",
    "cut",     "garbage", "too_large", "throttled",   "unreadable", "cancelled"};
static_assert(static_cast<std::size_t>(FailReason::cancelled) + 1 == kFailReasons);

}  // namespace

std::string_view label(DropReason reason) noexcept {
  return kDropLabels[static_cast<std::size_t>(reason)];
}

std::string_view label(FailReason reason) noexcept {
  return kFailLabels[static_cast<std::size_t>(reason)];
}

}  // namespace understudy::metrics

#pragma once
// Where an eligible exchange ended in the books:
//   eligible = skipped{reason} + dropped{reason} + compared + failed{reason}
// Skip reasons belong to the decision (routing/route_table.h). Each label is its enumerator's
// spelling.

#include <array>
#include <cstdint>
#include <string_view>

namespace understudy::metrics {

// Refused for lack of room; the candidate was not called.
enum class DropReason : std::uint8_t {
  in_flight,
  queue,
  memory,
  breaker,
  budget,
  rate,
  tokens,
  suspended,
  draining,
  analysis
};
inline constexpr std::size_t kDropReasons = 10;
std::string_view label(DropReason reason) noexcept;

// Called, but there is nothing to compare.
enum class FailReason : std::uint8_t {
  resolve,
  connect,
  tls,
  credentials,
  timeout,
  transport,
  cut,
  garbage,
  too_large,
  throttled,
  unreadable,
  cancelled
};
inline constexpr std::size_t kFailReasons = 12;
std::string_view label(FailReason reason) noexcept;

}  // namespace understudy::metrics

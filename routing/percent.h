#pragma once
// A share of traffic.

#include <compare>
#include <cstdint>
#include <string>

namespace understudy::routing {

// 0 to 100 with two decimals, held as hundredths of a percent so that comparison is exact.
struct Percent {
  std::uint32_t hundredths = 0;
  double value() const noexcept { return hundredths / 100.0; }
  double fraction() const noexcept { return hundredths / 10'000.0; }
  friend auto operator<=>(Percent, Percent) = default;
};

inline constexpr Percent kAllTraffic{10'000};

// "12.5" for 1250 hundredths.
std::string percent_text(Percent percent);

}  // namespace understudy::routing

#pragma once
// Bounds for shares of counted things. Pure functions; fixed sample size: not for looking again and
// again (an alarm needs an always-valid sequence).

#include <cstdint>

namespace understudy::metrics {

struct Interval {
  double low = 0.0;
  double high = 0.0;
};

// `hits` of `total`; hits <= total.
struct Proportion {
  std::uint64_t hits = 0;
  std::uint64_t total = 0;
  double rate() const noexcept {
    return total == 0 ? 0.0 : static_cast<double>(hits) / static_cast<double>(total);
  }
};

inline constexpr double kZ95 = 1.959963984540054;  // the normal quantile of 97.5 %

// Wilson's score interval, 95 % unless `z` tells another. [0, 1] where nothing was counted.
Interval wilson(Proportion seen, double z = kZ95) noexcept;

// Newcombe's hybrid score interval (1998, method 10 for unpaired samples) for after.rate() -
// before.rate(), 95 %. For pairs of which only the margins are known it is wider than the paired
// one where both tend to fail together.
Interval newcombe(Proportion before, Proportion after) noexcept;

}  // namespace understudy::metrics

#pragma once
// What one route's copies may use: room, money, rate, and whether the candidate and the primary are
// well enough. Lives as long as the process, by route name, so that a reload forgets nothing.
// Admission and the primary's health are asked and told by any io thread (atomics); what a call
// came to is told by the shadow thread.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "metrics/shadow_outcome.h"
#include "routing/config.h"

namespace understudy::proxy {

using SteadyTime = std::chrono::steady_clock::time_point;

// Seconds of the primary's recent answers: how many, and how many of them were 429 or 503.
class ThrottleWindow {
 public:
  static constexpr std::int64_t kSeconds = 10;
  void count(bool throttled, SteadyTime now) noexcept;
  // At least 1 % of the last ten seconds' answers were throttled: the copies share the primary's
  // quota and must go first.
  bool suspended(SteadyTime now) const noexcept;

 private:
  struct Second {
    std::atomic<std::int64_t> second{-1};
    std::atomic<std::uint32_t> answers{0};
    std::atomic<std::uint32_t> throttled{0};
  };
  std::array<Second, static_cast<std::size_t>(kSeconds)> seconds_;
};

// Opens after failures in a row or a share of failures; then lets one probe through now and then.
class Breaker {
 public:
  // Any thread. May a call be made? While half open the first to ask gets the probe.
  enum class Permit : std::uint8_t { no, yes, probe };
  Permit ask(SteadyTime now) noexcept;
  // Shadow thread.
  void succeeded(SteadyTime now, const routing::BreakerConfig& config) noexcept;
  void failed(SteadyTime now, const routing::BreakerConfig& config) noexcept;
  // The probe that was allowed was never made.
  void abandoned() noexcept { probing_.store(false, std::memory_order_relaxed); }
  bool open() const noexcept { return open_.load(std::memory_order_relaxed); }

 private:
  void note(bool failure, SteadyTime now, const routing::BreakerConfig& config) noexcept;
  void open_until(SteadyTime now, const routing::BreakerConfig& config) noexcept;

  std::atomic<bool> open_{false};
  std::atomic<bool> probing_{false};
  std::atomic<std::int64_t> open_until_ns_{0};
  // Shadow thread:
  std::uint32_t consecutive_ = 0;
  std::uint32_t requests_ = 0, failures_ = 0;
  SteadyTime window_began_{};
};

class ShadowAccount {
 public:
  struct Admission {
    std::optional<metrics::DropReason> refused;
    bool is_probe = false;  // of the breaker
  };
  // Admits a copy or says why not; who is admitted calls left() once.
  Admission admit(const routing::ShadowConfig& config, SteadyTime now) noexcept;
  void left() noexcept { held_.fetch_sub(1, std::memory_order_relaxed); }
  std::size_t held() const noexcept { return held_.load(std::memory_order_relaxed); }

  // The answer of a served exchange of this route. Any thread.
  void primary_answered(int status, SteadyTime now) noexcept {
    primary_.count(status == 429 || status == 503, now);
  }

  // A call for the copies is about to be made: takes one from the rate. False where the minute's
  // rate is used up.
  bool take_rate(const routing::ShadowBudget& budget, SteadyTime now) noexcept;
  // What a call cost, where that is known. Analysis thread. An unknown cost is taken for the mean
  // of the known ones.
  void spent(std::optional<double> usd) noexcept;
  double spent_today() const noexcept;

  Breaker breaker;

 private:
  bool within_budget(const routing::ShadowBudget& budget) noexcept;
  void begin_day() noexcept;

  std::atomic<std::size_t> held_{0};
  ThrottleWindow primary_;
  std::atomic<std::int64_t> day_{-1};
  std::atomic<std::int64_t> spent_microcents_{0};
  std::atomic<std::int64_t> known_microcents_{0};
  std::atomic<std::int64_t> known_calls_{0};
  // Rate, shadow thread:
  double rate_tokens_ = 0.0;
  SteadyTime rate_filled_{};
};

}  // namespace understudy::proxy

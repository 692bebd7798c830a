#pragma once
// What one route's copies may use: room, money, rate, and whether the candidate and the primary are
// well enough. Lives as long as the process, by route name, so that a reload forgets nothing.
// Admission and the primary's health are asked and told by any io thread (atomics); what a call
// came to is told by the shadow thread.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "metrics/shadow_outcome.h"
#include "proxy/minute_window.h"
#include "routing/config.h"

namespace understudy::proxy {

using SteadyTime = std::chrono::steady_clock::time_point;

// Seconds of the primary's recent answers: how many, and how many of them were 429 or 503. While
// that is at least 1 % of the last ten seconds' answers the copies rest, and for a time afterwards:
// they share the primary's quota and must go first.
class ThrottleWindow {
 public:
  static constexpr std::int64_t kSeconds = 10;
  // True where this answer begins a suspension.
  bool count(bool throttled, SteadyTime now, std::chrono::milliseconds suspend_for) noexcept;
  bool suspended(SteadyTime now) const noexcept { return left(now).count() > 0; }
  // Of the suspension; zero where there is none.
  std::chrono::nanoseconds left(SteadyTime now) const noexcept;

 private:
  bool too_many(SteadyTime now) const noexcept;

  struct Second {
    std::atomic<std::int64_t> second{-1};
    std::atomic<std::uint32_t> answers{0};
    std::atomic<std::uint32_t> throttled{0};
  };
  std::array<Second, static_cast<std::size_t>(kSeconds)> seconds_;
  std::atomic<std::int64_t> suspended_until_ns_{0};
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
  // Whether a copy would find money, room and a candidate that answers; takes nothing. Of a
  // suspension it does not ask: an answer that fails may just have begun it.
  bool has_room(const routing::ShadowConfig& config) noexcept;
  void left() noexcept { held_.fetch_sub(1, std::memory_order_relaxed); }
  std::size_t held() const noexcept { return held_.load(std::memory_order_relaxed); }

  // The answer of a served exchange of this route, or of a control leg, which asks the same
  // variant. Any thread. Where it begins a suspension of the copies, the log says so.
  void primary_answered(const routing::RouteConfig& route, int status, SteadyTime now);
  bool suspended(SteadyTime now) const noexcept { return primary_.suspended(now); }
  std::chrono::nanoseconds suspension_left(SteadyTime now) const noexcept {
    return primary_.left(now);
  }
  std::uint64_t suspensions() const noexcept {
    return suspensions_.load(std::memory_order_relaxed);
  }

  // A call for the copies is about to be made: takes one from the rate. False where the minute's
  // rate is used up. Shadow thread.
  bool take_rate(const routing::ShadowBudget& budget, SteadyTime now) noexcept;
  // The same for tokens, in any 60 seconds. `taken` is put right by settle_tokens() once the answer
  // tells what it came to. Without such a budget nothing is taken.
  bool take_tokens(const routing::ShadowBudget& budget, std::uint64_t tokens, SteadyTime now,
                   TokenReservation& taken) noexcept;
  // Any thread.
  void settle_tokens(const TokenReservation& taken, std::uint64_t tokens) noexcept {
    if (taken.tokens > 0) tokens_.correct(taken, tokens);
  }
  std::uint64_t tokens_of_last_minute(SteadyTime now) const noexcept { return tokens_.sum(now); }

  // How many input tokens a body of that size has, by what was answered so far; before that, a
  // cautious guess. Any thread.
  void input_was(std::size_t body_bytes, std::uint64_t tokens) noexcept;
  std::uint64_t estimated_input(std::size_t body_bytes) const noexcept;

  // The families that are copied less, as the evidence has it now. Any thread.
  using Families = std::set<std::string, std::less<>>;
  void set_settled(Families families);
  Families settled() const;
  bool any_settled() const noexcept { return any_settled_.load(std::memory_order_relaxed); }
  bool is_settled(std::string_view family) const;

  // What a call cost, where that is known. Any thread. An unknown cost is taken for the mean of the
  // known ones.
  void spent(std::optional<double> usd) noexcept;
  double spent_today() const noexcept;  // UTC
  // What an earlier process spent today. Before the first call.
  void spent_before(double usd) noexcept;

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
  std::atomic<std::uint64_t> suspensions_{0};
  std::atomic<std::uint64_t> known_bytes_{0}, known_input_{0};
  MinuteWindow tokens_;
  std::atomic<bool> any_settled_{false};
  mutable std::mutex settled_mutex_;
  Families settled_;  // guarded by settled_mutex_
  // Rate, shadow thread:
  double rate_tokens_ = 0.0;
  SteadyTime rate_filled_{};
};

}  // namespace understudy::proxy

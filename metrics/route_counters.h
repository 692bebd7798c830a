#pragma once
// The numbers of one route: what RouteMeter records, without knowing how it is shown. Owned by the
// Recorder; every function may be called from any thread and takes no lock.

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "metrics/recorder.h"
#include "metrics/sharded.h"
#include "routing/compatibility.h"

namespace understudy::metrics {

// The OpenTelemetry GenAI conventions' buckets (gen_ai.client.operation.duration,
// .server.time_to_first_token and .server.time_per_output_token), in seconds. Durations go two
// doublings further: answers may take an hour.
inline constexpr std::array kDurationBounds{0.01, 0.02, 0.04,  0.08,  0.16,  0.32,  0.64,   1.28,
                                            2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68};
inline constexpr std::array kFirstTokenBounds{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                              0.25,  0.5,   0.75, 1.0,  2.5,  5.0,  7.5,  10.0};
inline constexpr std::array kPerTokenBounds{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,
                                            0.3,  0.4,   0.5,  0.75,  1.0, 2.5};

inline constexpr std::size_t kVariants = 2;
inline constexpr std::size_t kLegs = 3;
inline constexpr std::size_t kSkipReasons =
    static_cast<std::size_t>(routing::SkipReason::settled) + 1;

inline constexpr std::array<std::string_view, 4> kTokenTypes{"input", "output", "cache_read",
                                                             "cache_write"};

// Requests of one operation, variant and leg. Made when the first one comes: most combinations
// never do.
struct RequestSeries {
  // Successes are nearly all there is; other codes share one counter each between threads.
  ShardedCounters<1> ok;
  std::array<std::atomic<std::uint64_t>, 501> other_codes{};  // [0]: no answer; [n]: code 99 + n
  TimeHistogram<kDurationBounds.size()> duration{kDurationBounds};
  TimeHistogram<kFirstTokenBounds.size()> first_token{kFirstTokenBounds};
  TimeHistogram<kPerTokenBounds.size()> per_token{kPerTokenBounds};

  void count(int status) noexcept;
};

// Tokens and money of one variant and leg. Written by analysis threads only, hence not sharded.
struct SpendSeries {
  std::array<std::atomic<std::uint64_t>, kTokenTypes.size()> tokens{};
  std::atomic<std::uint64_t> usage_missing{0};
  std::atomic<double> cost_usd{0.0};
};

// Where pairs ended and what they showed, of shadow or of control legs.
class PairSeries {
 public:
  struct SignalSeries {
    std::atomic<std::uint64_t> pairs{0}, divergent{0}, served_bad{0}, other_bad{0};
    std::atomic<double> value_sum{0.0};
  };

  void dropped(DropReason reason) noexcept { drops_.add(static_cast<std::size_t>(reason)); }
  void failed(FailReason reason) noexcept { bump(fails_[static_cast<std::size_t>(reason)]); }
  void compared(const Comparison& comparison) noexcept;

  std::uint64_t drops(DropReason reason) const noexcept {
    return drops_.sum(static_cast<std::size_t>(reason));
  }
  std::uint64_t fails(FailReason reason) const noexcept {
    return fails_[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
  }
  std::uint64_t compared() const noexcept { return same() + different(); }
  std::uint64_t same() const noexcept { return same_.load(std::memory_order_relaxed); }
  std::uint64_t different() const noexcept { return different_.load(std::memory_order_relaxed); }
  std::map<Signal, SignalCounts> signals() const;

 private:
  ShardedCounters<kDropReasons> drops_;
  std::array<std::atomic<std::uint64_t>, kFailReasons> fails_{};
  std::atomic<std::uint64_t> same_{0}, different_{0};
  std::array<SignalSeries, kSignals.size()> signals_{};
};

class RouteCounters final : public RouteMeter {
 public:
  explicit RouteCounters(std::string_view name) : name_(name) {}
  ~RouteCounters() override;
  RouteCounters(const RouteCounters&) = delete;
  RouteCounters& operator=(const RouteCounters&) = delete;

  void request(routing::Operation operation, routing::Variant variant, Leg leg, int status,
               std::chrono::nanoseconds total) noexcept override;
  void answer(const Observation& observation) noexcept override;
  void unread_answer(routing::Variant variant, Leg leg) noexcept override;
  void broken_answer(routing::Variant variant) noexcept override {
    bump(broken_[static_cast<std::size_t>(variant)]);
  }
  void fell_back(FallbackReason reason) noexcept override {
    bump(fallbacks_[static_cast<std::size_t>(reason)]);
  }
  void took_over(ModelGone kind) noexcept override {
    bump(takeovers_[static_cast<std::size_t>(kind)]);
  }
  void rewrote(std::string_view preset) noexcept override;
  void eligible() noexcept override { served_books_.add(kEligible); }
  void skipped(routing::SkipReason reason) noexcept override {
    served_books_.add(static_cast<std::size_t>(reason));
  }
  void dropped(DropReason reason) noexcept override { shadow_.dropped(reason); }
  void failed(FailReason reason) noexcept override { shadow_.failed(reason); }
  void compared(const Comparison& comparison) noexcept override { shadow_.compared(comparison); }
  void control_dropped(DropReason reason) noexcept override { control_.dropped(reason); }
  void control_failed(FailReason reason) noexcept override { control_.failed(reason); }
  void control_compared(const Comparison& comparison) noexcept override {
    control_.compared(comparison);
  }
  RouteCounts counts() const override;
  std::map<Signal, SignalCounts> signals() const override { return shadow_.signals(); }
  std::map<Signal, SignalCounts> control_signals() const override { return control_.signals(); }

  // For the exposition.
  const std::string& name() const noexcept { return name_; }
  std::uint64_t eligible_count() const noexcept { return served_books_.sum(kEligible); }
  std::uint64_t skips(routing::SkipReason reason) const noexcept {
    return served_books_.sum(static_cast<std::size_t>(reason));
  }
  std::uint64_t broken(std::size_t variant) const noexcept {
    return broken_[variant].load(std::memory_order_relaxed);
  }
  std::uint64_t fallbacks(FallbackReason reason) const noexcept {
    return fallbacks_[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
  }
  std::uint64_t takeovers(ModelGone kind) const noexcept {
    return takeovers_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
  }
  // By the place in routing::presets().
  std::uint64_t rewrites(std::size_t preset) const noexcept {
    return rewrites_[preset].load(std::memory_order_relaxed);
  }
  const PairSeries& shadow() const noexcept { return shadow_; }
  const PairSeries& control() const noexcept { return control_; }
  const SpendSeries& spend(std::size_t variant, std::size_t leg) const noexcept {
    return spend_[variant][leg];
  }
  // Null where no such request came yet.
  const RequestSeries* requests(std::size_t operation, std::size_t variant,
                                std::size_t leg) const noexcept {
    return requests_[operation][variant][leg].load(std::memory_order_acquire);
  }

 private:
  static constexpr std::size_t kEligible = kSkipReasons;
  RequestSeries* series(routing::Operation operation, routing::Variant variant, Leg leg) noexcept;

  const std::string name_;
  std::array<std::array<std::array<std::atomic<RequestSeries*>, kLegs>, kVariants>,
             routing::kOperations.size()>
      requests_{};
  std::array<std::array<SpendSeries, kLegs>, kVariants> spend_{};
  ShardedCounters<kSkipReasons + 1> served_books_;
  // Rare, hence not sharded.
  std::array<std::atomic<std::uint64_t>, kVariants> broken_{};
  std::array<std::atomic<std::uint64_t>, kFallbackReasons> fallbacks_{};
  std::array<std::atomic<std::uint64_t>, kModelGoneKinds> takeovers_{};
  std::array<std::atomic<std::uint64_t>, routing::kMaxPresets> rewrites_{};
  PairSeries shadow_, control_;
};

}  // namespace understudy::metrics

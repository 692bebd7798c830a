#include "proxy/shadow_account.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "proxy/log.h"
#include "routing/day.h"

namespace understudy::proxy {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr double kMicrocentsPerUsd = 1e8;

std::int64_t second_of(SteadyTime now) noexcept {
  return duration_cast<seconds>(now.time_since_epoch()).count();
}

std::int64_t day_number() noexcept {
  return routing::today().time_since_epoch().count();
}

}  // namespace

// A slot that still holds an older second is taken over by whoever comes first; a count lost to
// that race does not matter.
bool ThrottleWindow::count(bool throttled, SteadyTime now,
                           std::chrono::milliseconds suspend_for) noexcept {
  const std::int64_t second = second_of(now);
  Second& slot = seconds_[static_cast<std::size_t>(second % kSeconds)];
  std::int64_t held = slot.second.load(std::memory_order_relaxed);
  if (held != second &&
      slot.second.compare_exchange_strong(held, second, std::memory_order_relaxed)) {
    slot.answers.store(0, std::memory_order_relaxed);
    slot.throttled.store(0, std::memory_order_relaxed);
  }
  slot.answers.fetch_add(1, std::memory_order_relaxed);
  if (!throttled) return false;
  slot.throttled.fetch_add(1, std::memory_order_relaxed);
  if (!too_many(now)) return false;
  const std::int64_t until =
      (now + duration_cast<nanoseconds>(suspend_for)).time_since_epoch().count();
  const std::int64_t before = suspended_until_ns_.exchange(until, std::memory_order_relaxed);
  return before <= now.time_since_epoch().count();
}

nanoseconds ThrottleWindow::left(SteadyTime now) const noexcept {
  const std::int64_t until = suspended_until_ns_.load(std::memory_order_relaxed);
  return nanoseconds(std::max<std::int64_t>(until - now.time_since_epoch().count(), 0));
}

bool ThrottleWindow::too_many(SteadyTime now) const noexcept {
  const std::int64_t oldest = second_of(now) - kSeconds + 1;
  std::uint64_t answers = 0, throttled = 0;
  for (const Second& slot : seconds_) {
    if (slot.second.load(std::memory_order_relaxed) < oldest) continue;
    answers += slot.answers.load(std::memory_order_relaxed);
    throttled += slot.throttled.load(std::memory_order_relaxed);
  }
  return throttled > 0 && throttled * 100 >= answers;
}

Breaker::Permit Breaker::ask(SteadyTime now) noexcept {
  if (!open_.load(std::memory_order_relaxed)) return Permit::yes;
  if (now.time_since_epoch().count() < open_until_ns_.load(std::memory_order_relaxed))
    return Permit::no;
  return probing_.exchange(true, std::memory_order_relaxed) ? Permit::no : Permit::probe;
}

void Breaker::open_until(SteadyTime now, const routing::BreakerConfig& config) noexcept {
  // Replicas that lost the same candidate at the same moment must not all probe it at the same
  // moment.
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_real_distribution<double> spread(0.8, 1.2);
  const auto open_for = duration_cast<nanoseconds>(config.open_for * spread(random));
  open_until_ns_.store((now + open_for).time_since_epoch().count(), std::memory_order_relaxed);
  open_.store(true, std::memory_order_relaxed);
  probing_.store(false, std::memory_order_relaxed);
}

void Breaker::note(bool failure, SteadyTime now, const routing::BreakerConfig& config) noexcept {
  if (now - window_began_ > config.window) {
    window_began_ = now;
    requests_ = failures_ = 0;
  }
  ++requests_;
  if (failure) ++failures_;
}

void Breaker::succeeded(SteadyTime now, const routing::BreakerConfig& config) noexcept {
  consecutive_ = 0;
  note(false, now, config);
  if (!open_.exchange(false, std::memory_order_relaxed)) return;
  probing_.store(false, std::memory_order_relaxed);
  requests_ = failures_ = 0;
}

void Breaker::failed(SteadyTime now, const routing::BreakerConfig& config) noexcept {
  ++consecutive_;
  note(true, now, config);
  const bool too_many = requests_ >= config.min_requests &&
                        std::uint64_t{failures_} * 10'000 >=
                            std::uint64_t{requests_} * config.failure_percent.hundredths;
  const bool probe_failed =
      open_.load(std::memory_order_relaxed) && probing_.load(std::memory_order_relaxed);
  if (probe_failed || consecutive_ >= config.consecutive_failures || too_many)
    open_until(now, config);
}

ShadowAccount::Admission ShadowAccount::admit(const routing::ShadowConfig& config,
                                              SteadyTime now) noexcept {
  using metrics::DropReason;
  if (primary_.suspended(now)) return {.refused = DropReason::suspended};
  if (!within_budget(config.budget)) return {.refused = DropReason::budget};
  if (held_.fetch_add(1, std::memory_order_relaxed) >= config.max_in_flight + config.max_queued) {
    left();
    return {.refused = config.max_queued == 0 ? DropReason::in_flight : DropReason::queue};
  }
  const Breaker::Permit permit = breaker.ask(now);
  if (permit == Breaker::Permit::no) {
    left();
    return {.refused = DropReason::breaker};
  }
  return {.refused = std::nullopt, .is_probe = permit == Breaker::Permit::probe};
}

bool ShadowAccount::has_room(const routing::ShadowConfig& config) noexcept {
  return within_budget(config.budget) && held() < config.max_in_flight + config.max_queued &&
         !breaker.open();
}

void ShadowAccount::primary_answered(const routing::RouteConfig& route, int status,
                                     SteadyTime now) {
  const milliseconds rest = route.shadow.suspend_for;
  if (!primary_.count(status == 429 || status == 503, now, rest)) return;
  suspensions_.fetch_add(1, std::memory_order_relaxed);
  log_warn("shadow_suspended",
           {{"route", std::string_view{route.name}}, {"status", status}, {"for_ms", rest.count()}});
}

void ShadowAccount::begin_day() noexcept {
  const std::int64_t now = day_number();
  std::int64_t held = day_.load(std::memory_order_relaxed);
  if (held != now && day_.compare_exchange_strong(held, now))
    spent_microcents_.store(0, std::memory_order_relaxed);
}

// Calls under way count with the mean cost, so that a burst cannot overrun the budget by what it
// has not been billed yet.
bool ShadowAccount::within_budget(const routing::ShadowBudget& budget) noexcept {
  if (!budget.usd_per_day) return true;
  begin_day();
  const std::int64_t calls = known_calls_.load(std::memory_order_relaxed);
  const double mean = calls > 0
                          ? static_cast<double>(known_microcents_.load(std::memory_order_relaxed)) /
                                static_cast<double>(calls)
                          : 0.0;
  const double committed = static_cast<double>(spent_microcents_.load(std::memory_order_relaxed)) +
                           mean * static_cast<double>(held_.load(std::memory_order_relaxed));
  return committed < *budget.usd_per_day * kMicrocentsPerUsd;
}

void ShadowAccount::spent(std::optional<double> usd) noexcept {
  begin_day();
  std::int64_t microcents = 0;
  if (usd) {
    microcents = std::llround(*usd * kMicrocentsPerUsd);
    known_microcents_.fetch_add(microcents, std::memory_order_relaxed);
    known_calls_.fetch_add(1, std::memory_order_relaxed);
  } else if (const std::int64_t calls = known_calls_.load(std::memory_order_relaxed); calls > 0) {
    microcents = known_microcents_.load(std::memory_order_relaxed) / calls;
  }
  spent_microcents_.fetch_add(microcents, std::memory_order_relaxed);
}

void ShadowAccount::spent_before(double usd) noexcept {
  begin_day();
  spent_microcents_.fetch_add(std::llround(usd * kMicrocentsPerUsd), std::memory_order_relaxed);
}

double ShadowAccount::spent_today() const noexcept {
  if (day_.load(std::memory_order_relaxed) != day_number()) return 0.0;
  return static_cast<double>(spent_microcents_.load(std::memory_order_relaxed)) / kMicrocentsPerUsd;
}

bool ShadowAccount::take_tokens(const routing::ShadowBudget& budget, std::uint64_t tokens,
                                SteadyTime now, TokenReservation& taken) noexcept {
  if (!budget.tokens_per_minute) return true;
  return tokens_.take(tokens, *budget.tokens_per_minute, now, taken);
}

void ShadowAccount::input_was(std::size_t body_bytes, std::uint64_t tokens) noexcept {
  known_bytes_.fetch_add(body_bytes, std::memory_order_relaxed);
  known_input_.fetch_add(tokens, std::memory_order_relaxed);
}

std::uint64_t ShadowAccount::estimated_input(std::size_t body_bytes) const noexcept {
  // Of text, three bytes of a body or more make a token; pictures take far more bytes.
  constexpr std::size_t kGuessedBytesPerToken = 3;
  const auto bytes = known_bytes_.load(std::memory_order_relaxed);
  const auto input = known_input_.load(std::memory_order_relaxed);
  if (bytes == 0) return body_bytes / kGuessedBytesPerToken + 1;
  const double tokens =
      static_cast<double>(body_bytes) * static_cast<double>(input) / static_cast<double>(bytes);
  return static_cast<std::uint64_t>(std::ceil(tokens));
}

void ShadowAccount::set_settled(Families families) {
  const std::lock_guard lock(settled_mutex_);
  any_settled_.store(!families.empty(), std::memory_order_relaxed);
  settled_ = std::move(families);
}

ShadowAccount::Families ShadowAccount::settled() const {
  const std::lock_guard lock(settled_mutex_);
  return settled_;
}

bool ShadowAccount::is_settled(std::string_view family) const {
  const std::lock_guard lock(settled_mutex_);
  return settled_.contains(family);
}

bool ShadowAccount::take_rate(const routing::ShadowBudget& budget, SteadyTime now) noexcept {
  if (!budget.requests_per_minute) return true;
  const auto per_minute = static_cast<double>(*budget.requests_per_minute);
  // A bucket of one second's worth, but at least one call.
  const double capacity = std::max(1.0, per_minute / 60.0);
  if (rate_filled_ == SteadyTime{}) rate_tokens_ = capacity;
  const double elapsed = std::chrono::duration<double>(now - rate_filled_).count();
  if (rate_filled_ != SteadyTime{})
    rate_tokens_ = std::min(capacity, rate_tokens_ + elapsed * per_minute / 60.0);
  rate_filled_ = now;
  if (rate_tokens_ < 1.0) return false;
  rate_tokens_ -= 1.0;
  return true;
}

}  // namespace understudy::proxy

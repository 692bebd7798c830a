#include "metrics/route_counters.h"

#include <memory>
#include <new>

#include "metrics/usage.h"

namespace understudy::metrics {

namespace {

constexpr int kSmallestCode = 100;
constexpr int kLargestCode = 599;

template <typename Enum>
constexpr std::size_t index(Enum value) noexcept {
  return static_cast<std::size_t>(value);
}

void count_tokens(std::atomic<std::uint64_t>& counter,
                  const std::optional<std::int64_t>& tokens) noexcept {
  if (tokens && *tokens > 0) bump(counter, static_cast<std::uint64_t>(*tokens));
}

template <typename Reason, typename Read>
std::map<std::string, std::uint64_t> touched(std::size_t reasons, const Read& read) {
  std::map<std::string, std::uint64_t> counts;
  for (std::size_t i = 0; i < reasons; ++i) {
    const auto reason = static_cast<Reason>(i);
    if (const std::uint64_t count = read(reason)) counts.emplace(label(reason), count);
  }
  return counts;
}

}  // namespace

void RequestSeries::count(int status) noexcept {
  if (status == 200) return ok.add(0);
  const bool known = status >= kSmallestCode && status <= kLargestCode;
  bump(other_codes[known ? static_cast<std::size_t>(status - kSmallestCode + 1) : 0]);
}

void PairSeries::compared(const Comparison& comparison) noexcept {
  for (const Finding& finding : comparison.findings) {
    SignalSeries& series = signals_[index(finding.signal)];
    bump(series.pairs);
    if (finding.diverges) bump(series.divergent);
    if (finding.served_bad) bump(series.served_bad);
    if (finding.other_bad) bump(series.other_bad);
    series.value_sum.fetch_add(finding.value, std::memory_order_relaxed);
  }
  bump(comparison.any_divergence() ? different_ : same_);
}

std::map<Signal, SignalCounts> PairSeries::signals() const {
  std::map<Signal, SignalCounts> counts;
  for (const Signal signal : kSignals) {
    const SignalSeries& series = signals_[index(signal)];
    SignalCounts& count = counts[signal];
    count.pairs = series.pairs.load(std::memory_order_relaxed);
    count.divergent = series.divergent.load(std::memory_order_relaxed);
    count.served_bad = series.served_bad.load(std::memory_order_relaxed);
    count.other_bad = series.other_bad.load(std::memory_order_relaxed);
    count.value_sum = series.value_sum.load(std::memory_order_relaxed);
  }
  return counts;
}

RouteCounters::~RouteCounters() {
  for (auto& by_variant : requests_) {
    for (auto& by_leg : by_variant) {
      for (auto& series : by_leg) delete series.load(std::memory_order_acquire);
    }
  }
}

// Two threads may both make the first one; the loser throws its own away.
RequestSeries* RouteCounters::series(routing::Operation operation, routing::Variant variant,
                                     Leg leg) noexcept {
  std::atomic<RequestSeries*>& slot = requests_[index(operation)][index(variant)][index(leg)];
  RequestSeries* there = slot.load(std::memory_order_acquire);
  if (there != nullptr) return there;
  std::unique_ptr<RequestSeries> fresh{new (std::nothrow) RequestSeries};
  if (fresh && slot.compare_exchange_strong(there, fresh.get(), std::memory_order_acq_rel,
                                            std::memory_order_acquire)) {
    there = fresh.release();
  }
  return there;
}

void RouteCounters::request(routing::Operation operation, routing::Variant variant, Leg leg,
                            int status, std::chrono::nanoseconds total) noexcept {
  RequestSeries* requests = series(operation, variant, leg);
  if (requests == nullptr) return;
  requests->count(status);
  requests->duration.observe(total);
}

// CountTokens reports tokens that were not used: it is free and belongs to no bill.
void RouteCounters::answer(const Observation& observation) noexcept {
  if (!routing::is_understood(observation.operation)) return;
  SpendSeries& spend = spend_[index(observation.variant)][index(observation.leg)];
  if (!routing::only_counts_tokens(observation.operation)) {
    const Usage& usage = observation.usage;
    count_tokens(spend.tokens[0], usage.input);
    count_tokens(spend.tokens[1], usage.output);
    count_tokens(spend.tokens[2], usage.cache_read);
    count_tokens(spend.tokens[3], usage.cache_write);
    if (observation.status == 200 && usage_unknown(observation)) bump(spend.usage_missing);
    if (observation.cost_usd) {
      spend.cost_usd.fetch_add(*observation.cost_usd, std::memory_order_relaxed);
    }
  }
  if (!observation.first_token && !observation.time_per_output_token) return;
  RequestSeries* requests = series(observation.operation, observation.variant, observation.leg);
  if (requests == nullptr) return;
  if (observation.first_token) requests->first_token.observe(*observation.first_token);
  if (observation.time_per_output_token) {
    requests->per_token.observe(*observation.time_per_output_token);
  }
}

void RouteCounters::unread_answer(routing::Variant variant, Leg leg) noexcept {
  bump(spend_[index(variant)][index(leg)].usage_missing);
}

void RouteCounters::rewrote(std::string_view preset) noexcept {
  if (const auto place = routing::preset_place(preset)) bump(rewrites_[*place]);
}

RouteCounts RouteCounters::counts() const {
  RouteCounts counts;
  counts.fallbacks =
      touched<FallbackReason>(kFallbackReasons, [this](FallbackReason r) { return fallbacks(r); });
  counts.compared = shadow_.compared();
  counts.failed =
      touched<FailReason>(kFailReasons, [this](FailReason r) { return shadow_.fails(r); });
  counts.dropped =
      touched<DropReason>(kDropReasons, [this](DropReason r) { return shadow_.drops(r); });
  counts.skipped = touched<routing::SkipReason>(kSkipReasons,
                                                [this](routing::SkipReason r) { return skips(r); });
  // Read last: what finishes meanwhile may show as under way, never as an end without a beginning.
  counts.eligible = eligible_count();
  return counts;
}

}  // namespace understudy::metrics

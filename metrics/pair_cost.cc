#include "metrics/pair_cost.h"

#include <initializer_list>

namespace understudy::metrics {
namespace {

// Each kind of token is asked for alone: nothing but the price file knows its rules.
std::optional<CostParts> parts(const Prices& prices, std::string_view model, const Usage& usage,
                               std::chrono::sys_days day) {
  if (!prices.cost(model, usage, day)) return std::nullopt;
  const auto alone = [&](std::initializer_list<std::optional<std::int64_t> Usage::*> kinds) {
    Usage some;
    some.input = some.output = 0;
    for (const auto kind : kinds) some.*kind = usage.*kind;
    return prices.cost(model, some, day).value_or(0.0);
  };
  return CostParts{.input = alone({&Usage::input}),
                   .cache_read = alone({&Usage::cache_read}),
                   .cache_write = alone({&Usage::cache_write, &Usage::cache_write_1h}),
                   .output = alone({&Usage::output})};
}

}  // namespace

std::optional<PairCost> pair_cost(const Prices& prices, const Observation& primary,
                                  const Observation& candidate, std::chrono::sys_days day) {
  const auto paid = parts(prices, primary.model_id, primary.usage, day);
  const auto moved = parts(prices, candidate.model_id, primary.usage, day);
  const auto would_pay = parts(prices, candidate.model_id, candidate.usage, day);
  if (!paid || !moved || !would_pay) return std::nullopt;
  return PairCost{.primary = *paid,
                  .primary_at_candidate_prices = *moved,
                  .candidate = *would_pay,
                  .prices_as_of = prices.as_of()};
}

}  // namespace understudy::metrics

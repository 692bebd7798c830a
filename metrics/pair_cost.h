#pragma once
// What the two answers of a pair cost, by kind of token. Pure functions; any thread.

#include <chrono>
#include <optional>
#include <string_view>

#include "metrics/observation.h"
#include "metrics/pricing.h"

namespace understudy::metrics {

// Beside what each side pays, what the primary's tokens would cost at the candidate's prices: so a
// difference of prices is told from a difference of tokens.
struct PairCost {
  CostParts primary;
  CostParts primary_at_candidate_prices;
  CostParts candidate;
  std::string_view prices_as_of;  // lives as long as the prices
};
// None where any of the three is unknown.
std::optional<PairCost> pair_cost(const Prices& prices, const Observation& primary,
                                  const Observation& candidate, std::chrono::sys_days day);

}  // namespace understudy::metrics

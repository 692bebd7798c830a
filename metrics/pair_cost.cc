#include "metrics/pair_cost.h"

namespace understudy::metrics {

std::optional<PairCost> pair_cost(const Prices& prices, const Observation& primary,
                                  const Observation& candidate, std::chrono::sys_days day) {
  const auto paid = prices.parts(primary.model_id, primary.usage, day);
  const auto moved = prices.parts(candidate.model_id, primary.usage, day);
  const auto would_pay = prices.parts(candidate.model_id, candidate.usage, day);
  if (!paid || !moved || !would_pay) return std::nullopt;
  return PairCost{.primary = *paid,
                  .primary_at_candidate_prices = *moved,
                  .candidate = *would_pay,
                  .prices_as_of = prices.as_of()};
}

}  // namespace understudy::metrics

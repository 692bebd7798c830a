#pragma once
// What the pairs of a family cost, as sums: evidence like the counts, so that threads, processes
// and restarts add up. What it comes to: metrics/cost_report.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "metrics/observation.h"
#include "metrics/pair_cost.h"

namespace understudy::metrics {

// Of one variant, over the pairs whose usage both sides told.
struct PairedSpend {
  std::uint64_t pairs = 0;
  std::uint64_t input_tokens = 0;  // with those read from and written to a cache
  std::uint64_t cache_read_tokens = 0;
  std::uint64_t cache_write_tokens = 0;
  std::uint64_t output_tokens = 0;
  std::uint64_t characters = 0;  // of the visible answers, tool calls included
  // Tokens of thinking, where the upstream told them; and all tokens and characters of the answers
  // that thought without telling how much.
  std::uint64_t reasoning_tokens = 0;
  std::uint64_t unsplit_tokens = 0;
  std::uint64_t unsplit_characters = 0;
  // Over the pairs of which every cost is known. `at_candidate_prices`: its tokens at what the
  // candidate's model costs.
  std::uint64_t priced = 0;
  double cost_usd = 0.0;
  CostParts at_candidate_prices;

  void merge(const PairedSpend& other) noexcept;
  friend bool operator==(const PairedSpend&, const PairedSpend&) = default;
};

// Of one answer, without its price.
PairedSpend spend_of(const Observation& seen) noexcept;

nlohmann::json to_json(const PairedSpend& spend);
// Throws what nlohmann throws, or std::invalid_argument: for what to_json() did not write.
PairedSpend spend_from_json(const nlohmann::json& json);

}  // namespace understudy::metrics

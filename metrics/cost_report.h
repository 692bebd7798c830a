#pragma once
// What the candidate would cost in the place of the primary, and why it differs: from the spends of
// the pairs. A pure function of evidence.

#include <cstdint>
#include <optional>
#include <string>

#include "metrics/evidence/evidence.h"

namespace understudy::metrics {

// The parts of candidate minus primary, in USD. They are told one after the other, each with those
// before it in force, so that they add up to the difference exactly.
struct CostEffects {
  double price = 0.0;      // the primary's tokens at the candidate's prices
  double tokenizer = 0.0;  // the same text, and the same pictures, in more tokens
  double verbosity = 0.0;  // longer answers
  // More tokens of thinking. Where nothing tells them from the answers' own, verbosity holds them.
  std::optional<double> thinking = 0.0;
  double cache = 0.0;  // another share of the prompt read from or written to a cache

  double total() const noexcept {
    return price + tokenizer + verbosity + thinking.value_or(0.0) + cache;
  }
};

struct CostReport {
  std::uint64_t pairs = 0;   // whose usage both sides told
  std::uint64_t priced = 0;  // of those: whose costs are known. All USD below are of them.
  std::string prices_as_of;  // "2026-11-20"; of several price files "2026-10-01 to 2026-11-20"

  // Of one thousand requests. None without a priced pair.
  std::optional<double> primary_usd, candidate_usd;
  std::optional<CostEffects> effects;
  // What a request costs with the candidate, over what it costs now: the geometric mean over the
  // pairs, with its confidence sequence, 95 %.
  struct Ratio {
    std::uint64_t pairs = 0;
    double mean = 1.0;
    Interval interval;
  };
  std::optional<Ratio> ratio;
  // If as much of the candidate's prompts came from its cache as of the primary's: a copy of a
  // share of the traffic finds a colder cache than all of it would.
  std::optional<double> candidate_usd_with_primarys_cache;

  // Tokens of the candidate for one of the primary, of the same text: prompts, and answers.
  std::optional<double> input_tokenizer, output_tokenizer;
  std::optional<double> primary_cache_share, candidate_cache_share;  // of prompt tokens

  // From all requests of the route, as if they went on coming as during `watched`, each at the
  // mean cost of the pairs.
  struct Month {
    double requests = 0.0;
    double primary_usd = 0.0, candidate_usd = 0.0;
    std::chrono::seconds watched{0};
  };
  std::optional<Month> month;
};

CostReport cost_report(const RouteEvidence& evidence);

// One pair's sums or many's, in USD of all of them. None where no pair is priced.
std::optional<CostEffects> cost_effects(const PairedSpend& primary, const PairedSpend& candidate);

// In plain words; names what is unknown and why.
std::string text_of(const CostReport& report);

}  // namespace understudy::metrics

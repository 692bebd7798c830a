#pragma once
// Pairs of answers whose difference is known, made from a seed: what the detector benchmark and
// its test hold the signals against. Tuning and held-out pairs are worded from different lists, so
// that a pattern fitted to one says nothing about the other.

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "metrics/comparison.h"
#include "metrics/divergence/answer_profile.h"

namespace understudy::bench {

enum class PairClass : std::uint8_t {
  // Benign: nothing a caller would notice.
  identical,
  same_json,   // other order of keys, white space, 1.0 for 1
  tool_order,  // parallel calls in another order, arguments written otherwise
  resample,    // the same model asked again
  rephrase,    // another version: other words, longer
  both_fenced,
  // Regressions.
  fenced,
  wrapped,
  key_renamed,
  key_missing,
  type_changed,
  label_flip,
  tool_name,
  argument_type,
  argument_missing,
  refusal,
  max_tokens,
  breaks_off,
  language,
  empty,
  // Further changes with a signal of their own.
  refused_as_invalid,
  more_parallel_calls,
  thinking_first,
  off_topic,
  leaf_flip,
};
inline constexpr std::size_t kPairClasses = 25;
inline constexpr std::size_t kBenignClasses = 6;
std::string_view label(PairClass pair_class) noexcept;
inline bool is_benign(PairClass pair_class) noexcept {
  return static_cast<std::size_t>(pair_class) < kBenignClasses;
}

enum class Split : std::uint8_t { tuning, held_out };

struct LabelledPair {
  PairClass truth = PairClass::identical;
  metrics::Observation served;
  metrics::Observation other;
  metrics::Expectations expectations;
  // What the family's earlier answers taught; expectations.profile points to it.
  std::shared_ptr<const metrics::AnswerProfile> profile;
};

// `per_class` pairs of every class.
std::vector<LabelledPair> labelled_pairs(Split split, std::uint64_t seed, int per_class);

// What the signals make of a pair; `rephrase` stands for "nothing", as does every benign class.
PairClass detected(const LabelledPair& pair);

// Prose of about that many characters (benchmarks of speed).
std::string prose(std::uint64_t seed, std::size_t characters);

}  // namespace understudy::bench

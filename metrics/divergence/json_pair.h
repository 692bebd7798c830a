#pragma once
// The JSON of two answers, read once for all signals that look into it: in which form it stands,
// its values, and at which places these differ. Lives as long as the comparison of one pair, whose
// answers it views; one thread.

#include <cstdint>
#include <optional>
#include <string>

#include "metrics/comparison.h"
#include "metrics/divergence/json_form.h"
#include "metrics/divergence/json_value.h"
#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

struct JsonAnswer {
  JsonForm form;
  JsonParser parser;
  std::optional<Json> root;  // none also where the JSON is valid but beyond the parser's bounds
  FlatJson flat;             // sorted by path
  std::string joined;        // with the request's own beginning, where it is JSON only so

  // The answer is JSON and nothing else, or one fence of it.
  bool is_all_json() const noexcept {
    return form.valid && (form.container == Container::bare || form.container == Container::fenced);
  }
  bool was_read_whole() const noexcept { return root && flat.whole; }
};

class JsonPair {
 public:
  explicit JsonPair(const Pair& pair);

  // False where there is nothing to hold against each other: an answer is missing, or a turn calls
  // tools and answers later.
  bool applies() const noexcept { return applies_; }
  // How the JSON is to stand: as the request demands, else as the family's answers have it. None
  // where there is no such contract.
  const std::optional<Container>& contract() const noexcept { return contract_; }
  // JSON is what was asked for, and not a part of prose: by the contract, or because either answer
  // is nothing else.
  bool is_wanted() const noexcept {
    return contract_ || served.is_all_json() || other.is_all_json();
  }
  // Of two documents that were read whole: at some place of both stands a value of another type
  // (null has none), or another value.
  bool equal() const noexcept { return equal_; }
  bool type_differs() const noexcept { return type_differs_; }
  bool leaf_differs() const noexcept { return leaf_differs_; }

  JsonAnswer served, other;

 private:
  void compare_places();

  bool applies_ = false;
  std::optional<Container> contract_;
  bool equal_ = false, type_differs_ = false, leaf_differs_ = false;
};

// Applies where either text is or holds JSON, or where a contract demands it: the request's schema,
// or else what the family's answers have been like. Bad: no valid JSON, not in the contract's
// container, against its schema or its keys and types.
//
// Without a contract the other answer is the measure, where one of both is JSON and nothing else:
// bad is the one that serves a caller who parses worse (JSON alone, then one fence of it, then
// anything else). That holds for both sides alike. Taking the served answer for the measure would
// call chance a regression of two equal models: of a family that answers in JSON now and then, only
// the pairs whose served answer is JSON would count, and only against the candidate.
// JSON as a part of prose is told and never bad.
//
// Diverges also where form or keys differ.
std::optional<Finding> json_contract(const Pair& pair, const JsonPair& json);
// Applies where JSON is wanted and both hold some that was read whole. Diverges where a value
// differs: booleans and numbers as such, strings by BFCL's rule, sentences by their words.
std::optional<Finding> json_agreement(const Pair& pair, const JsonPair& json);

}  // namespace understudy::metrics::divergence

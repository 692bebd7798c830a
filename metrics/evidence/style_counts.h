#pragma once
// What is measured of pairs and judged by no gate: how long the candidate's answers are, how soon
// their first token comes, how many tools they call and how many words they share, each as values
// of the engine, so that what is shown has bounds that hold however often one looks. Of the pairs
// that stand for all traffic. Additive, plain values.

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "metrics/comparison.h"
#include "metrics/statistics/betting.h"

namespace understudy::metrics {

class StyleCounts {
 public:
  // ln(candidate / primary) of characters, of time to first token, and of tool calls where both
  // call; and by how much of the words less is shared with the candidate's answer than with the
  // primary's own second one.
  static constexpr std::array kMeasured{Signal::verbosity, Signal::first_token,
                                        Signal::tool_agreement, Signal::containment};

  // Of two answers; and, where the control leg answered as well, of the three.
  void add_pair(const Comparison& comparison);
  void add_triple(const Comparison& shadow, const Comparison& control);
  void merge(const StyleCounts& other) noexcept;

  struct Figure {
    std::uint64_t pairs = 0;
    // Ratios: the candidate's figure over the primary's, the geometric mean. Containment: the share
    // of words that is lost.
    double mean = 0.0;
    Interval interval;  // a confidence sequence, 95 %, in the same unit
  };
  // None where the signal is not measured, or nothing came yet.
  std::optional<Figure> figure(Signal signal) const noexcept;

  nlohmann::json to_json() const;
  // Throws for what to_json() did not write. What it does not tell is not counted.
  static StyleCounts from_json(const nlohmann::json& json);
  friend bool operator==(const StyleCounts&, const StyleCounts&) = default;

 private:
  using Values = std::array<std::uint64_t, kRatioValues>;
  std::array<Values, kMeasured.size()> values_{};  // as kMeasured
};

}  // namespace understudy::metrics

#pragma once
// Two Observations held against each other. Pure functions, one file per signal group in
// divergence/.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/divergence/expectations.h"
#include "metrics/divergence/text_traits.h"
#include "metrics/observation.h"

namespace understudy::metrics {

// The closed set of signals (also the metric label). The names are an interface: add, don't rename.
enum class Signal : std::uint8_t {
  error_class,
  validation_error,
  refusal,
  stop_reason,
  truncation,
  empty,
  json_contract,
  json_agreement,
  tool_contract,
  tool_agreement,
  first_tool,
  label,
  number,
  language,
  containment,
  verbosity,
  markdown,
  thinking,
  citations,
  stream_shape,
  latency,
  first_token,
  cost,
};
inline constexpr std::array kSignals{Signal::error_class,   Signal::validation_error,
                                     Signal::refusal,       Signal::stop_reason,
                                     Signal::truncation,    Signal::empty,
                                     Signal::json_contract, Signal::json_agreement,
                                     Signal::tool_contract, Signal::tool_agreement,
                                     Signal::first_tool,    Signal::label,
                                     Signal::number,        Signal::language,
                                     Signal::containment,   Signal::verbosity,
                                     Signal::markdown,      Signal::thinking,
                                     Signal::citations,     Signal::stream_shape,
                                     Signal::latency,       Signal::first_token,
                                     Signal::cost};
std::string_view label(Signal signal) noexcept;

struct Finding {
  Signal signal = Signal::error_class;
  // The two answers differ in it: what divergence_total counts. Two answers of one model may do so
  // too, so it means something only above the noise of the control legs.
  bool diverges = false;
  // What is wrong with either side alone, by the same function; never set by json_agreement,
  // first_tool, number, containment, verbosity, latency, first_token and cost, which need both.
  bool served_bad = false;
  bool other_bad = false;
  // ln(other / served) of characters, tool calls, latency, time to first token and cost;
  // containment: the share of words that both have; else 0.
  double value = 0.0;
  // What was found, of the words in divergence/signals.h: of the other side, or of the served one
  // where only that is bad. Empty where nothing is to be said.
  std::string_view detail{};
};

struct Comparison {
  std::vector<Finding> findings;  // only of signals that apply to this pair
  bool any_divergence() const noexcept;
};

// Never throws but std::bad_alloc. Whatever the answers hold, a pair takes at most about 100 ms and
// 100 MB beyond the answers themselves: JSON is looked into up to 4 MiB, 128 levels and 8,192
// values, words up to 64 KiB, tool calls up to 64 of 1 MiB each; the rest is passed over once.
//
// `served` is the primary's answer and `other` the candidate's, also where the candidate served; of
// a control pair, what the client got and the second answer.
// What is known of their texts already need not be found again.
Comparison compare(const Observation& served, const Observation& other,
                   const Expectations& expectations, const TextTraits& served_text,
                   const TextTraits& other_text);
inline Comparison compare(const Observation& served, const Observation& other,
                          const Expectations& expectations = {}) {
  return compare(served, other, expectations, TextTraits{served.answer.text},
                 TextTraits{other.answer.text});
}

}  // namespace understudy::metrics

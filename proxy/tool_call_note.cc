#include "proxy/tool_call_note.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "metrics/verdict_text.h"

namespace understudy::proxy {
namespace {

using metrics::SignalCounts;
using nlohmann::json;

// Pairs in which both sides call. The signal applies where either does, and calls no call bad; the
// counts are read while they grow, each by itself.
std::uint64_t both_call(const SignalCounts& counts) {
  return counts.pairs - std::min(counts.pairs, counts.served_bad + counts.other_bad);
}

// Calls of the other side for each of the served one: the geometric mean.
std::optional<double> factor(const SignalCounts& counts) {
  const std::uint64_t pairs = both_call(counts);
  if (pairs == 0) return std::nullopt;
  return std::exp(counts.value_sum / static_cast<double>(pairs));
}

std::string in_pairs(std::uint64_t pairs) {
  return std::to_string(pairs) + (pairs == 1 ? " pair" : " pairs");
}

std::string text_of(const SignalCounts& agreement, const SignalCounts& noise) {
  if (agreement.pairs == 0) return "No pair yet in which a tool is called.";
  std::string text = "Only the primary calls tools in " + in_pairs(agreement.other_bad) +
                     ", only the candidate in " + in_pairs(agreement.served_bad) + ".";
  const auto calls = factor(agreement);
  if (!calls) return text;
  text += " Where both do, the candidate makes " + metrics::text_of_number(*calls) +
          " calls for each of the primary's, " + in_pairs(both_call(agreement)) + "; ";
  const auto by_chance = factor(noise);
  if (!by_chance) return text + "not measured between two answers of the same variant.";
  return text + "between two answers of the same variant it is " +
         metrics::text_of_number(*by_chance) + ", " + in_pairs(both_call(noise)) + ".";
}

}  // namespace

json describe_tool_calls(const SignalCounts& agreement, const SignalCounts& noise,
                         const metrics::StyleCounts& style) {
  const auto calls = factor(agreement);
  const auto figure = style.figure(metrics::Signal::tool_agreement);
  return {{"family", "all"},
          {"signal", "tool_calls"},
          {"state", "info"},
          {"text", text_of(agreement, noise)},
          {"pairs", agreement.pairs},
          {"control_pairs", noise.pairs},
          {"primary_rate", nullptr},
          {"candidate_rate", nullptr},
          {"difference", calls ? json(*calls - 1.0) : json()},
          {"interval",
           figure ? json{figure->interval.low - 1.0, figure->interval.high - 1.0} : json()}};
}

}  // namespace understudy::proxy

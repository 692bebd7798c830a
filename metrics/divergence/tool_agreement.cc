// Whether two answers call the same tools with the same arguments. Calls of one turn have no
// order; arguments are compared as JSON, never as text.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <vector>

#include "metrics/divergence/signals.h"
#include "metrics/divergence/tool_arguments.h"

namespace understudy::metrics::divergence {

namespace {

using Prints = std::vector<CallPrint>;

Prints prints_of(const Observation& seen) {
  Prints prints;
  const std::size_t count = std::min(seen.answer.tool_calls.size(), kMaxCalls);
  for (std::size_t i = 0; i < count; ++i) prints.push_back(print_of(seen.answer.tool_calls[i]));
  std::sort(prints.begin(), prints.end(), [](const CallPrint& a, const CallPrint& b) {
    return a.name != b.name ? a.name < b.name : a.values < b.values;
  });
  return prints;
}

// Takes out of both what is equal in both.
void cancel_equal(Prints& here, Prints& there) {
  const auto equal = [](const CallPrint& a, const CallPrint& b) {
    return a.name == b.name && a.values == b.values;
  };
  for (auto call = here.begin(); call != here.end();) {
    const auto match = std::find_if(there.begin(), there.end(),
                                    [&](const CallPrint& each) { return equal(*call, each); });
    if (match == there.end()) {
      ++call;
      continue;
    }
    there.erase(match);
    call = here.erase(call);
  }
}

bool same_keys(const CallPrint& a, const CallPrint& b) {
  return std::equal(a.keys.begin(), a.keys.end(), b.keys.begin(), b.keys.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

bool changes_a_type(const CallPrint& a, const CallPrint& b) {
  return std::any_of(a.keys.begin(), a.keys.end(), [&b](const auto& key) {
    const auto at =
        std::lower_bound(b.keys.begin(), b.keys.end(), std::pair{key.first, std::uint8_t{0}});
    return at != b.keys.end() && at->first == key.first && at->second != key.second;
  });
}

// Pairs what is left of equal names and says how their arguments differ, the worst first.
std::string_view argument_difference(Prints& here, Prints& there) {
  bool type = false, keys = false, value = false;
  for (auto call = here.begin(); call != here.end();) {
    const auto match = std::find_if(there.begin(), there.end(),
                                    [&](const CallPrint& each) { return call->name == each.name; });
    if (match == there.end()) {
      ++call;
      continue;
    }
    type = type || changes_a_type(*call, *match);
    keys = keys || !same_keys(*call, *match);
    value = true;
    there.erase(match);
    call = here.erase(call);
  }
  if (type) return "argument_type";
  if (keys) return "argument_keys";
  return value ? "argument_value" : "";
}

std::string_view name_difference(const Prints& here, const Prints& there) {
  if (!here.empty() && !there.empty()) return "tool_name";
  if (!here.empty()) return "tool_missing";
  return there.empty() ? "" : "tool_extra";
}

}  // namespace

std::optional<Finding> tool_agreement(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  const bool served_calls = !served.answer.tool_calls.empty();
  const bool other_calls = !other.answer.tool_calls.empty();
  if (!served_calls && !other_calls) return std::nullopt;
  Finding finding{
      .signal = Signal::tool_agreement, .served_bad = !served_calls, .other_bad = !other_calls};
  if (served_calls && other_calls) {
    finding.value = std::log(static_cast<double>(other.answer.tool_calls.size()) /
                             static_cast<double>(served.answer.tool_calls.size()));
  }
  Prints here = prints_of(served), there = prints_of(other);
  cancel_equal(here, there);
  const std::string_view arguments = argument_difference(here, there);
  const std::string_view names = name_difference(here, there);
  // All that the primary asked for and more: newer models call in parallel what older ones call
  // one after the other. A warning, no difference.
  if (names == "tool_extra" && arguments.empty() && served_calls) {
    finding.detail = "more_parallel_calls";
    return finding;
  }
  finding.detail =
      names.empty() || (names == "tool_extra" && !arguments.empty()) ? arguments : names;
  finding.diverges = !finding.detail.empty();
  return finding;
}

std::optional<Finding> first_tool(const Pair& pair) {
  const auto& here = pair.served.answer.tool_calls;
  const auto& there = pair.other.answer.tool_calls;
  if (!both_answered(pair) || here.empty() || there.empty()) return std::nullopt;
  Finding finding{.signal = Signal::first_tool,
                  .diverges = here.front().name != there.front().name};
  if (finding.diverges) finding.detail = "first_tool_differs";
  return finding;
}

}  // namespace understudy::metrics::divergence

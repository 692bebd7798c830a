#include "metrics/divergence/json_form.h"
#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

std::optional<Finding> json_contract(const Pair& pair) {
  const auto& [served, other, expected] = pair;
  if (!both_answered(pair)) return std::nullopt;
  const JsonForm here = json_form(served.answer.text);
  const JsonForm there = json_form(other.answer.text);
  if (here.container == Container::none && there.container == Container::none) return std::nullopt;
  return Finding{.signal = Signal::json_contract,
                 .diverges = here.container != there.container || here.valid != there.valid,
                 .served_bad = !here.valid,
                 .other_bad = !there.valid};
}

}  // namespace understudy::metrics::divergence

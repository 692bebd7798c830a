#include <cmath>

#include "metrics/divergence/signals.h"
#include "metrics/utf8.h"

namespace understudy::metrics::divergence {

std::optional<Finding> verbosity(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  const auto here = static_cast<double>(characters(served.answer.text));
  const auto there = static_cast<double>(characters(other.answer.text));
  if (here < 1.0 || there < 1.0) return std::nullopt;
  const double ratio = std::log(there / here);
  return Finding{
      .signal = Signal::verbosity, .diverges = std::abs(ratio) > kNoticeable, .value = ratio};
}

}  // namespace understudy::metrics::divergence

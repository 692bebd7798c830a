#include "metrics/divergence/signals.h"
#include "metrics/divergence/word_share.h"

namespace understudy::metrics::divergence {

namespace {

constexpr double kOffTopic = 0.15;

}  // namespace

std::optional<Finding> containment(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  const auto share = word_share(served.answer.text, other.answer.text);
  if (!share) return std::nullopt;
  Finding finding{.signal = Signal::containment, .diverges = *share < kOffTopic, .value = *share};
  if (finding.diverges) finding.detail = "off_topic";
  return finding;
}

}  // namespace understudy::metrics::divergence

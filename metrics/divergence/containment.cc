#include "metrics/divergence/signals.h"
#include "metrics/divergence/word_share.h"

namespace understudy::metrics::divergence {

namespace {

constexpr double kOffTopic = 0.15;
// Where the primary's own answers share no more, few shared words are how the family is.
constexpr double kKeepsToTopic = 0.3;

}  // namespace

std::optional<Finding> containment(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  const auto share = word_share(served.answer.text, other.answer.text);
  if (!share) return std::nullopt;
  const bool keeps_to_topic = expected.own_containment.value_or(1.0) > kKeepsToTopic;
  Finding finding{.signal = Signal::containment,
                  .diverges = *share < kOffTopic && keeps_to_topic,
                  .value = *share};
  if (finding.diverges) finding.detail = "off_topic";
  return finding;
}

}  // namespace understudy::metrics::divergence

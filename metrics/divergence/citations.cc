#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

// Their count varies with every telling; that there are none is another answer.
std::optional<Finding> citations(const Pair& pair) {
  if (!both_answered(pair)) return std::nullopt;
  const bool here = pair.served.answer.citations > 0;
  const bool there = pair.other.answer.citations > 0;
  if (!here && !there) return std::nullopt;
  Finding finding{.signal = Signal::citations,
                  .diverges = here != there,
                  .served_bad = !here,
                  .other_bad = !there};
  if (finding.diverges) finding.detail = there ? "citations_new" : "citations_gone";
  return finding;
}

}  // namespace understudy::metrics::divergence

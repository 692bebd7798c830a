// Values in JSON that callers act on. Two answers of one model differ in them, too, so differences
// mean something only above the noise of the control legs. A key that is missing is no value: that
// is the contract's.

#include "metrics/divergence/json_pair.h"

namespace understudy::metrics::divergence {

std::optional<Finding> json_agreement(const Pair&, const JsonPair& json) {
  if (!json.applies() || !json.is_wanted()) return std::nullopt;
  if (!json.served.was_read_whole() || !json.other.was_read_whole()) return std::nullopt;
  Finding finding{.signal = Signal::json_agreement, .diverges = json.leaf_differs()};
  if (finding.diverges) finding.detail = "leaf_differs";
  return finding;
}

}  // namespace understudy::metrics::divergence

#pragma once
// Evidence as JSON text: how it survives a restart and travels between proxies. Versioned; what
// does not fit is refused with a reason, never half read.

#include <string>
#include <string_view>
#include <variant>

#include "metrics/evidence/evidence.h"

namespace understudy::metrics {

struct EvidenceProblem {
  std::string what;  // a sentence
};

std::string to_json_text(const RouteEvidence& evidence);
// Never throws. `text` is hostile: a file that anyone may have written.
std::variant<RouteEvidence, EvidenceProblem> evidence_from_json(std::string_view text);

}  // namespace understudy::metrics

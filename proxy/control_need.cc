#include "proxy/control_need.h"

#include <algorithm>

namespace understudy::proxy {

using metrics::RouteEvidence;

void ControlNeed::begin(std::string_view experiment) {
  if (experiment_ == experiment) return;
  experiment_ = experiment;
  answered_ = 0;
  families_.clear();
}

const RouteEvidence* ControlNeed::of_this_experiment(const RouteEvidence* known) const noexcept {
  return known && known->experiment() == experiment_ ? known : nullptr;
}

bool ControlNeed::of_all(const RouteEvidence* known) const noexcept {
  const RouteEvidence* evidence = of_this_experiment(known);
  return std::max(answered_, evidence ? evidence->pooled().triples : 0) < kTriplesWanted;
}

bool ControlNeed::of_family(const RouteEvidence* known, std::string_view family) const {
  if (family.empty() || family == RouteEvidence::kOther) return false;
  const auto here = families_.find(family);
  if (here == families_.end() && families_.size() >= RouteEvidence::kMaxFamilies) return false;
  std::uint64_t triples = here == families_.end() ? 0 : here->second;
  if (const RouteEvidence* evidence = of_this_experiment(known)) {
    const auto& families = evidence->families();
    const auto counted = families.find(family);
    // What comes when the evidence is full counts as `other`.
    if (counted == families.end() && families.size() >= RouteEvidence::kMaxFamilies) return false;
    if (counted != families.end()) triples = std::max(triples, counted->second.triples);
  }
  return triples < kTriplesWanted;
}

void ControlNeed::answered(std::string_view family) {
  const auto here = families_.find(family);
  if (here != families_.end()) {
    ++here->second;
  } else if (families_.size() < RouteEvidence::kMaxFamilies) {
    families_.emplace(family, 1);
  }
}

}  // namespace understudy::proxy

#include "proxy/control_need.h"

#include <algorithm>

#include "metrics/safety_forecast.h"

namespace understudy::proxy {

using metrics::FamilyEvidence;
using metrics::RouteEvidence;

namespace {

// Triples of the gate that knows the fewest of those that wait for them: one that is new to this
// version has none in the evidence of a former one.
std::uint64_t triples_of(const FamilyEvidence& evidence) noexcept {
  std::uint64_t fewest = evidence.triples;
  for (std::size_t gate = 0; gate < metrics::kGateCount; ++gate) {
    if (metrics::gate_kind(gate) == metrics::GateKind::noise)
      fewest = std::min(fewest, evidence.gates[gate].total());
  }
  return fewest;
}

// `until_safe`: no more than kFewestTriples without it.
bool is_needed(const FamilyEvidence* evidence, std::uint64_t answered,
               const routing::VerdictConfig* until_safe) noexcept {
  const std::uint64_t triples = std::max(answered, evidence ? triples_of(*evidence) : 0);
  if (triples < metrics::kFewestTriples) return true;
  return evidence && until_safe && triples < metrics::kMostTriples &&
         metrics::wants_triples(*evidence, *until_safe);
}

}  // namespace

void ControlNeed::begin(std::string_view experiment) {
  if (experiment_ == experiment) return;
  experiment_ = experiment;
  answered_ = 0;
  families_.clear();
}

const RouteEvidence* ControlNeed::of_this_experiment(const RouteEvidence* known) const noexcept {
  return known && known->experiment() == experiment_ ? known : nullptr;
}

bool ControlNeed::of_all(const RouteEvidence* known, const Rules& rules) const noexcept {
  const RouteEvidence* evidence = of_this_experiment(known);
  return is_needed(evidence ? &evidence->pooled() : nullptr, answered_, &rules.verdict);
}

bool ControlNeed::of_family(const RouteEvidence* known, std::string_view family,
                            const Rules& rules) const {
  if (family.empty() || family == RouteEvidence::kOther) return false;
  const auto here = families_.find(family);
  if (here == families_.end() && families_.size() >= RouteEvidence::kMaxFamilies) return false;
  const FamilyEvidence* of_family = nullptr;
  if (const RouteEvidence* evidence = of_this_experiment(known)) {
    const auto& families = evidence->families();
    const auto counted = families.find(family);
    // What comes when the evidence is full counts as `other`.
    if (counted == families.end() && families.size() >= RouteEvidence::kMaxFamilies) return false;
    if (counted != families.end()) of_family = &counted->second;
  }
  return is_needed(of_family, here == families_.end() ? 0 : here->second,
                   rules.settles_families ? &rules.verdict : nullptr);
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

#include "metrics/comparison.h"

#include <algorithm>

#include "metrics/divergence/signals.h"

namespace understudy::metrics {

std::string_view label(Signal signal) noexcept {
  switch (signal) {
    case Signal::error_class:
      return "error_class";
    case Signal::validation_error:
      return "validation_error";
    case Signal::stop_reason:
      return "stop_reason";
    case Signal::json_contract:
      return "json_contract";
    case Signal::tool_agreement:
      return "tool_agreement";
    case Signal::verbosity:
      return "verbosity";
    case Signal::containment:
      return "containment";
  }
  return "error_class";
}

// How long an answer is belongs to its style: it is reported and makes no pair different.
bool Comparison::any_divergence() const noexcept {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.diverges && finding.signal != Signal::verbosity;
  });
}

Comparison compare(const Observation& served, const Observation& other) {
  Comparison comparison;
  for (const auto signal :
       {divergence::error_class, divergence::validation_error, divergence::stop_reason,
        divergence::json_contract, divergence::tool_agreement, divergence::verbosity,
        divergence::containment}) {
    if (const auto finding = signal(served, other)) comparison.findings.push_back(*finding);
  }
  return comparison;
}

}  // namespace understudy::metrics

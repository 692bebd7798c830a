#include "metrics/comparison.h"

#include <algorithm>

#include "metrics/divergence/json_pair.h"
#include "metrics/divergence/signals.h"

namespace understudy::metrics {

std::string_view label(Signal signal) noexcept {
  switch (signal) {
    case Signal::error_class:
      return "error_class";
    case Signal::validation_error:
      return "validation_error";
    case Signal::refusal:
      return "refusal";
    case Signal::stop_reason:
      return "stop_reason";
    case Signal::truncation:
      return "truncation";
    case Signal::empty:
      return "empty";
    case Signal::json_contract:
      return "json_contract";
    case Signal::json_agreement:
      return "json_agreement";
    case Signal::tool_contract:
      return "tool_contract";
    case Signal::tool_agreement:
      return "tool_agreement";
    case Signal::first_tool:
      return "first_tool";
    case Signal::label:
      return "label";
    case Signal::number:
      return "number";
    case Signal::language:
      return "language";
    case Signal::containment:
      return "containment";
    case Signal::verbosity:
      return "verbosity";
    case Signal::markdown:
      return "markdown";
    case Signal::thinking:
      return "thinking";
    case Signal::citations:
      return "citations";
    case Signal::stream_shape:
      return "stream_shape";
    case Signal::latency:
      return "latency";
    case Signal::first_token:
      return "first_token";
    case Signal::cost:
      return "cost";
  }
  return "error_class";
}

namespace {

// How long, how fast and how dear an answer is, and how it is set, make no other answer of it.
bool says_how(Signal signal) noexcept {
  return signal == Signal::verbosity || signal == Signal::markdown || signal == Signal::latency ||
         signal == Signal::first_token || signal == Signal::cost;
}

}  // namespace

bool Comparison::any_divergence() const noexcept {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.diverges && !says_how(finding.signal);
  });
}

Comparison compare(const Observation& served, const Observation& other,
                   const Expectations& expectations, const TextTraits& served_text,
                   const TextTraits& other_text) {
  const divergence::Pair pair{served, other, expectations, served_text, other_text};
  Comparison comparison;
  comparison.findings.reserve(kSignals.size());
  for (const auto signal :
       {divergence::error_class,     divergence::validation_error, divergence::refusal,
        divergence::stop_reason,     divergence::truncation,       divergence::empty,
        divergence::tool_contract,   divergence::tool_agreement,   divergence::first_tool,
        divergence::label_agreement, divergence::number_agreement, divergence::language,
        divergence::containment,     divergence::verbosity,        divergence::markdown,
        divergence::thinking,        divergence::citations,        divergence::stream_shape,
        divergence::latency,         divergence::first_token,      divergence::cost}) {
    if (const auto finding = signal(pair)) comparison.findings.push_back(*finding);
  }
  const divergence::JsonPair json(pair);
  for (const auto signal : {divergence::json_contract, divergence::json_agreement}) {
    if (const auto finding = signal(pair, json)) comparison.findings.push_back(*finding);
  }
  return comparison;
}

}  // namespace understudy::metrics

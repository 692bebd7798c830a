#pragma once
// Two Observations held against each other. Pure functions, one file per signal group in
// divergence/.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/observation.h"

namespace understudy::metrics {

// The closed set of signals (also the metric label). Those measured so far; the names are an
// interface: add, don't rename.
enum class Signal : std::uint8_t {
  error_class,
  validation_error,
  stop_reason,
  json_contract,
  tool_agreement,
  verbosity,
  containment
};
inline constexpr std::array kSignals{
    Signal::error_class,    Signal::validation_error, Signal::stop_reason, Signal::json_contract,
    Signal::tool_agreement, Signal::verbosity,        Signal::containment};
std::string_view label(Signal signal) noexcept;

struct Finding {
  Signal signal = Signal::error_class;
  bool diverges = false;    // what divergence_total counts
  bool served_bad = false;  // directional signals: the same function applied to each side
  bool other_bad = false;
  double value = 0.0;  // verbosity: ln(chars other / chars served); containment: 0 to 1; else 0
};

struct Comparison {
  std::vector<Finding> findings;  // only of signals that apply to this pair
  bool any_divergence() const noexcept;
};

// `served` is what the client got, `other` the copy's answer.
Comparison compare(const Observation& served, const Observation& other);

}  // namespace understudy::metrics

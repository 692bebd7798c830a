#pragma once
// The gates that a candidate must pass, with their default thresholds: data of the config, judged
// by metrics/verdict.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace understudy::routing {

enum class GateUnit : std::uint8_t {
  share,  // of pairs: how much more often the candidate is bad, 0.01 is one in a hundred
  ratio   // of the candidate's figure to the primary's: 0.10 is ten per cent more
};

struct GateThresholds {
  double alarm = 0.0;   // worse by more than that is an alarm
  double margin = 0.0;  // shown to be worse by less than that is safe
  friend bool operator==(const GateThresholds&, const GateThresholds&) = default;
};

struct GateDefault {
  std::string_view signal;  // its name, the same as in metrics and in the API
  GateUnit unit;
  bool critical;  // alarms on all traffic mean: roll back
  GateThresholds thresholds;
};

inline constexpr std::array kGates{
    GateDefault{"validation_error", GateUnit::share, true, {0.0, 0.005}},
    GateDefault{"error_class", GateUnit::share, true, {0.0, 0.01}},
    GateDefault{"refusal", GateUnit::share, true, {0.0, 0.01}},
    GateDefault{"truncation", GateUnit::share, false, {0.0, 0.01}},
    GateDefault{"empty", GateUnit::share, false, {0.0, 0.01}},
    GateDefault{"json_contract", GateUnit::share, true, {0.0, 0.01}},
    GateDefault{"tool_contract", GateUnit::share, true, {0.0, 0.01}},
    GateDefault{"language", GateUnit::share, true, {0.0, 0.01}},
    GateDefault{"label", GateUnit::share, false, {0.005, 0.03}},
    GateDefault{"number", GateUnit::share, false, {0.005, 0.03}},
    GateDefault{"json_agreement", GateUnit::share, false, {0.01, 0.05}},
    GateDefault{"tool_agreement", GateUnit::share, false, {0.01, 0.05}},
    GateDefault{"latency", GateUnit::ratio, false, {0.10, 0.25}},
    GateDefault{"cost", GateUnit::ratio, false, {0.10, 0.30}},
};

constexpr std::array<std::optional<GateThresholds>, kGates.size()> default_gates() noexcept {
  std::array<std::optional<GateThresholds>, kGates.size()> thresholds;
  for (std::size_t i = 0; i < kGates.size(); ++i) thresholds[i] = kGates[i].thresholds;
  return thresholds;
}

// Two answers of one model may differ in these, too: such a gate is judged only beside control
// legs, which tell how much.
constexpr bool needs_control(const GateDefault& gate) noexcept {
  return gate.signal == "label" || gate.signal == "number" || gate.signal == "language" ||
         gate.signal == "json_agreement" || gate.signal == "tool_agreement";
}

// The index into kGates; none where the signal is for information only.
constexpr std::optional<std::size_t> gate_of(std::string_view signal) noexcept {
  for (std::size_t i = 0; i < kGates.size(); ++i) {
    if (kGates[i].signal == signal) return i;
  }
  return std::nullopt;
}

}  // namespace understudy::routing

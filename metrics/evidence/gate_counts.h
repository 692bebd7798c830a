#pragma once
// What pairs say of the gates, as counts: of one gate over all its time, and of all gates over a
// short span. Additive, plain values.

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "metrics/statistics/betting.h"
#include "routing/gates.h"

namespace understudy::metrics {

inline constexpr std::size_t kGateCount = routing::kGates.size();

// How a gate's pairs become values.
enum class GateKind : std::uint8_t {
  flag,   // bad(candidate) - bad(primary), the same function for both
  noise,  // differs(primary, candidate) - differs(primary, primary asked again)
  ratio   // ln(candidate / primary)
};

constexpr GateKind gate_kind(std::size_t gate) noexcept {
  const routing::GateDefault& of = routing::kGates[gate];
  if (of.unit == routing::GateUnit::ratio) return GateKind::ratio;
  return routing::needs_control(of) ? GateKind::noise : GateKind::flag;
}

// How many values its counts have.
constexpr std::size_t gate_values(std::size_t gate) noexcept {
  return gate_kind(gate) == GateKind::ratio ? kRatioValues : kFlagValues;
}

// What one pair, or one triple, says of one gate.
struct GateMark {
  std::optional<std::size_t> value{};  // which of gate_values()
  bool candidate_seen = false, candidate_bad = false;
  bool primary_seen = false, primary_bad = false;
};
using PairMarks = std::array<GateMark, kGateCount>;

struct GateCounts {
  // The first gate_values() are used. Of a noise gate: triples.
  std::array<std::uint64_t, kRatioValues> values{};
  // Rates to show. Of a noise gate `primary` counts pairs with the primary's second answer.
  std::uint64_t candidate_pairs = 0, candidate_bad = 0;
  std::uint64_t primary_pairs = 0, primary_bad = 0;

  ValueCounts counts(std::size_t gate) const noexcept { return {values.data(), gate_values(gate)}; }
  std::uint64_t total() const noexcept;
  void add(const GateMark& mark) noexcept;
  void merge(const GateCounts& other) noexcept;
  friend bool operator==(const GateCounts&, const GateCounts&) = default;
};

// All gates over a span in which no count reaches 2^32, in under 700 bytes.
class SpanCounts {
 public:
  void add(const PairMarks& marks) noexcept;
  void merge(const SpanCounts& other) noexcept;
  std::span<const std::uint32_t> values(std::size_t gate) const noexcept;
  GateCounts gate(std::size_t gate) const noexcept;
  // As they were saved. False, with nothing changed, where a count does not fit.
  bool set_gate(std::size_t gate, const GateCounts& counts) noexcept;
  friend bool operator==(const SpanCounts&, const SpanCounts&) = default;

 private:
  // By gate: the values, then candidate pairs and bad ones, then primary pairs and bad ones.
  static constexpr std::size_t kRates = 4;
  static constexpr std::array<std::size_t, kGateCount + 1> kBegin = [] {
    std::array<std::size_t, kGateCount + 1> begin{};
    for (std::size_t gate = 0; gate < kGateCount; ++gate)
      begin[gate + 1] = begin[gate] + gate_values(gate) + kRates;
    return begin;
  }();
  std::array<std::uint32_t, kBegin.back()> cells_{};
};

}  // namespace understudy::metrics

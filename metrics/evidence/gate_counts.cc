#include "metrics/evidence/gate_counts.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace understudy::metrics {

std::uint64_t GateCounts::total() const noexcept {
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

void GateCounts::add(const GateMark& mark) noexcept {
  if (mark.value) ++values[*mark.value];
  candidate_pairs += mark.candidate_seen ? 1 : 0;
  candidate_bad += mark.candidate_bad ? 1 : 0;
  primary_pairs += mark.primary_seen ? 1 : 0;
  primary_bad += mark.primary_bad ? 1 : 0;
}

void GateCounts::merge(const GateCounts& other) noexcept {
  for (std::size_t k = 0; k < values.size(); ++k) values[k] += other.values[k];
  candidate_pairs += other.candidate_pairs;
  candidate_bad += other.candidate_bad;
  primary_pairs += other.primary_pairs;
  primary_bad += other.primary_bad;
}

void SpanCounts::add(const PairMarks& marks) noexcept {
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const GateMark& mark = marks[gate];
    std::uint32_t* const cells = &cells_[kBegin[gate]];
    std::uint32_t* const rates = cells + gate_values(gate);
    if (mark.value) ++cells[*mark.value];
    rates[0] += mark.candidate_seen ? 1 : 0;
    rates[1] += mark.candidate_bad ? 1 : 0;
    rates[2] += mark.primary_seen ? 1 : 0;
    rates[3] += mark.primary_bad ? 1 : 0;
  }
}

void SpanCounts::merge(const SpanCounts& other) noexcept {
  for (std::size_t i = 0; i < cells_.size(); ++i) cells_[i] += other.cells_[i];
}

std::span<const std::uint32_t> SpanCounts::values(std::size_t gate) const noexcept {
  return {&cells_[kBegin[gate]], gate_values(gate)};
}

GateCounts SpanCounts::gate(std::size_t gate) const noexcept {
  GateCounts counts;
  const auto of_gate = values(gate);
  std::copy(of_gate.begin(), of_gate.end(), counts.values.begin());
  const std::uint32_t* const rates = of_gate.data() + of_gate.size();
  counts.candidate_pairs = rates[0];
  counts.candidate_bad = rates[1];
  counts.primary_pairs = rates[2];
  counts.primary_bad = rates[3];
  return counts;
}

bool SpanCounts::set_gate(std::size_t gate, const GateCounts& counts) noexcept {
  const std::array<std::uint64_t, kRates> rates{counts.candidate_pairs, counts.candidate_bad,
                                                counts.primary_pairs, counts.primary_bad};
  const auto fits = [](std::uint64_t count) {
    return count <= std::numeric_limits<std::uint32_t>::max();
  };
  const ValueCounts values = counts.counts(gate);
  if (!std::ranges::all_of(values, fits) || !std::ranges::all_of(rates, fits)) return false;
  std::uint32_t* to = &cells_[kBegin[gate]];
  for (const std::uint64_t count : values) *to++ = static_cast<std::uint32_t>(count);
  for (const std::uint64_t count : rates) *to++ = static_cast<std::uint32_t>(count);
  return true;
}

}  // namespace understudy::metrics

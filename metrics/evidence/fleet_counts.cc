#include "metrics/evidence/fleet_counts.h"

#include <charconv>
#include <utility>

#include "metrics/verdict.h"

namespace understudy::metrics {
namespace {

constexpr std::uint64_t kLargest = std::uint64_t{1} << 53;
constexpr std::string_view kPair = "pair";
constexpr std::string_view kCandidateBad = "candidate_bad", kPrimaryBad = "primary_bad",
                           kCandidatePairs = "candidate_pairs";

// The sketches by the names of their signals.
struct SketchName {
  std::string_view name;
  std::array<TimeSketch::Buckets, 2> FleetCounts::*kind;
  routing::Variant variant;
};
constexpr std::array kSketches{
    SketchName{"latency_primary", &FleetCounts::latency, routing::Variant::primary},
    SketchName{"latency_candidate", &FleetCounts::latency, routing::Variant::candidate},
    SketchName{"first_token_primary", &FleetCounts::first_token, routing::Variant::primary},
    SketchName{"first_token_candidate", &FleetCounts::first_token, routing::Variant::candidate}};

template <class Counts>
auto& buckets_of(Counts& counts, const SketchName& sketch) {
  return (counts.*sketch.kind)[static_cast<std::size_t>(sketch.variant)];
}

void add(TimeSketch::Buckets& to, const TimeSketch::Buckets& more) noexcept {
  for (std::size_t key = 0; key < to.size(); ++key) to[key] += more[key];
}

// A cell that is a number below `count`.
std::optional<std::size_t> index_of(std::string_view cell, std::size_t count) noexcept {
  std::size_t index = 0;
  const auto [end, failure] = std::from_chars(cell.data(), cell.data() + cell.size(), index);
  if (failure != std::errc{} || end != cell.data() + cell.size() || index >= count)
    return std::nullopt;
  return index;
}

FamilyCounts counts_of(const FamilyEvidence& family) {
  return {.pairs = family.pairs,
          .triples = family.triples,
          .extra_pairs = family.extra_pairs,
          .gates = family.gates};
}

// What a gate's values and bad answers say of the pairs they are of (see marks_of in evidence.cc).
void derive(GateCounts& counts, std::size_t gate) noexcept {
  const std::uint64_t total = counts.total();
  if (gate_kind(gate) != GateKind::noise) counts.candidate_pairs = total;
  if (gate_kind(gate) != GateKind::ratio) counts.primary_pairs = total;
}

void derive(FamilyCounts& family) noexcept {
  for (std::size_t gate = 0; gate < kGateCount; ++gate) derive(family.gates[gate], gate);
}

std::uint64_t* pair_cell(FleetCounts& counts, FamilyCounts& family, std::string_view cell) {
  if (cell == "pairs") return &family.pairs;
  if (cell == "triples") return &family.triples;
  if (cell == "extra_pairs") return &family.extra_pairs;
  return cell == "missing" && &family == &counts.all ? &counts.missing : nullptr;
}

std::uint64_t* gate_cell(GateCounts& counts, std::size_t gate, std::string_view cell) {
  if (const auto value = index_of(cell, gate_values(gate))) return &counts.values[*value];
  if (gate_kind(gate) == GateKind::ratio) return nullptr;
  if (cell == kCandidateBad) return &counts.candidate_bad;
  if (cell == kPrimaryBad) return &counts.primary_bad;
  const bool told = gate_kind(gate) == GateKind::noise && cell == kCandidatePairs;
  return told ? &counts.candidate_pairs : nullptr;
}

std::uint64_t* cell_of(FleetCounts& counts, FamilyCounts& family, std::string_view signal,
                       std::string_view cell) {
  if (signal == kPair) return pair_cell(counts, family, cell);
  if (const auto gate = routing::gate_of(signal))
    return gate_cell(family.gates[*gate], *gate, cell);
  if (&family != &counts.all) return nullptr;
  for (const SketchName& sketch : kSketches) {
    if (sketch.name != signal) continue;
    const auto key = index_of(cell, TimeSketch::kBuckets);
    return key ? &buckets_of(counts, sketch)[*key] : nullptr;
  }
  return nullptr;
}

}  // namespace

void FamilyCounts::add(const FamilyCounts& other) noexcept {
  pairs += other.pairs;
  triples += other.triples;
  extra_pairs += other.extra_pairs;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) gates[gate].merge(other.gates[gate]);
}

void FleetCounts::add(const FleetCounts& other) {
  all.add(other.all);
  for (const auto& [name, family] : other.families) families[name].add(family);
  missing += other.missing;
  for (const SketchName& sketch : kSketches)
    metrics::add(buckets_of(*this, sketch), buckets_of(other, sketch));
}

FleetCounts fleet_counts(const RouteEvidence& evidence, std::size_t max_families) {
  FleetCounts counts{
      .all = counts_of(evidence.pooled()), .families = {}, .missing = evidence.missing()};
  for (const std::string& name : evidence.shared()) {
    if (counts.families.size() == max_families) break;
    if (name == kAllFamilies) continue;  // a client may call its own so
    counts.families.emplace(name, counts_of(evidence.families().find(name)->second));
  }
  for (const auto variant : {routing::Variant::primary, routing::Variant::candidate}) {
    const auto index = static_cast<std::size_t>(variant);
    counts.latency[index] = evidence.latency(variant).buckets();
    counts.first_token[index] = evidence.first_token(variant).buckets();
  }
  return counts;
}

namespace {

void tell_family(std::string_view name, const FamilyCounts& family, const CellSink& tell) {
  tell(name, kPair, "pairs", family.pairs);
  tell(name, kPair, "triples", family.triples);
  tell(name, kPair, "extra_pairs", family.extra_pairs);
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const std::string_view signal = routing::kGates[gate].signal;
    const GateCounts& counts = family.gates[gate];
    for (std::size_t value = 0; value < gate_values(gate); ++value)
      tell(name, signal, std::to_string(value), counts.values[value]);
    if (gate_kind(gate) == GateKind::ratio) continue;
    tell(name, signal, kCandidateBad, counts.candidate_bad);
    tell(name, signal, kPrimaryBad, counts.primary_bad);
    if (gate_kind(gate) == GateKind::noise)
      tell(name, signal, kCandidatePairs, counts.candidate_pairs);
  }
}

}  // namespace

void tell_cells(const FleetCounts& counts, const CellSink& sink) {
  const CellSink tell = [&](std::string_view family, std::string_view signal, std::string_view cell,
                            std::uint64_t count) {
    if (count > 0) sink(family, signal, cell, count);
  };
  tell_family(kAllFamilies, counts.all, tell);
  tell(kAllFamilies, kPair, "missing", counts.missing);
  for (const auto& [name, family] : counts.families) tell_family(name, family, tell);
  for (const SketchName& sketch : kSketches) {
    const TimeSketch::Buckets& buckets = buckets_of(counts, sketch);
    for (std::size_t key = 0; key < buckets.size(); ++key)
      tell(kAllFamilies, sketch.name, std::to_string(key), buckets[key]);
  }
}

FamilyCounts* CellCollector::family(std::string_view name) {
  if (name == kAllFamilies) return &counts_.all;
  if (const auto known = counts_.families.find(name); known != counts_.families.end())
    return &known->second;
  if (counts_.families.size() == RouteEvidence::kMaxFamilies) return nullptr;
  return &counts_.families[std::string(name)];
}

bool CellCollector::add(std::string_view family_name, std::string_view signal,
                        std::string_view cell, std::uint64_t count) {
  FamilyCounts* const of_family = family(family_name);
  if (!of_family) return false;
  std::uint64_t* const into = cell_of(counts_, *of_family, signal, cell);
  if (!into || count > kLargest || *into > kLargest) return false;
  *into += count;
  return true;
}

FleetCounts CellCollector::take() && {
  derive(counts_.all);
  for (auto& [name, family] : counts_.families) derive(family);
  return std::move(counts_);
}

}  // namespace understudy::metrics

#include "metrics/evidence/fleet_evidence.h"

#include <algorithm>
#include <utility>

namespace understudy::metrics {
namespace {

std::int64_t hour_of(std::chrono::sys_seconds moment) {
  return std::chrono::floor<std::chrono::hours>(moment).time_since_epoch().count();
}

// `count` less what it was; false where it fell.
bool take_off(std::uint64_t& count, std::uint64_t before) noexcept {
  if (count < before) return false;
  count -= before;
  return true;
}

GateCounts difference(GateCounts now, const GateCounts& before) noexcept {
  bool rose = take_off(now.candidate_pairs, before.candidate_pairs) &&
              take_off(now.candidate_bad, before.candidate_bad) &&
              take_off(now.primary_pairs, before.primary_pairs) &&
              take_off(now.primary_bad, before.primary_bad);
  for (std::size_t k = 0; rose && k < now.values.size(); ++k)
    rose = take_off(now.values[k], before.values[k]);
  return rose ? now : GateCounts{};
}

// Counts beyond 2^32 within a span are no counts of pairs.
SpanCounts difference(const FamilyCounts& now, const FamilyCounts& before) noexcept {
  SpanCounts span;
  for (std::size_t gate = 0; gate < kGateCount; ++gate)
    span.set_gate(gate, difference(now.gates[gate], before.gates[gate]));
  return span;
}

// Of one family at one moment, where it was there already.
using Select = const FamilyCounts& (*)(const FleetCounts& counts, const std::string& family);

const FamilyCounts& pool(const FleetCounts& counts, const std::string&) {
  return counts.all;
}

const FamilyCounts& family(const FleetCounts& counts, const std::string& name) {
  static const FamilyCounts kNone;
  const auto found = counts.families.find(name);
  return found == counts.families.end() ? kNone : found->second;
}

FamilyEvidence evidence_of(const FleetSums& sums, Select select, const std::string& name) {
  const FamilyCounts& now = select(sums.now, name);
  FamilyEvidence evidence;
  evidence.pairs = now.pairs;
  evidence.triples = now.triples;
  evidence.extra_pairs = now.extra_pairs;
  evidence.gates = now.gates;
  if (sums.stage) evidence.stage = difference(now, select(sums.at_stage, name));
  auto spans = RecentPast::spans_at(hour_of(sums.since), hour_of(sums.at));
  const auto at = [&](std::size_t i) -> const FamilyCounts& {
    static const FamilyCounts kNone;
    if (i == spans.size()) return now;
    const auto mark = sums.marks.find(spans[i].begin);
    return mark == sums.marks.end() ? kNone : select(mark->second, name);
  };
  for (std::size_t i = 0; i < spans.size(); ++i) spans[i].counts = difference(at(i + 1), at(i));
  evidence.recent.set_spans(std::move(spans));
  return evidence;
}

TimeSketch sketch_of(const TimeSketch::Buckets& buckets) {
  TimeSketch sketch;
  sketch.set_buckets(buckets);
  return sketch;
}

}  // namespace

std::vector<std::int64_t> hours_to_mark(std::chrono::sys_seconds since,
                                        std::chrono::sys_seconds at) {
  std::vector<std::int64_t> hours;
  for (const HourSpan& span : RecentPast::spans_at(hour_of(since), hour_of(at))) {
    if (std::chrono::sys_seconds{std::chrono::hours{span.begin}} > since)
      hours.push_back(span.begin);
  }
  return hours;
}

RouteEvidence fleet_evidence(const FleetSums& sums) {
  CountedEvidence counted{.since = sums.since,
                          .hours = sums.hours,
                          .missing = sums.now.missing,
                          .pooled = evidence_of(sums, pool, {}),
                          .stage = sums.stage};
  for (const auto& [name, counts] : sums.now.families)
    counted.families.emplace(name, evidence_of(sums, family, name));
  for (std::size_t variant = 0; variant < 2; ++variant) {
    counted.latency[variant] = sketch_of(sums.now.latency[variant]);
    counted.first_token[variant] = sketch_of(sums.now.first_token[variant]);
  }
  return RouteEvidence::of(sums.experiment, std::move(counted));
}

}  // namespace understudy::metrics

#include "metrics/evidence/fleet_evidence.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "metrics/verdict.h"

namespace understudy::metrics {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::sys_seconds kMorning{std::chrono::seconds{1'800'000'000}};  // 8:00 UTC

// Pairs of a proxy of the fleet: every third candidate refuses where it is bad.
struct Proxy {
  RouteEvidence evidence{"0123456789abcdef", kMorning};
  Observation primary, candidate;

  Proxy() {
    primary.variant = routing::Variant::primary;
    candidate.variant = routing::Variant::candidate;
    primary.answer.parsed = candidate.answer.parsed = true;
    primary.total = 700ms;
    candidate.total = 900ms;
    candidate.first_token = 80ms;
  }
  void compares(int pairs, std::chrono::system_clock::time_point when, bool bad = false,
                const std::string& family = "invoices") {
    for (int i = 0; i < pairs; ++i) {
      Comparison comparison;
      Finding refusal, label, latency;
      refusal.signal = Signal::refusal;
      refusal.other_bad = refusal.diverges = bad;
      refusal.served_bad = i % 10 == 0;
      label.signal = Signal::label;
      label.diverges = i % 4 == 0;
      latency.signal = Signal::latency;
      latency.value = 0.01 * (i % 30);
      comparison.findings = {refusal, label, latency};
      evidence.record_pair(family, {comparison, primary, candidate}, when);
      if (i % 5 == 0) evidence.record_triple(family, comparison, comparison);
    }
    evidence.record_missing();
  }
};

struct Told {
  std::string family, signal, cell;
  std::uint64_t count;
};
std::vector<Told> told(const RouteEvidence& evidence, std::size_t max_families = 20) {
  std::vector<Told> all;
  tell_cells(fleet_counts(evidence, max_families),
             [&](auto family, auto signal, auto cell, auto n) {
               all.push_back({std::string(family), std::string(signal), std::string(cell), n});
             });
  return all;
}

FleetCounts collected(const std::vector<const RouteEvidence*>& fleet) {
  CellCollector collector;
  for (const RouteEvidence* evidence : fleet) {
    for (const Told& one : told(*evidence))
      EXPECT_TRUE(collector.add(one.family, one.signal, one.cell, one.count)) << one.cell;
  }
  return std::move(collector).take();
}

TEST(FleetCounts, TravelWholeAndAddUpLikeTheEvidenceItself) {
  Proxy one, other;
  one.compares(40, kMorning);
  other.compares(25, kMorning, true);
  other.compares(10, kMorning, false, "letters");
  EXPECT_EQ(collected({&one.evidence}), fleet_counts(one.evidence, 20));
  const FleetCounts sum = collected({&one.evidence, &other.evidence});
  RouteEvidence merged = one.evidence;
  merged.merge(other.evidence);
  EXPECT_EQ(sum.all.gates, merged.pooled().gates);
  EXPECT_EQ(sum.all.pairs, 75u);
  EXPECT_EQ(sum.missing, 3u);
  EXPECT_EQ(sum.families.at("letters").gates, merged.families().find("letters")->second.gates);
  EXPECT_EQ(sum.latency[1], merged.latency(routing::Variant::candidate).buckets());
}

TEST(FleetCounts, LeaveOutMinedFamiliesAndThoseBeyondTheLimit) {
  Proxy proxy;
  proxy.compares(1, kMorning, false, "mined-0123abcd");
  proxy.compares(1, kMorning, false, "no \"label\"\n");
  for (int i = 0; i < 30; ++i) proxy.compares(1, kMorning, false, "family-" + std::to_string(i));
  ASSERT_EQ(proxy.evidence.shared().size(), RouteEvidence::kMaxShared);
  std::set<std::string> families;
  for (const Told& one : told(proxy.evidence, 5)) families.insert(one.family);
  EXPECT_EQ(families, (std::set<std::string>{"all", "family-0", "family-1", "family-2", "family-3",
                                             "family-4"}));
  EXPECT_EQ(fleet_counts(proxy.evidence, 20).families.count("mined-0123abcd"), 0u);
}

TEST(FleetCounts, HaveNoMoreSeriesThanTheHeaderSays) {
  FleetCounts full = fleet_counts(RouteEvidence({}, kMorning), 0);
  full.missing = full.all.pairs = full.all.triples = full.all.extra_pairs = 1;
  for (GateCounts& gate : full.all.gates) {
    gate.values.fill(1);
    gate.candidate_pairs = gate.candidate_bad = gate.primary_pairs = gate.primary_bad = 1;
  }
  for (auto* sketches : {&full.latency, &full.first_token})
    for (auto& buckets : *sketches) buckets.fill(1);
  std::size_t series = 0;
  const auto count = [&](auto, auto, auto, auto) { ++series; };
  tell_cells(full, count);
  EXPECT_EQ(series, kMaxFamilySeries + kMaxOtherSeries);
}

TEST(FleetCounts, RefuseCellsThatThereAreNot) {
  CellCollector collector;
  EXPECT_FALSE(collector.add("all", "pair", "pears", 1));
  EXPECT_FALSE(collector.add("all", "refusal", "3", 1));
  EXPECT_FALSE(collector.add("all", "refusal", "-1", 1));
  EXPECT_FALSE(collector.add("all", "refusal", "1 ", 1));
  EXPECT_FALSE(collector.add("all", "refusal", "candidate_pairs", 1));
  EXPECT_FALSE(collector.add("all", "latency", "41", 1));
  EXPECT_FALSE(collector.add("all", "kindness", "1", 1));
  EXPECT_FALSE(collector.add("all", "latency_primary", "667", 1));
  EXPECT_FALSE(collector.add("letters", "latency_primary", "1", 1));
  EXPECT_FALSE(collector.add("letters", "pair", "missing", 1));
  EXPECT_FALSE(collector.add("all", "pair", "pairs", (std::uint64_t{1} << 53) + 1));
  CellCollector full;
  for (std::size_t i = 0; i < RouteEvidence::kMaxFamilies; ++i)
    EXPECT_TRUE(full.add("f" + std::to_string(i), "pair", "pairs", 1));
  EXPECT_FALSE(full.add("one more", "pair", "pairs", 1));
}

TEST(FleetEvidence, JudgesAFleetAsIfOneProxyHadSeenItAll) {
  Proxy one, other, all;
  FleetSums sums{.experiment = "0123456789abcdef", .since = kMorning, .hours = 3};
  for (int hour = 0; hour < 3; ++hour) {
    const auto now = kMorning + hour * 1h + 10min;
    sums.marks[(kMorning.time_since_epoch() + hour * 1h) / 1h] =
        collected({&one.evidence, &other.evidence});
    for (Proxy* proxy : {&one, &all}) proxy->compares(60, now);
    for (Proxy* proxy : {&other, &all}) proxy->compares(60, now, hour == 2);
    sums.at = std::chrono::floor<std::chrono::seconds>(now);
  }
  sums.now = collected({&one.evidence, &other.evidence});
  const RouteEvidence fleet = fleet_evidence(sums);
  EXPECT_EQ(fleet.pooled().recent, all.evidence.pooled().recent);
  EXPECT_EQ(fleet.families().find("invoices")->second.recent,
            all.evidence.families().find("invoices")->second.recent);
  const Verdict of_fleet = judge(fleet, {}, {.candidate_serves = true});
  const Verdict of_one = judge(all.evidence, {}, {.candidate_serves = true});
  EXPECT_EQ(of_fleet.state, VerdictState::roll_back) << of_fleet.text;
  EXPECT_EQ(of_fleet.text, of_one.text);
  EXPECT_EQ(of_fleet.reasons.front().text, of_one.reasons.front().text);
}

TEST(FleetEvidence, CountsTheStageByItself) {
  Proxy proxy;
  FleetSums sums{.experiment = "e", .since = kMorning, .hours = 1, .at = kMorning + 1min};
  proxy.compares(50, kMorning);
  sums.at_stage = collected({&proxy.evidence});
  sums.stage = Stage{.name = "stage 1 (5 %)", .ordinal = 1, .since = kMorning};
  proxy.evidence.begin_stage("stage 1 (5 %)", kMorning);
  proxy.compares(20, kMorning, true);
  sums.now = collected({&proxy.evidence});
  EXPECT_EQ(fleet_evidence(sums).pooled().stage, proxy.evidence.pooled().stage);
}

TEST(FleetEvidence, MakesNothingOfCountsThatFell) {
  Proxy before, after;
  before.compares(50, kMorning, true);
  after.compares(40, kMorning);  // restarted from what was saved some seconds earlier
  FleetSums sums{.experiment = "e", .since = kMorning - 1h, .hours = 2, .at = kMorning + 1min};
  sums.marks[kMorning.time_since_epoch() / 1h] = collected({&before.evidence});
  sums.now = collected({&after.evidence});
  const RouteEvidence fleet = fleet_evidence(sums);
  const std::size_t refusal = *routing::gate_of("refusal");
  EXPECT_EQ(fleet.pooled().recent.spans().back().counts.gate(refusal), GateCounts{});
  EXPECT_EQ(fleet.pooled().gates[refusal].total(), 40u) << "the whole goes on";
}

TEST(FleetEvidence, AsksForMarksOfTheLastTenDaysAndOfNoHourBeforeItBegan) {
  EXPECT_TRUE(hours_to_mark(kMorning + 5s, kMorning + 50min).empty());
  EXPECT_EQ(hours_to_mark(kMorning + 5s, kMorning + 130min).size(), 2u);
  const auto hours = hours_to_mark(kMorning, kMorning + 90 * 24h);
  EXPECT_LE(hours.size(), RecentPast::kMaxSpans);
  EXPECT_GT(hours.size(), 20u);
  const std::int64_t now = (kMorning.time_since_epoch() + 90 * 24h) / 1h;
  EXPECT_EQ(hours.back(), now);
  EXPECT_GE(hours.front(), now - RecentPast::kHorizon - RecentPast::kLongestSpan);
}

}  // namespace
}  // namespace understudy::metrics

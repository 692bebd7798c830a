#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "metrics/verdict.h"

namespace understudy::metrics {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::system_clock::time_point kMorning{std::chrono::seconds{1'790'006'400}};

struct Pair {
  std::string family;
  std::chrono::system_clock::time_point at;
  Comparison comparison, control;
  Observation served, other;
};

// Two days of pairs in which either side is bad now and then, the candidate more often.
std::vector<Pair> pairs_of_two_days() {
  std::mt19937_64 random(23);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  std::vector<Pair> pairs;
  for (int i = 0; i < 2'000; ++i) {
    Pair& pair = pairs.emplace_back();
    pair.family = "family-" + std::to_string(random() % 5);
    pair.at = kMorning + 1h * (i / 42);
    for (Comparison* comparison : {&pair.comparison, &pair.control}) {
      for (const Signal signal : kSignals) {
        Finding finding;
        finding.signal = signal;
        finding.served_bad = uniform(random) < 0.02;
        finding.other_bad = uniform(random) < 0.03;
        finding.diverges = finding.served_bad != finding.other_bad;
        finding.value = uniform(random) - 0.45;
        comparison->findings.push_back(finding);
      }
    }
    pair.served.answer.parsed = pair.other.answer.parsed = true;
    pair.other.variant = routing::Variant::candidate;
    pair.served.total = std::chrono::milliseconds{500 + random() % 1'000};
    pair.other.total = std::chrono::milliseconds{500 + random() % 1'000};
  }
  return pairs;
}

void record(RouteEvidence& evidence, const Pair& pair) {
  evidence.record_pair(pair.family, {pair.comparison, pair.served, pair.other}, pair.at);
  evidence.record_triple(pair.family, pair.comparison, pair.control);
}

void expect_same(const RouteEvidence& one, const RouteEvidence& other) {
  EXPECT_EQ(one.pooled(), other.pooled());
  EXPECT_EQ(one.families(), other.families());
  for (const auto variant : {routing::Variant::primary, routing::Variant::candidate})
    EXPECT_EQ(one.latency(variant).buckets(), other.latency(variant).buckets());
  const Verdict verdict = judge(one, {}, {}), same = judge(other, {}, {});
  EXPECT_EQ(verdict.text, same.text);
  ASSERT_EQ(verdict.reasons.size(), same.reasons.size());
  for (std::size_t i = 0; i < verdict.reasons.size(); ++i) {
    EXPECT_EQ(verdict.reasons[i].text, same.reasons[i].text);
    EXPECT_DOUBLE_EQ(verdict.reasons[i].log_e_worse, same.reasons[i].log_e_worse);
  }
}

// Each hour's pairs in any order, and on any of three threads or proxies.
TEST(Evidence, AddsUpWhateverTheOrderAndTheThread) {
  std::vector<Pair> pairs = pairs_of_two_days();
  RouteEvidence all("an experiment", kMorning);
  for (const Pair& pair : pairs) record(all, pair);

  std::mt19937_64 random(29);
  std::ranges::shuffle(pairs, random);
  std::ranges::stable_sort(pairs, {}, &Pair::at);
  std::vector<RouteEvidence> parts(3, RouteEvidence("an experiment", kMorning));
  for (const Pair& pair : pairs) record(parts[random() % parts.size()], pair);
  RouteEvidence forward = parts[0], backward = parts[2];
  forward.merge(parts[1]);
  forward.merge(parts[2]);
  backward.merge(parts[1]);
  backward.merge(parts[0]);

  expect_same(all, forward);
  expect_same(all, backward);
}

// What broke at one proxy and was mended would be lost among the pairs of the others.
TEST(Evidence, KeepsTheAlarmsThatItsPartsHaveRaisedWhenItIsAddedUp) {
  const std::size_t refusal = *routing::gate_of("refusal"), empty = *routing::gate_of("empty");
  RouteEvidence one("an experiment", kMorning), other("an experiment", kMorning);
  const Comparison nothing;
  const Observation served, candidate;
  for (RouteEvidence* part : {&one, &other})
    part->record_pair("letters", {nothing, served, candidate}, kMorning);
  one.latch_pooled(refusal, {}, 0.0);
  other.latch("letters", empty, {}, 0.0);
  other.latch_quantile(0, 1, 0.1);
  one.merge(other);
  EXPECT_TRUE(one.pooled().alarm_stands(refusal, 0.0));
  EXPECT_TRUE(one.families().at("letters").alarm_stands(empty, 0.0));
  EXPECT_TRUE(one.quantile_alarms().stands(0, 1, 0.1));
  EXPECT_EQ(judge(one, {}, {}).state, VerdictState::roll_back);
}

}  // namespace
}  // namespace understudy::metrics

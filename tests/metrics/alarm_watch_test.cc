#include "metrics/evidence/alarm_watch.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "metrics/evidence/evidence_json.h"
#include "metrics/verdict.h"
#include "tests/metrics/evidence_maker.h"

namespace understudy::metrics {
namespace {

using routing::gate_of;
using std::chrono::system_clock;
using namespace std::chrono_literals;

const std::size_t kRefusal = *gate_of("refusal");

// A stream of pairs of which both sides now and then refuse.
class Stream {
 public:
  explicit Stream(std::uint64_t seed = 1) : random_(seed) {
    served_.answer.parsed = other_.answer.parsed = true;
    other_.variant = routing::Variant::candidate;
  }
  void pair(double primary_bad, double candidate_bad, std::string_view family = "support") {
    const Comparison seen{.findings = {draw(random_, Signal::refusal, primary_bad, candidate_bad)}};
    evidence.record_pair(family, {seen, served_, other_}, now);
  }
  // That many pairs in each of so many hours.
  void hours(int count, int pairs, double noise) {
    for (int hour = 0; hour < count; ++hour, now += 1h) {
      for (int i = 0; i < pairs; ++i) pair(noise, noise);
    }
  }
  bool alarms() {
    watch.look(evidence);
    return watch.alarms(kRefusal);
  }
  // How many pairs it takes to notice 10 % more refusals among 5 % noise, at most 5,000.
  int pairs_to_notice(int an_hour) {
    for (int seen = 1; seen <= 5'000; ++seen) {
      pair(.05, .15);
      if (seen % an_hour == 0) now += 1h;
      if (seen % 10 == 0 && alarms()) return seen;
    }
    return 5'001;
  }

  RouteEvidence evidence{"an experiment", kMorning};
  system_clock::time_point now = kMorning;
  routing::VerdictConfig rules;
  AlarmWatch watch{rules};

 private:
  std::mt19937_64 random_;
  Observation served_, other_;
};

TEST(AlarmWatch, NoticesAChangeAfterALongGoodPeriodAlmostAsSoonAsAtTheStart) {
  Stream fresh(3);
  const int at_the_start = fresh.pairs_to_notice(50);
  Stream late(3);
  late.hours(150, 50, .05);
  ASSERT_FALSE(late.alarms());
  const int after_good_times = late.pairs_to_notice(50);
  EXPECT_LT(after_good_times, 3 * at_the_start) << at_the_start;
  const auto& weight = late.watch.pooled(kRefusal);
  EXPECT_EQ(weight.origin.process, Process::hour);
  const std::int64_t change =
      std::chrono::floor<std::chrono::hours>(kMorning).time_since_epoch().count() + 150;
  EXPECT_NEAR(static_cast<double>(weight.origin.begin), static_cast<double>(change), 8);
}

TEST(AlarmWatch, NoticesAChangeThatCameWithAStage) {
  Stream seen;
  seen.hours(100, 30, .05);
  seen.evidence.begin_stage("25 %", seen.now + 20min);
  seen.now += 30min;
  for (int i = 0; i < 30; ++i) seen.pair(0, 1);
  seen.watch.look(seen.evidence);
  ASSERT_TRUE(seen.alarms());
  EXPECT_EQ(seen.watch.pooled(kRefusal).origin, (ProcessOrigin{Process::stage, 1}));
  seen.watch.latch(seen.evidence);
  const Verdict verdict = judge(seen.evidence, seen.rules, {});
  const GateResult& alarm = verdict.reasons.front();
  EXPECT_EQ(alarm.process, Process::stage);
  EXPECT_EQ(alarm.pairs, 30u);
  EXPECT_DOUBLE_EQ(*alarm.candidate_rate, 1.0);
  EXPECT_NE(alarm.text.find("when stage 25 % began"), std::string::npos) << alarm.text;
}

TEST(AlarmWatch, CountsAStageFromItsBeginAndLeavesOneThatGoesOnAlone) {
  Stream seen;
  seen.hours(1, 10, 0);
  seen.evidence.begin_stage("one", seen.now);
  seen.hours(1, 7, 0);
  seen.evidence.begin_stage("one", seen.now);
  EXPECT_EQ(seen.evidence.stage()->ordinal, 1);
  EXPECT_EQ(seen.evidence.pooled().stage.gate(kRefusal).candidate_pairs, 7u);
  seen.evidence.begin_stage("two", seen.now);
  EXPECT_EQ(seen.evidence.stage()->ordinal, 2);
  EXPECT_EQ(seen.evidence.pooled().stage, SpanCounts{});
  EXPECT_EQ(seen.evidence.pooled().pairs, 17u);
}

TEST(AlarmWatch, SaysSinceWhenInTheVerdict) {
  Stream seen;
  seen.hours(120, 30, .05);
  for (int i = 0; i < 40; ++i) seen.pair(0, 1);
  const Verdict verdict = judge(seen.evidence, seen.rules, {});
  const GateResult& alarm = verdict.reasons.front();
  ASSERT_EQ(alarm.state, GateState::alarm);
  EXPECT_EQ(alarm.process, Process::hour);
  EXPECT_GE(alarm.pairs, 40u);
  EXPECT_LE(alarm.pairs, 40u + 8 * 30u) << "the pairs that its process has seen";
  EXPECT_GT(*alarm.candidate_rate, 0.15);
  EXPECT_NE(alarm.text.find("since 2026-"), std::string::npos) << alarm.text;
}

TEST(AlarmWatch, NamesTheFamilyThatRaisesAnAlarmOverAllTraffic) {
  Stream seen;
  for (int i = 0; i < 3'000; ++i) seen.pair(.01, .01, "family " + std::to_string(i % 10));
  for (int i = 0; i < 40; ++i) seen.pair(0, 1, "invoices");
  ASSERT_TRUE(seen.alarms());
  EXPECT_EQ(seen.watch.pooled(kRefusal).family, "invoices");
  EXPECT_TRUE(seen.watch.alarms("invoices", kRefusal));
  EXPECT_FALSE(seen.watch.alarms("family 3", kRefusal));
}

// A mean over those that are there would weigh each newcomer at the cost of the others.
TEST(AlarmWatch, GivesAFamilyOneWeightHoweverManyComeBesideIt) {
  Stream seen;
  for (int i = 0; i < 16; ++i) seen.pair(0, 1, "invoices");
  for (int i = 0; i < 400; ++i) seen.pair(1, 0, "receipts");
  ASSERT_FALSE(seen.alarms());
  const double before = seen.watch.pooled(kRefusal).log_e;
  for (int i = 0; i < 30; ++i) seen.pair(0, 0, "family " + std::to_string(i));
  EXPECT_FALSE(seen.alarms());
  EXPECT_NEAR(seen.watch.pooled(kRefusal).log_e, before, 0.05);
}

TEST(AlarmWatch, FindsTheSameWhetherItLooksOnceOrAfterEachPair) {
  Stream seen;
  for (int i = 0; i < 300; ++i) {
    seen.pair(.02, .1, i % 3 == 0 ? "a" : "b");
    seen.watch.look(seen.evidence);
    if (i % 50 == 0) seen.now += 1h;
  }
  AlarmWatch once(seen.rules);
  once.look(seen.evidence);
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    EXPECT_DOUBLE_EQ(once.pooled(gate).log_e, seen.watch.pooled(gate).log_e);
    EXPECT_DOUBLE_EQ(once.weight("a", gate).log_e, seen.watch.weight("a", gate).log_e);
  }
}

TEST(AlarmWatch, IsSilentOnGatesThatAreOff) {
  Stream seen;
  seen.rules.gates[kRefusal].reset();
  AlarmWatch watch(seen.rules);
  for (int i = 0; i < 100; ++i) seen.pair(0, 1);
  watch.look(seen.evidence);
  for (std::size_t gate = 0; gate < kGateCount; ++gate) EXPECT_FALSE(watch.alarms(gate));
}

}  // namespace
}  // namespace understudy::metrics

#include "metrics/evidence/level_shares.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "metrics/evidence/alarm_watch.h"
#include "metrics/statistics/betting.h"
#include "tests/metrics/evidence_maker.h"

namespace understudy::metrics {
namespace {

using routing::gate_of;
using std::chrono::system_clock;
using namespace std::chrono_literals;

const std::size_t kTruncation = *gate_of("truncation");

// Pairs of which, where they differ, one answer breaks off.
class Pairs {
 public:
  Pairs() {
    served_.answer.parsed = other_.answer.parsed = true;
    other_.variant = routing::Variant::candidate;
  }
  void worse(int count, std::string_view family) { record(count, family, false, true); }
  void better(int count, std::string_view family) { record(count, family, true, false); }
  // Half of them speak against either side.
  void noise(int count, std::string_view family) {
    worse(count / 2, family);
    better(count / 2, family);
  }
  double share(std::string_view family, ProcessOrigin process = {}) const {
    return StreamShares(evidence, fair_gates(rules))
        .of(evidence.families().find(family)->second, kTruncation, process);
  }
  bool alarms(std::string_view family) const {
    AlarmWatch watch(rules);
    watch.look(evidence);
    return watch.alarms(family, kTruncation);
  }

  RouteEvidence evidence{"an experiment", kMorning};
  routing::VerdictConfig rules;
  system_clock::time_point now = kMorning;

 private:
  void record(int count, std::string_view family, bool primary, bool candidate) {
    const Comparison differs{.findings = {flag(Signal::truncation, primary, candidate)}};
    for (int i = 0; i < count; ++i) evidence.record_pair(family, {differs, served_, other_}, now);
  }
  Observation served_, other_;
};

TEST(LevelShares, AddUpToOneForEver) {
  for (const double slowness : {4.0, 8.0, 168.0}) {
    double sum = 0.0;
    for (std::int64_t k = 1; k <= 1'000'000; ++k) sum += share_of(k, slowness);
    EXPECT_LE(sum, 1.0);
    EXPECT_GT(sum, 0.999);
    EXPECT_GT(share_of(1, slowness), share_of(2, slowness));
  }
  EXPECT_EQ(share_of(-5, 8.0), share_of(1, 8.0)) << "a clock that went back";
  double rungs = 0.0;
  for (const Rung& rung : kRungs) rungs += rung.share;
  EXPECT_NEAR(rungs, 1.0, 1e-12);
}

TEST(LevelShares, AreOfGatesThatMayNotBeWorseAtAll) {
  routing::VerdictConfig rules;
  const GateSet fair = fair_gates(rules);
  EXPECT_TRUE(fair.test(*gate_of("refusal")));
  EXPECT_TRUE(fair.test(*gate_of("language")));
  EXPECT_FALSE(fair.test(*gate_of("label"))) << "it may differ in half a per cent more";
  EXPECT_FALSE(fair.test(*gate_of("latency")));
  rules.gates[*gate_of("refusal")]->alarm = 0.01;
  rules.gates[*gate_of("empty")].reset();
  EXPECT_FALSE(fair_gates(rules).test(*gate_of("refusal")));
  EXPECT_FALSE(fair_gates(rules).test(*gate_of("empty")));
}

TEST(LevelShares, BeginAtSixteenPairsThatDifferWhoeverIsWorse) {
  Pairs seen;
  seen.better(15, "invoices");
  EXPECT_EQ(seen.share("invoices"), 0.0);
  seen.better(1, "invoices");
  EXPECT_DOUBLE_EQ(seen.share("invoices"), 0.35 * share_of(1, 4.0));
}

TEST(LevelShares, FallWithTheNumberOfStreamsThatDifferAsOften) {
  Pairs seen;
  seen.worse(16, "invoices");
  const double alone = seen.share("invoices");
  seen.noise(16, "letters");
  EXPECT_DOUBLE_EQ(seen.share("invoices"), 0.35 * share_of(2, 4.0));
  EXPECT_LT(seen.share("invoices"), alone);
  // Who differs far more often than the others stands higher, where nobody else does.
  seen.worse(16, "invoices");
  EXPECT_DOUBLE_EQ(seen.share("invoices"), 0.3 * share_of(1, 4.0));
}

TEST(LevelShares, AreOfWhatAProcessHasSeen) {
  Pairs seen;
  seen.noise(20, "letters");
  seen.now += 5h;
  seen.evidence.begin_stage("10 %", seen.now);
  seen.worse(16, "invoices");
  const std::int64_t hour =
      std::chrono::floor<std::chrono::hours>(seen.now).time_since_epoch().count();
  EXPECT_DOUBLE_EQ(seen.share("invoices"), 0.35 * share_of(2, 4.0));
  EXPECT_DOUBLE_EQ(seen.share("invoices", {Process::hour, hour}), 0.35 * share_of(1, 4.0));
  EXPECT_DOUBLE_EQ(seen.share("invoices", {Process::stage, 1}), 0.35 * share_of(1, 4.0));
  EXPECT_EQ(seen.share("letters", {Process::stage, 1}), 0.0);
}

// Letters were the first of two streams to differ, in an hour that they forgot while invoices were
// silent.
TEST(LevelShares, AreNoneOfAnHourThatAFamilyMayHaveForgotten) {
  Pairs seen;
  const std::int64_t hour =
      std::chrono::floor<std::chrono::hours>(seen.now).time_since_epoch().count();
  seen.noise(16, "letters");
  seen.worse(16, "invoices");
  EXPECT_DOUBLE_EQ(seen.share("invoices", {Process::hour, hour}), 0.35 * share_of(2, 4.0));
  seen.now += std::chrono::hours{RecentPast::kHorizon};
  seen.noise(2, "letters");
  EXPECT_DOUBLE_EQ(seen.share("invoices", {Process::hour, hour}), 0.35 * share_of(2, 4.0));
  seen.now += 60h;
  seen.noise(2, "letters");
  ASSERT_GT(seen.evidence.families().at("letters").recent.spans().front().begin, hour);
  EXPECT_EQ(seen.share("invoices", {Process::hour, hour}), 0.0);
  EXPECT_DOUBLE_EQ(seen.share("invoices"), 0.35 * share_of(2, 4.0)) << "that of all pairs goes on";
}

// What this is for: the equal share of 32 families asks for more.
TEST(LevelShares, LetAStreamThatBreaksAlarmSooner) {
  Pairs seen;
  seen.worse(20, "invoices");
  seen.better(1, "invoices");
  const auto counts = seen.evidence.families().find("invoices")->second.gates[kTruncation];
  ASSERT_LT(log_e(counts.counts(kTruncation), Null::mean_at_most, .5),
            log_threshold(.025 / (kGateCount * 2.5 * 32)));
  EXPECT_TRUE(seen.alarms("invoices"));
  for (int family = 0; family < 40; ++family) seen.noise(16, "f" + std::to_string(family));
  EXPECT_FALSE(seen.alarms("invoices")) << "no more conspicuous than forty others";
}

}  // namespace
}  // namespace understudy::metrics

#include "metrics/drift.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/metrics/evidence_maker.h"

namespace understudy::metrics {
namespace {

using std::chrono::system_clock;
using namespace std::chrono_literals;

const std::size_t kRefusal = *routing::gate_of("refusal");

// Pairs of which either side refuses now and then, and what the candidate serves.
class Watched {
 public:
  explicit Watched(std::uint64_t seed = 1) : random_(seed) {
    served_.answer.parsed = other_.answer.parsed = true;
    other_.variant = routing::Variant::candidate;
  }
  void pairs(int count, double primary_bad, double candidate_bad) {
    for (int i = 0; i < count; ++i) {
      comparison_.findings = {draw(random_, Signal::refusal, primary_bad, candidate_bad)};
      evidence.record_pair("support", {comparison_, served_, other_}, now);
    }
  }
  // Streams whose first token takes about so long, the candidate's and the primary's.
  void streams(int count, double candidate_ms, double primary_ms) {
    std::lognormal_distribution<double> spread(0.0, 0.3);
    const auto time = [&](double median) {
      return std::chrono::nanoseconds(static_cast<std::int64_t>(1e6 * median * spread(random_)));
    };
    for (int i = 0; i < count; ++i) {
      served_.first_token = time(primary_ms);
      other_.first_token = time(candidate_ms);
      evidence.record_pair("support", {comparison_, served_, other_}, now);
    }
    const FirstTokenCounts seen = first_tokens_against(evidence, baseline.first_tokens.usual_ms);
    const auto hour = std::chrono::floor<std::chrono::hours>(now).time_since_epoch().count();
    if (first_tokens.empty() || first_tokens.back().hour != hour)
      first_tokens.push_back({hour, {}});
    const auto later = *first_tokens_since(seen, counted_);
    for (std::size_t k = 0; k < later.size(); ++k) first_tokens.back().counts[k] += later[k];
    counted_ = seen;
  }
  void complete() {
    baseline.since = std::chrono::floor<std::chrono::seconds>(now);
    baseline.gates = evidence.pooled().gates;
    baseline.first_tokens = first_tokens_of(evidence);
    counted_ = baseline.first_tokens.counts;
    first_tokens.clear();
    judge.emplace(baseline, routing::VerdictConfig{});
    now += 1h;
  }
  DriftFinding found(std::size_t signal) const {
    for (const DriftFinding& one : judge->judge(&evidence, hours, first_tokens)) {
      if (one.signal == signal) return one;
    }
    return {};
  }

  RouteEvidence evidence{"an experiment", kMorning};
  DriftBaseline baseline;
  std::optional<DriftJudge> judge;
  std::vector<ServedHour> hours;
  std::vector<FirstTokenHour> first_tokens;
  system_clock::time_point now = kMorning;

 private:
  std::mt19937_64 random_;
  Observation served_, other_;
  Comparison comparison_{.findings = {flag(Signal::refusal, false, false)}};
  FirstTokenCounts counted_{};
};

TEST(Drift, IsSeenWhereTheCandidateRefusesMoreThanDuringItsRollout) {
  Watched watched;
  watched.pairs(4'000, .01, .01);
  watched.complete();
  watched.pairs(500, .01, .01);
  EXPECT_FALSE(watched.found(kRefusal).drifts);
  watched.pairs(1'000, .01, .10);
  const DriftFinding found = watched.found(kRefusal);
  EXPECT_TRUE(found.drifts) << found.text;
  EXPECT_EQ(found.seen, 1'500u);
  EXPECT_NEAR(*found.before, .01, .01);
  EXPECT_NEAR(*found.after, .07, .02);
  EXPECT_NE(found.text.find("refusal: "), std::string::npos);
  EXPECT_NE(found.text.find("since the rollout was complete"), std::string::npos);
}

TEST(Drift, IsFoundAfterALongGoodTimeByTheHoursThatBeganShortlyBefore) {
  Watched watched;
  watched.pairs(4'000, .01, .01);
  watched.complete();
  for (int hour = 0; hour < 100; ++hour, watched.now += 1h) watched.pairs(200, .01, .01);
  ASSERT_FALSE(watched.found(kRefusal).drifts);
  int needed = 0;
  for (; needed < 2'000 && !watched.found(kRefusal).drifts; needed += 50)
    watched.pairs(50, .01, .15);
  EXPECT_LE(needed, 500) << watched.found(kRefusal).text;
  EXPECT_TRUE(watched.found(kRefusal).from.has_value());
}

TEST(Drift, IsNoneWhereBothRefuseMoreForTheQuestionsAreOthers) {
  Watched watched;
  watched.pairs(4'000, .01, .01);
  watched.complete();
  watched.pairs(2'000, .10, .10);
  EXPECT_FALSE(watched.found(kRefusal).drifts);
}

TEST(Drift, OfServedRequestsIsSeenToo) {
  Watched watched;
  watched.baseline.served = {.requests = 10'000, .errors = 20, .fallbacks = 30};
  watched.complete();
  const auto hour = std::chrono::floor<std::chrono::hours>(kMorning).time_since_epoch().count();
  for (int i = 0; i < 48; ++i)
    watched.hours.push_back({hour + i, {.requests = 500, .errors = 1, .fallbacks = 1}});
  EXPECT_FALSE(watched.found(kGateCount).drifts);
  watched.hours.push_back({hour + 48, {.requests = 500, .errors = 40, .fallbacks = 1}});
  EXPECT_TRUE(watched.found(kGateCount).drifts) << watched.found(kGateCount).text;
  EXPECT_FALSE(watched.found(kGateCount + 1).drifts);
}

TEST(Drift, IsSeenWhereTheCandidatesStreamsBeginLaterThanDuringItsRollout) {
  Watched watched;
  watched.baseline.first_tokens.usual_ms = 1.0;  // of what is not frozen yet
  watched.streams(2'000, 400, 400);
  watched.complete();
  EXPECT_NEAR(watched.baseline.first_tokens.usual_ms, 400, 20);
  for (int hour = 0; hour < 48; ++hour, watched.now += 1h) watched.streams(50, 410, 200);
  EXPECT_FALSE(watched.found(kFirstTokenSignal).drifts)
      << "a tenth more is allowed, whatever the primary does";
  int needed = 0;
  for (; needed < 1'000 && !watched.found(kFirstTokenSignal).drifts; needed += 20)
    watched.streams(20, 800, 800);
  const DriftFinding found = watched.found(kFirstTokenSignal);
  EXPECT_LE(needed, 200) << found.text;
  EXPECT_TRUE(found.from) << "by the hours, after a long good time";
  EXPECT_NEAR(*found.before, 0.4, 0.02);
  EXPECT_GT(*found.after, *found.before);
  EXPECT_NE(found.text.find(" s over "), std::string::npos) << found.text;
  EXPECT_NE(found.text.find(" streams since the rollout was complete"), std::string::npos);
}

TEST(Drift, OfFirstTokensIsJudgedOnlyWhereThereWereStreamsAndTheGateOfLatencyIsOn) {
  Watched watched;
  watched.pairs(500, .01, .01);
  watched.complete();
  watched.baseline.first_tokens.usual_ms = 1.0;
  watched.streams(100, 900, 900);
  EXPECT_EQ(watched.found(kFirstTokenSignal).seen, 0u) << "nothing to hold them against";
  watched.complete();
  watched.streams(500, 5'000, 900);
  EXPECT_TRUE(watched.found(kFirstTokenSignal).drifts);
  routing::VerdictConfig rules;
  rules.gates[*routing::gate_of("latency")].reset();
  watched.judge.emplace(watched.baseline, rules);
  EXPECT_EQ(watched.found(kFirstTokenSignal).seen, 0u);
}

TEST(Drift, IsNotJudgedByEvidenceThatIsNotTheBaselines) {
  Watched watched;
  watched.pairs(500, .01, .01);
  watched.complete();
  watched.evidence = RouteEvidence("an experiment", kMorning);
  watched.pairs(100, .5, .9);
  EXPECT_EQ(watched.found(kRefusal).seen, 0u);
  EXPECT_FALSE(watched.found(kRefusal).drifts);
}

// However often one looks: of 30 candidates that stay as they were, 5 % at most, and chance.
TEST(Drift, IsSeldomSeenWhereThereIsNone) {
  int false_alarms = 0;
  for (unsigned seed = 1; seed <= 30; ++seed) {
    Watched watched(seed);
    watched.pairs(300, .05, .05);
    watched.complete();
    bool drifted = false;
    for (int hour = 0; hour < 6 && !drifted; ++hour, watched.now += 1h) {
      watched.pairs(100, .05, .05);
      drifted = watched.found(kRefusal).drifts;
    }
    false_alarms += drifted;
  }
  EXPECT_LE(false_alarms, 2);
}

}  // namespace
}  // namespace understudy::metrics

#include "metrics/verdict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <random>
#include <stdexcept>
#include <string>

#include "metrics/evidence/alarm_watch.h"
#include "tests/metrics/evidence_maker.h"

namespace understudy::metrics {
namespace {

using routing::gate_of;
using namespace std::chrono_literals;

GateResult result(const Verdict& verdict, std::string_view signal,
                  std::string_view family = kAllFamilies) {
  const auto found = std::ranges::find_if(verdict.reasons, [&](const GateResult& reason) {
    return routing::kGates[reason.gate].signal == signal && reason.family == family;
  });
  if (found == verdict.reasons.end()) throw std::runtime_error("no such reason");
  return *found;
}

TEST(Verdict, KeepsShadowingWhileNothingIsKnown) {
  const Evidence none;
  const Verdict verdict = none.verdict();
  EXPECT_EQ(verdict.state, VerdictState::keep_shadowing);
  EXPECT_EQ(verdict.reasons.size(), kGateCount);
  for (const GateResult& reason : verdict.reasons) {
    EXPECT_EQ(reason.state, GateState::open);
    EXPECT_FALSE(reason.text.empty());
  }
  EXPECT_FALSE(verdict.missing.empty());
}

TEST(Verdict, IsSafeOnceEveryGateIsShownToBeWithinItsMargin) {
  Evidence seen;
  seen.pairs(3'000);
  const Verdict verdict = seen.verdict();
  EXPECT_EQ(verdict.state, VerdictState::safe_to_promote) << verdict.text;
  for (const GateResult& reason : verdict.reasons)
    EXPECT_EQ(reason.state, GateState::safe) << reason.text;
  EXPECT_TRUE(verdict.missing.empty());
}

TEST(Verdict, RollsBackWhenACriticalGateAlarmsOnAllTraffic) {
  Evidence seen;
  seen.pairs(500);
  seen.pairs(60, {flag(Signal::refusal, false, true)});
  const Verdict verdict = seen.verdict();
  EXPECT_EQ(verdict.state, VerdictState::roll_back);
  const GateResult& first = verdict.reasons.front();
  EXPECT_EQ(routing::kGates[first.gate].signal, "refusal");
  EXPECT_EQ(first.family, kAllFamilies);
  EXPECT_EQ(first.state, GateState::alarm);
  EXPECT_NEAR(*first.candidate_rate, 60.0 / 560, 1e-12);
  EXPECT_DOUBLE_EQ(*first.primary_rate, 0.0);
  EXPECT_GT(first.interval.low, 0.0);
}

TEST(Verdict, TellsPromotersAndThoseWhoServeApart) {
  Evidence seen;
  seen.pairs(200, {flag(Signal::json_contract, false, true)});
  EXPECT_TRUE(seen.verdict().text.starts_with("Do not promote"));
  seen.facts.candidate_serves = true;
  EXPECT_TRUE(seen.verdict().text.starts_with("Roll back"));
}

TEST(Verdict, AsksToFixAFamilyFirstAndNamesIt) {
  Evidence seen;
  // A small family breaks, and the mean over families spreads its alarm over many.
  for (int family = 0; family < 40; ++family) seen.pairs(300, {}, "f" + std::to_string(family));
  seen.pairs(25, {flag(Signal::truncation, false, true)}, "invoices");
  const Verdict verdict = seen.verdict();
  EXPECT_EQ(verdict.state, VerdictState::fix_first) << verdict.text;
  const GateResult& invoices = result(verdict, "truncation", "invoices");
  EXPECT_EQ(invoices.state, GateState::alarm);
  EXPECT_EQ(invoices.pairs, 25u);
  EXPECT_NE(invoices.text.find("invoices"), std::string::npos);
}

TEST(Verdict, TellsWhatSpeaksMostAgainstTheCandidateInEachFamily) {
  Evidence seen;
  seen.pairs(300, {}, "letters");
  seen.pairs(280, {}, "invoices");
  seen.pairs(20, {flag(Signal::truncation, false, true)}, "invoices");
  const Verdict verdict = seen.verdict();
  ASSERT_TRUE(verdict.worst.contains("invoices"));
  EXPECT_EQ(routing::kGates[verdict.worst.at("invoices").gate].signal, "truncation");
  EXPECT_GT(verdict.worst.at("invoices").log_e, 3.0);
  const auto letters = verdict.worst.find("letters");
  const double of_letters = letters == verdict.worst.end() ? 0.0 : letters->second.log_e;
  EXPECT_LT(of_letters, verdict.worst.at("invoices").log_e);
}

TEST(Verdict, AsksToFixWhatIsNotCriticalFirst) {
  Evidence seen;
  Finding slower = flag(Signal::latency, false, false);
  slower.value = std::log(1.4);
  seen.pairs(1'000, {slower});
  const Verdict verdict = seen.verdict();
  EXPECT_EQ(verdict.state, VerdictState::fix_first);
  const GateResult& latency = result(verdict, "latency");
  EXPECT_EQ(latency.state, GateState::alarm);
  EXPECT_NEAR(*latency.difference, 0.4, 0.02);
  EXPECT_FALSE(latency.primary_rate);
}

TEST(Verdict, CountsDifferencesOnlyAboveTheNoiseOfThePrimaryItself) {
  Evidence noisy;
  const std::vector<Finding> differ{flag(Signal::tool_agreement, false, false)};
  std::vector<Finding> differs = differ;
  differs[0].diverges = true;
  noisy.control.findings = differs;  // the primary differs from itself just as often
  noisy.pairs(500, differs);
  EXPECT_NE(result(noisy.verdict(), "tool_agreement").state, GateState::alarm);

  Evidence changed;
  changed.pairs(500, differs);
  EXPECT_EQ(result(changed.verdict(), "tool_agreement").state, GateState::alarm);
}

TEST(Verdict, AsksToFixJsonThatHoldsOtherValuesThanThePrimaryGivesItself) {
  std::vector<Finding> differs{flag(Signal::json_agreement, false, false)};
  differs[0].diverges = true;
  Evidence noisy;
  noisy.control.findings = differs;
  noisy.pairs(500, differs);
  EXPECT_NE(result(noisy.verdict(), "json_agreement").state, GateState::alarm);

  Evidence changed;
  changed.pairs(500, differs);
  const Verdict verdict = changed.verdict();
  EXPECT_EQ(verdict.state, VerdictState::fix_first) << "no contract is broken";
  const GateResult& values = result(verdict, "json_agreement");
  EXPECT_EQ(values.state, GateState::alarm);
  EXPECT_NE(values.text.find("other values"), std::string::npos) << values.text;
}

TEST(Verdict, SaysWhatIsMissingAndHowManyPairsItNeeds) {
  Evidence few;
  few.pairs(150);
  const Verdict verdict = few.verdict();
  EXPECT_EQ(verdict.state, VerdictState::keep_shadowing);
  const GateResult& refusal = result(verdict, "refusal");
  EXPECT_EQ(refusal.state, GateState::open);
  ASSERT_TRUE(refusal.pairs_needed);
  EXPECT_GT(*refusal.pairs_needed, 100u);
  EXPECT_LT(*refusal.pairs_needed, 1'000u);
}

// shadow.settled_percent: what is settled is copied less often, so that others seem to be more.
TEST(Verdict, AsksForFamiliesByTheirShareOfTheTrafficAndNotOfThePairs) {
  Evidence seen;
  seen.pairs(3'000);
  seen.pairs(50, {}, "rare");
  const Observation served = good(routing::Variant::primary);
  const Observation other = good(routing::Variant::candidate);
  const auto extra = [&](int count) {
    for (int i = 0; i < count; ++i)
      seen.evidence.record_pair(
          "rare", {.comparison = seen.control, .served = served, .other = other, .in_pool = false},
          kMorning);
  };
  seen.rules.min_pairs_per_family = 1'000;
  extra(900);
  EXPECT_EQ(seen.verdict().state, VerdictState::safe_to_promote) << "1.6 % of the traffic";
  seen.pairs(20, {}, "rare");
  const Verdict verdict = seen.verdict();
  ASSERT_EQ(verdict.missing.size(), 1u) << "2.3 %";
  EXPECT_NE(verdict.missing.front().find("family rare: 970 of 1000"), std::string::npos);
  extra(30);
  EXPECT_EQ(seen.verdict().state, VerdictState::safe_to_promote);
}

TEST(Verdict, IsNotSafeBeforePairsCameAtAPeakOfTheTraffic) {
  Evidence seen;
  seen.pairs(3'000);  // in the 48 hours from kMorning on
  for (int hour = 0; hour < 48; ++hour)
    seen.evidence.record_traffic(700, 1h, kMorning + std::chrono::hours{hour});
  ASSERT_EQ(seen.verdict().state, VerdictState::safe_to_promote) << seen.verdict().text;
  const auto monday = kMorning + 60h;
  seen.evidence.record_traffic(1'000, 1h, monday);
  const Verdict verdict = seen.verdict();
  EXPECT_EQ(verdict.state, VerdictState::keep_shadowing);
  ASSERT_EQ(verdict.missing.size(), 1u);
  EXPECT_EQ(verdict.missing.front(),
            "no pair from a peak: the busiest hour of the last week had 1000 requests, the busiest "
            "with pairs 700 (min_hours)");
  seen.evidence.record_traffic(100, 1h, kMorning);
  EXPECT_EQ(seen.verdict().state, VerdictState::safe_to_promote) << "four fifths are a peak, too";
}

TEST(Verdict, AsksForNoPeakWhereItAsksForNoHours) {
  Evidence seen;
  seen.pairs(3'000);
  seen.evidence.record_traffic(1'000, 1h, kMorning + 60h);
  seen.rules.min_hours = 0;
  EXPECT_EQ(seen.verdict().state, VerdictState::safe_to_promote) << seen.verdict().text;
}

TEST(Verdict, IsNotSafeWithoutCoverage) {
  Evidence seen;
  seen.pairs(3'000);
  seen.rules.min_hours = 100'000;
  EXPECT_EQ(seen.verdict().state, VerdictState::keep_shadowing);
  seen.rules.min_hours = 24;
  ASSERT_EQ(seen.verdict().state, VerdictState::safe_to_promote);
  seen.facts.copies = {.drawn = 100, .dropped = 6};
  EXPECT_EQ(seen.verdict().state, VerdictState::keep_shadowing);
  EXPECT_NE(seen.verdict().missing.at(0).find("max_dropped_percent"), std::string::npos);
  seen.facts = {};
  for (int i = 0; i < 200; ++i) seen.evidence.record_missing();
  EXPECT_EQ(seen.verdict().state, VerdictState::keep_shadowing);
  EXPECT_NE(seen.verdict().missing.at(0).find("throttled"), std::string::npos);
}

TEST(Verdict, WaitsForEveryFamilyOfSomeSize) {
  Evidence seen;
  seen.pairs(3'000);
  seen.pairs(80, {}, "new");
  EXPECT_EQ(seen.verdict().state, VerdictState::keep_shadowing);
  EXPECT_NE(seen.verdict().missing.at(0).find("family new"), std::string::npos);
  seen.pairs(20, {}, "new");
  EXPECT_EQ(seen.verdict().state, VerdictState::safe_to_promote);
}

TEST(Verdict, TellsEveryGateInASentenceThatBeginsWithACapital) {
  const RouteEvidence evidence("experiment", {});
  for (const GateResult& reason : judge(evidence, {}, {}).reasons) {
    EXPECT_TRUE(std::isupper(static_cast<unsigned char>(reason.text.front()))) << reason.text;
    EXPECT_EQ(reason.text.back(), '.') << reason.text;
  }
}

TEST(Verdict, LeavesOutGatesThatAreOff) {
  Evidence seen;
  seen.pairs(200, {flag(Signal::refusal, false, true)});
  seen.rules.gates[*gate_of("refusal")].reset();
  EXPECT_EQ(seen.verdict().state, VerdictState::keep_shadowing);
  EXPECT_EQ(result(seen.verdict(), "refusal").state, GateState::info);
}

TEST(Verdict, RemembersAnAlarmThatLaterPairsWouldOutvote) {
  Evidence seen;
  seen.pairs(100);
  seen.pairs(30, {flag(Signal::empty, false, true)});
  AlarmWatch watch(seen.rules);
  watch.look(seen.evidence);
  watch.latch(seen.evidence);
  seen.pairs(60, {flag(Signal::empty, true, false)});
  EXPECT_EQ(result(seen.verdict(), "empty").state, GateState::alarm);
}

TEST(Verdict, ForgetsAnAlarmWhoseThresholdHasBeenRaisedSince) {
  Evidence seen;
  const std::size_t empty = *gate_of("empty");
  seen.pairs(400);
  seen.pairs(20, {flag(Signal::empty, false, true)});
  const auto latch = [&seen] {
    AlarmWatch watch(seen.rules);
    watch.look(seen.evidence);
    watch.latch(seen.evidence);
  };
  latch();
  ASSERT_EQ(result(seen.verdict(), "empty").state, GateState::alarm);
  ASSERT_EQ(result(seen.verdict(), "empty", "support").state, GateState::alarm);
  seen.rules.gates[empty]->alarm = 0.10;
  seen.rules.gates[empty]->margin = 0.15;
  const Verdict loosened = seen.verdict();
  EXPECT_NE(result(loosened, "empty").state, GateState::alarm);
  EXPECT_EQ(loosened.reasons.size(), kGateCount) << "nor does a family's stand";
  seen.rules.gates[empty]->alarm = 0.0;
  EXPECT_EQ(result(seen.verdict(), "empty").state, GateState::alarm) << "and again as it was";
  // What is worse than the looser threshold as well, alarms anew and stands there.
  seen.rules.gates[empty]->alarm = 0.10;
  seen.pairs(200, {flag(Signal::empty, false, true)});
  latch();
  EXPECT_TRUE(seen.evidence.pooled().alarm_stands(empty, 0.10));
}

TEST(Verdict, CountsPairsUntilSafeAsPairsAlsoWhereOnlySomeHaveASecondAnswer) {
  Evidence seen;
  seen.pairs(40);
  const Comparison nothing;
  const Observation served = good(routing::Variant::primary);
  const Observation other = good(routing::Variant::candidate);
  const std::uint64_t with_all = *result(seen.verdict(), "label").pairs_needed;
  for (int i = 0; i < 360; ++i)
    seen.evidence.record_pair("support", {nothing, served, other}, kMorning);
  const GateResult& label = result(seen.verdict(), "label");
  EXPECT_EQ(label.pairs, 40u);
  EXPECT_NEAR(static_cast<double>(*label.pairs_needed), 10.0 * static_cast<double>(with_all), 10.0)
      << "a tenth of the pairs has one";
  EXPECT_NE(label.text.find("40 pairs with a second answer of the primary"), std::string::npos)
      << label.text;
}

TEST(Verdict, DoesNotBlameTheCandidateForWhatBothDo) {
  Evidence seen;
  seen.pairs(2'000, {flag(Signal::refusal, true, true)});
  EXPECT_NE(result(seen.verdict(), "refusal").state, GateState::alarm);
}

// Exchanges of two models that fail by themselves now and then. A copy is sent only where the
// primary answered.
void exchanges(Evidence& seen, int count, double primary_fails, double candidate_fails,
               std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  for (int i = 0; i < count; ++i) {
    if (uniform(random) < primary_fails) {
      seen.evidence.record_failure("support", {.primary = true, .candidate = {}}, kMorning);
    } else {
      const bool fails = uniform(random) < candidate_fails;
      seen.pairs(1, {flag(Signal::error_class, false, fails)});
    }
  }
}

TEST(Verdict, TakesErrorsNowAndThenOfEqualModelsForNoRegression) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Evidence seen;
    exchanges(seen, 3'000, .02, .02, seed);
    const GateResult& errors = result(seen.verdict(), "error_class");
    EXPECT_NE(errors.state, GateState::alarm) << errors.text;
    EXPECT_NEAR(*errors.primary_rate, .02, .01) << "of the exchanges in which it was asked";
    EXPECT_NEAR(*errors.candidate_rate, .02, .01);
  }
}

TEST(Verdict, SeesACandidateThatFailsMoreOftenThanAPrimaryThatFailsToo) {
  Evidence seen;
  exchanges(seen, 3'000, .01, .05, 1);
  EXPECT_EQ(result(seen.verdict(), "error_class").state, GateState::alarm);
}

TEST(Verdict, DoesNotTakeThePrimarysFailuresForTheCandidatesSafety) {
  Evidence seen;
  seen.pairs(3'000);
  seen.pairs(27, {flag(Signal::error_class, false, true)});
  const double before = result(seen.verdict(), "error_class").log_e_safe;
  ASSERT_LT(before, log_threshold(.05));
  for (int i = 0; i < 60; ++i)
    seen.evidence.record_failure("support", {.primary = true, .candidate = {}}, kMorning);
  // The candidate was not asked: it might have failed as well.
  EXPECT_NEAR(result(seen.verdict(), "error_class").log_e_safe, before, 1.0);
}

TEST(Verdict, LooksAgainWhenAllThatIsNewAreFailures) {
  Evidence seen;
  seen.pairs(100);
  AlarmWatch watch(seen.rules);
  watch.look(seen.evidence);
  for (int i = 0; i < 60; ++i)
    seen.evidence.record_failure("support", {.primary = {}, .candidate = true}, kMorning);
  watch.look(seen.evidence);
  EXPECT_TRUE(watch.alarms(kErrorGate)) << "who serves and fails";
  EXPECT_EQ(seen.evidence.pooled().pairs, 100u) << "they are no pairs";
}

// --- How many pairs are needed

TEST(Verdict, TakesWhatDifferedByChanceForNoTrend) {
  Evidence seen, unlucky;
  seen.pairs(300);
  unlucky.pairs(299);
  unlucky.pairs(1, {flag(Signal::empty, false, true)});
  const auto needed = [](const Evidence& of) {
    return *result(of.verdict(), "empty").pairs_needed;
  };
  EXPECT_GT(needed(unlucky), needed(seen));
  EXPECT_LT(needed(unlucky), 3 * needed(seen)) << "one answer in 300 is no rate to go on from";
}

TEST(Verdict, AsksForAsManyPairsAsTheLastOfItsConditions) {
  Evidence seen;
  seen.pairs(150);
  const Verdict gates = seen.verdict();
  std::uint64_t most = 0;
  for (const GateResult& reason : gates.reasons)
    most = std::max(most, reason.pairs_needed.value_or(0));
  ASSERT_TRUE(gates.pairs_needed);
  EXPECT_EQ(*gates.pairs_needed, most) << "every gate has to be safe";
  EXPECT_NE(gates.text.find("About " + std::to_string(most) + " pairs more"), std::string::npos)
      << gates.text;
  seen.pairs(2'850);
  ASSERT_EQ(seen.verdict().state, VerdictState::safe_to_promote);
  EXPECT_FALSE(seen.verdict().pairs_needed);
  // A family of 2.9 % is seen a hundred times after about 350 pairs more.
  seen.pairs(90, {}, "new");
  const Verdict family = seen.verdict();
  ASSERT_TRUE(family.pairs_needed);
  EXPECT_EQ(*family.pairs_needed, 344u);
}

TEST(Verdict, DoesNotGuessHowManyPairsWhereThereIsNoTelling) {
  Evidence seen;
  seen.pairs(50);
  seen.pairs(10, {flag(Signal::empty, false, true)});
  const Verdict verdict = seen.verdict();
  ASSERT_EQ(verdict.state, VerdictState::keep_shadowing);
  ASSERT_FALSE(result(verdict, "empty").pairs_needed) << "it may well be worse";
  EXPECT_FALSE(verdict.pairs_needed);
  EXPECT_EQ(verdict.text.find("About"), std::string::npos) << verdict.text;
}

}  // namespace
}  // namespace understudy::metrics

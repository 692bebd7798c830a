#include "proxy/operational_gates.h"

#include <gtest/gtest.h>

namespace understudy::proxy {
namespace {

using routing::OperationalGate;
using namespace std::chrono_literals;
using State = GateCheck::State;

class Gates : public testing::Test {
 protected:
  // What both variants serve in one minute, and the look at its end.
  void minute(const ServedFigures& by_primary, const ServedFigures& by_candidate) {
    add(primary, by_primary);
    add(candidate, by_candidate);
    now += 1min;
    gates.look(rules, primary, candidate, now);
  }
  static void add(ServedFigures& to, const ServedFigures& more) {
    to.requests += more.requests;
    to.errors += more.errors;
    to.faults += more.faults;
    to.seconds += more.seconds;
    to.timed += more.requests;
    to.first_token_seconds += more.first_token_seconds;
    to.first_tokens += more.first_tokens;
    to.cost_usd += more.cost_usd;
    to.fallbacks += more.fallbacks;
  }
  State state(OperationalGate gate) const { return gates.check(gate).state; }

  OperationalGates gates;
  routing::RolloutGates rules;
  ServedFigures primary, candidate;
  routing::Moment now{std::chrono::seconds(1'800'000'000)};
};

constexpr ServedFigures usual(double requests = 100) {
  return {.requests = requests, .seconds = requests * 2.0, .cost_usd = requests * 0.01};
}

TEST_F(Gates, PassWhereBothAreAlike) {
  for (int i = 0; i < 10; ++i) minute(usual(), usual());
  for (const OperationalGate gate : routing::kOperationalGates) {
    const bool streams = gate == OperationalGate::first_token;
    EXPECT_EQ(state(gate), streams ? State::waiting : State::passes) << label(gate);
  }
  EXPECT_TRUE(gates.pass());
}

TEST_F(Gates, BreakOnlyWhenTheirPatienceIsOver) {
  ServedFigures failing = usual();
  failing.errors = 20;
  minute(usual(), usual());
  minute(usual(), failing);
  minute(usual(), failing);
  EXPECT_EQ(state(OperationalGate::error_rate), State::fails);
  EXPECT_FALSE(gates.pass());
  EXPECT_FALSE(gates.broken());
  minute(usual(), usual());
  EXPECT_EQ(state(OperationalGate::error_rate), State::passes) << "in a row, it says";
  for (int i = 0; i < 3; ++i) minute(usual(), failing);
  EXPECT_EQ(gates.broken(), OperationalGate::error_rate);
  EXPECT_EQ(gates.check(OperationalGate::error_rate).text,
            "error_rate: candidate 20 %, primary 0 %; at most 1 points more allowed (check 3 of 3 "
            "that failed in a row)");
}

TEST_F(Gates, SeeSlownessAndCost) {
  ServedFigures slow = usual();
  slow.seconds *= 1.6;
  slow.cost_usd *= 3;
  minute(usual(), usual());
  for (int i = 0; i < 3; ++i) minute(usual(), slow);
  EXPECT_EQ(state(OperationalGate::latency), State::broken);
  EXPECT_EQ(state(OperationalGate::cost), State::broken);
  EXPECT_NEAR(*gates.check(OperationalGate::latency).value, 60.0, 1e-9);
}

TEST_F(Gates, SeeSlowFirstTokensAndFallbacks) {
  ServedFigures fast = usual(), slow = usual();
  fast.first_tokens = slow.first_tokens = 100;
  fast.first_token_seconds = 50;
  slow.first_token_seconds = 90;
  slow.fallbacks = 10;
  minute(fast, fast);
  for (int i = 0; i < 3; ++i) minute(fast, slow);
  EXPECT_EQ(state(OperationalGate::first_token), State::broken);
  EXPECT_EQ(state(OperationalGate::fallback_rate), State::broken);
  EXPECT_EQ(state(OperationalGate::latency), State::passes);
}

TEST_F(Gates, DoNotJudgeAFewRequests) {
  ServedFigures one_error = usual(5);
  one_error.errors = 1;
  minute(usual(), usual());
  for (int i = 0; i < 3; ++i) minute(usual(), one_error);
  EXPECT_EQ(state(OperationalGate::error_rate), State::waiting) << "the interval grows";
  // 20 requests with one error of the candidate against none of a hundred: chance.
  ServedFigures quiet = usual(20);
  quiet.errors = 1;
  for (int i = 0; i < 10; ++i) minute(usual(), quiet);
  EXPECT_FALSE(gates.broken());
}

TEST_F(Gates, HoldTheCandidateAgainstThePrimaryOfBeforeWhereItServesAll) {
  minute(usual(), usual());
  minute(usual(), usual());
  ServedFigures slow = usual();
  slow.seconds *= 2;
  for (int i = 0; i < 3; ++i) minute({}, slow);
  EXPECT_EQ(state(OperationalGate::latency), State::broken);
}

TEST_F(Gates, HoldTheCandidateAgainstThePrimaryOfBeforeARestart) {
  minute(usual(), usual());
  minute(usual(), usual());
  const OperationalGates::Baselines known = gates.baselines();
  gates = {};
  gates.restore(known);
  ServedFigures slow = usual();
  slow.seconds *= 2;
  for (int i = 0; i < 4; ++i) minute({}, slow);
  EXPECT_EQ(state(OperationalGate::latency), State::broken);
}

TEST_F(Gates, JudgeFaultsAlsoWhereNothingIsKnownOfThePrimary) {
  ServedFigures unlucky = usual(), failing = usual();
  unlucky.errors = 30;  // clients' own mistakes: the primary may have had as many
  failing.errors = failing.faults = 30;
  for (int i = 0; i < 4; ++i) minute({}, unlucky);
  EXPECT_EQ(state(OperationalGate::error_rate), State::passes);
  EXPECT_EQ(state(OperationalGate::latency), State::waiting);
  for (int i = 0; i < 3; ++i) minute({}, failing);
  EXPECT_EQ(gates.broken(), OperationalGate::error_rate);
  EXPECT_EQ(gates.check(OperationalGate::error_rate).text,
            "error_rate: candidate 30 % of errors that no client makes, with no primary to "
            "compare; at most 1 points more allowed (check 3 of 3 that failed in a row)");
}

TEST_F(Gates, FindNothingWhereACostIsNotKnown) {
  ServedFigures unpriced = usual();
  unpriced.cost_usd = 0;
  for (int i = 0; i < 4; ++i) minute(usual(), unpriced);
  EXPECT_EQ(state(OperationalGate::cost), State::waiting) << "not: a hundred per cent cheaper";
  for (int i = 0; i < 4; ++i) minute(unpriced, usual());
  EXPECT_EQ(state(OperationalGate::cost), State::waiting);
}

TEST_F(Gates, BeginAnewWithAStageAndCanBeSwitchedOff) {
  ServedFigures failing = usual();
  failing.errors = 50;
  for (int i = 0; i < 4; ++i) minute(usual(), failing);
  ASSERT_EQ(gates.broken(), OperationalGate::error_rate);
  gates.restart();
  EXPECT_FALSE(gates.broken());
  rules.operational[static_cast<std::size_t>(OperationalGate::error_rate)].reset();
  for (int i = 0; i < 5; ++i) minute(usual(), failing);
  EXPECT_EQ(state(OperationalGate::error_rate), State::off);
  EXPECT_FALSE(gates.broken());
}

}  // namespace
}  // namespace understudy::proxy

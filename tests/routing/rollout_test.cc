#include "routing/rollout.h"

#include <gtest/gtest.h>

#include <vector>

namespace understudy::routing {
namespace {

using Phase = RolloutPhase;

const Moment kBegin{std::chrono::seconds(1'800'000'000)};

CanaryConfig three_stages() {
  CanaryConfig plan;
  plan.stages = {{.percent = {100}, .min_time = 1h, .min_pairs = 500},
                 {.percent = {2'500}, .min_time = 2h, .min_pairs = 500},
                 {.percent = {10'000}, .min_time = 1h, .min_pairs = 0}};
  plan.gates.emplace();
  return plan;
}

constexpr RolloutTick good_look(std::uint64_t pairs = 1'000) {
  return {.evidence = EvidenceSays::safe, .pairs = pairs, .gates_pass = true};
}

// A rollout under way, with a clock of its own.
class Rollout : public testing::Test {
 protected:
  void happens(const RolloutEvent& event, std::chrono::milliseconds later = 1s) {
    now += later;
    last = transition(state, event, plan, now);
    state = last.state;
  }
  void order(RolloutOrder order, EvidenceSays evidence = EvidenceSays::inconclusive) {
    happens(RolloutRequest{.order = order, .evidence = evidence});
  }
  // One look is no proof: the next has to say the same.
  void look_twice(const RolloutTick& tick, std::chrono::milliseconds later = 1s) {
    happens(tick, later);
    happens(tick);
  }
  // To the begin of that stage, as a healthy rollout gets there.
  void bring_to_stage(std::size_t stage) {
    for (int i = 0; i < 100 && state.stage < stage; ++i) happens(good_look(), 1h);
    ASSERT_EQ(state.stage, stage);
  }
  Percent served() const { return share_of(state, plan); }

  CanaryConfig plan = three_stages();
  Moment now = kBegin;
  RolloutState state = first_state(plan, now);
  RolloutStep last;
};

TEST_F(Rollout, GoesFromStageToStageToTheEndWhenAllIsWell) {
  EXPECT_EQ(state.phase, Phase::pending);
  EXPECT_EQ(served(), Percent{0});
  happens(good_look());
  EXPECT_EQ(state.phase, Phase::advancing) << "one look is no proof";
  happens(good_look());
  EXPECT_EQ(state.phase, Phase::baking);
  EXPECT_EQ(served(), Percent{100});
  EXPECT_TRUE(last.stage_begun);
  happens(good_look(), 59min);
  EXPECT_EQ(state.phase, Phase::baking);
  happens(good_look(), 1min);
  EXPECT_EQ(state.phase, Phase::advancing);
  happens(good_look());
  EXPECT_EQ(served(), Percent{2'500});
  happens(good_look(), 2h);
  happens(good_look());
  EXPECT_EQ(served(), Percent{10'000});
  happens(good_look(), 1h);
  happens(good_look());
  EXPECT_EQ(state.phase, Phase::complete);
  EXPECT_EQ(served(), Percent{10'000});
}

TEST_F(Rollout, HoldsWhereTheEvidenceIsInconclusive) {
  bring_to_stage(1);
  happens(RolloutTick{.pairs = 1'000, .gates_pass = true}, 10h);
  EXPECT_EQ(state.phase, Phase::holding);
  EXPECT_EQ(served(), Percent{100});
  happens(good_look());
  EXPECT_EQ(state.phase, Phase::advancing);
}

TEST_F(Rollout, WaitsForPairsHoweverMuchTimeGoesBy) {
  bring_to_stage(1);
  happens(good_look(499), 1'000h);
  EXPECT_EQ(state.phase, Phase::baking);
  EXPECT_EQ(state.stage, 1u);
}

TEST_F(Rollout, HoldsWhileAGateFailsWithinItsPatience) {
  bring_to_stage(1);
  RolloutTick failing = good_look();
  failing.gates_pass = false;
  happens(failing, 2h);
  EXPECT_EQ(state.phase, Phase::holding);
}

TEST_F(Rollout, HoldsBeforeAStageThatTheCandidateHasNoRoomForAndGoesOnWhenItHas) {
  look_twice(good_look());
  ASSERT_EQ(state.stage, 1u);
  RolloutTick full = good_look();
  full.next_fits = false;
  look_twice(full, 10h);
  EXPECT_EQ(state.phase, Phase::holding);
  EXPECT_EQ(state.stage, 1u);
  const RolloutStep refused = transition(state,
                                         RolloutRequest{.order = RolloutOrder::promote,
                                                        .evidence = EvidenceSays::safe,
                                                        .no_room = "does not fit: too much"},
                                         plan, now);
  EXPECT_EQ(refused.state, state);
  EXPECT_EQ(refused.refusal, "the next stage does not fit: too much");
  look_twice(good_look());
  EXPECT_EQ(state.stage, 2u) << "the quota was raised";
}

TEST_F(Rollout, HoldsBeforeAFurtherStageWhileTheWayBackIsClosedAndNeedsNoneToEnd) {
  plan.stages.resize(2);
  look_twice(good_look());
  RolloutTick closed = good_look();
  closed.way_back = false;
  look_twice(closed, 10h);
  EXPECT_EQ(state.phase, Phase::holding);
  EXPECT_EQ(state.stage, 1u);
  look_twice(good_look());
  ASSERT_EQ(state.stage, 2u);
  look_twice(closed, 10h);
  EXPECT_EQ(state.phase, Phase::complete) << "nothing more is served";
}

TEST_F(Rollout, NeedsNoRoomToEnd) {
  plan.stages.resize(1);
  look_twice(good_look());
  RolloutTick full = good_look();
  full.next_fits = false;  // there is no next one
  look_twice(full, 10h);
  EXPECT_EQ(state.phase, Phase::complete);
}

TEST_F(Rollout, RollsBackByEvidenceOrByAGateAndStaysThere) {
  for (const bool by_gate : {false, true}) {
    state = first_state(plan, now);
    bring_to_stage(2);
    RolloutTick bad = good_look();
    if (by_gate) {
      bad.broken_gate = OperationalGate::latency;
    } else {
      bad.evidence = EvidenceSays::roll_back;
    }
    happens(bad);
    EXPECT_EQ(state.phase, Phase::rolled_back);
    EXPECT_EQ(state.reason, by_gate ? "latency" : "evidence");
    EXPECT_EQ(served(), Percent{0});
    for (int i = 0; i < 10; ++i) happens(good_look(), 10h);
    EXPECT_EQ(state.phase, Phase::rolled_back) << "only a person leads out";
  }
}

TEST_F(Rollout, BeginsAnewAfterARollbackAndGoesOnAfterAPause) {
  bring_to_stage(2);
  order(RolloutOrder::pause);
  happens(good_look(), 100h);
  EXPECT_EQ(state.phase, Phase::paused);
  EXPECT_EQ(served(), Percent{2'500});
  order(RolloutOrder::resume);
  EXPECT_EQ(state.stage, 2u);
  order(RolloutOrder::rollback);
  EXPECT_EQ(state.reason, "manual");
  order(RolloutOrder::rollback);
  EXPECT_TRUE(last.refusal.empty()) << "twice is no mistake";
  order(RolloutOrder::resume);
  EXPECT_EQ(state.phase, Phase::pending);
  EXPECT_EQ(served(), Percent{0});
}

TEST_F(Rollout, StillRollsBackWhilePausedAndDuringTheWatchAfterTheEnd) {
  bring_to_stage(1);
  order(RolloutOrder::pause);
  happens(RolloutTick{.evidence = EvidenceSays::roll_back});
  EXPECT_EQ(state.phase, Phase::rolled_back);

  state = first_state(plan, now);
  bring_to_stage(3);
  while (state.phase != Phase::complete) happens(good_look(), 1h);
  RolloutState watched = state;
  happens(RolloutTick{.evidence = EvidenceSays::roll_back}, plan.watch - 1h);
  EXPECT_EQ(state.phase, Phase::rolled_back);
  state = watched;
  happens(RolloutTick{.evidence = EvidenceSays::roll_back}, plan.watch);
  EXPECT_EQ(state.phase, Phase::complete) << "the watch is over";
}

TEST_F(Rollout, RefusesWhatTheStateDoesNotAllowAndSaysWhy) {
  order(RolloutOrder::resume);
  EXPECT_EQ(last.refusal, "the route is neither rolled back nor paused");
  order(RolloutOrder::promote, EvidenceSays::against);
  EXPECT_NE(last.refusal.find("evidence speaks against"), std::string::npos);
  EXPECT_EQ(state.stage, 0u);
  order(RolloutOrder::promote);
  EXPECT_TRUE(last.refusal.empty());
  EXPECT_EQ(state.stage, 1u) << "a person may go on while it is open";
  order(RolloutOrder::rollback);
  order(RolloutOrder::promote);
  EXPECT_EQ(last.refusal, "the route is rolled back: resume it first");
  order(RolloutOrder::pause);
  EXPECT_FALSE(last.refusal.empty());
}

TEST_F(Rollout, OfAPlainPercentIsThereAtOnceAndCanBeTakenBack) {
  plan = {};
  plan.percent = {1'000};
  state = first_state(plan, now);
  EXPECT_EQ(served(), Percent{1'000});
  order(RolloutOrder::promote);
  EXPECT_NE(last.refusal.find("no stages"), std::string::npos);
  order(RolloutOrder::rollback);
  EXPECT_EQ(served(), Percent{0});
  order(RolloutOrder::resume, EvidenceSays::roll_back);
  EXPECT_NE(last.refusal.find("still speaks against"), std::string::npos);
  order(RolloutOrder::resume);
  EXPECT_EQ(served(), Percent{1'000});
}

TEST_F(Rollout, NeverServesMoreByAnotherPlanThanWasServed) {
  bring_to_stage(2);
  const auto replan = [&](std::vector<std::uint32_t> percents, RolloutReplanned change = {}) {
    RolloutState before = state;
    change.served = served();
    CanaryConfig other = plan;
    other.stages.clear();
    for (const std::uint32_t percent : percents) other.stages.push_back({.percent = {percent}});
    return transition(before, change, other, now).state;
  };
  EXPECT_EQ(replan({100, 2'500, 5'000}).stage, 2u);
  EXPECT_EQ(replan({100, 2'000, 5'000}).stage, 2u) << "lower: 20 %";
  EXPECT_EQ(replan({100, 5'000}).stage, 1u);
  EXPECT_EQ(replan({5'000}).phase, Phase::pending);
  EXPECT_EQ(replan({100, 2'500}, {.new_candidate = true}).phase, Phase::pending);
  order(RolloutOrder::rollback);
  EXPECT_EQ(replan({100}, {.new_candidate = true}).phase, Phase::rolled_back);
  EXPECT_EQ(replan({100}, {.new_canary = true}).phase, Phase::pending) << "the config lifts it";
}

TEST_F(Rollout, StaysPausedThroughAnotherPlanOrCandidateUntilAPersonResumesIt) {
  bring_to_stage(2);
  order(RolloutOrder::pause);
  const RolloutState paused = state;
  for (const RolloutReplanned change :
       {RolloutReplanned{.served = served(), .new_candidate = true}, RolloutReplanned{}}) {
    state = paused;
    happens(change);
    EXPECT_EQ(state.phase, Phase::paused) << "new candidate: " << change.new_candidate;
    EXPECT_EQ(served(), Percent{0});
    for (int i = 0; i < 3; ++i) happens(good_look(), 10h);
    EXPECT_EQ(state.phase, Phase::paused);
    order(RolloutOrder::resume);
    EXPECT_EQ(state.phase, Phase::pending);
  }
  state = paused;
  plan.stages.clear();
  happens(RolloutReplanned{.served = served()});
  EXPECT_EQ(state.phase, Phase::complete) << "a plain percent has nothing that could be paused";
}

TEST_F(Rollout, IsHeldToTheGatesOfItsStageAndToTheRoutesElsewhere) {
  plan.stages[1].gates.emplace().evidence = RolloutGates::Evidence::off;
  EXPECT_EQ(gates_in(state, plan), &*plan.gates) << "before the first stage";
  bring_to_stage(1);
  EXPECT_EQ(gates_in(state, plan), &*plan.gates);
  bring_to_stage(2);
  EXPECT_EQ(gates_in(state, plan), &*plan.stages[1].gates);
  order(RolloutOrder::pause);
  EXPECT_EQ(gates_in(state, plan), &*plan.stages[1].gates) << "gates go on";
  order(RolloutOrder::resume);
  plan.stages[2].gates.emplace();
  bring_to_stage(3);
  EXPECT_EQ(gates_in(state, plan), &*plan.stages[2].gates);
  while (state.phase != Phase::complete) happens(good_look(), 1h);
  EXPECT_EQ(gates_in(state, plan), &*plan.gates) << "after the last stage the route's go on";
  plan.gates.reset();
  EXPECT_EQ(gates_in(state, plan), nullptr);
}

TEST_F(Rollout, RollsBackByDriftOnlyDuringTheWatchAndEndsTheWatchOnce) {
  RolloutTick drifting = good_look();
  drifting.drift_rolls_back = true;
  bring_to_stage(3);
  happens(drifting);
  EXPECT_NE(state.phase, Phase::rolled_back) << "there is no watch yet";
  while (state.phase != Phase::complete) happens(good_look(), 1h);
  const RolloutState watched = state;
  happens(drifting);
  EXPECT_EQ(state.phase, Phase::rolled_back);
  EXPECT_EQ(state.reason, "drift");

  state = watched;
  happens(good_look(), plan.watch - 1h);
  EXPECT_FALSE(state.watch_over);
  happens(good_look(), 2h);
  EXPECT_TRUE(state.watch_over);
  happens(drifting);
  EXPECT_EQ(state.phase, Phase::complete);
  plan.watch *= 2;
  happens(good_look());
  EXPECT_FALSE(state.watch_over) << "a longer watch goes on";
  order(RolloutOrder::rollback);
  EXPECT_FALSE(state.watch_over);
}

// --- A fleet

TEST_F(Rollout, FollowsARollbackOfTheFleetUnlessAPersonLedOutOfItSince) {
  bring_to_stage(2);
  const Moment elsewhere = now - 3s;
  happens(RolloutFleet{.rolled_back = elsewhere});
  EXPECT_EQ(state.phase, Phase::rolled_back);
  EXPECT_EQ(state.reason, "fleet");
  EXPECT_EQ(state.since, elsewhere);
  happens(RolloutFleet{.stage = 3, .stage_since = now});
  EXPECT_EQ(state.phase, Phase::rolled_back) << "only a person leads out";
  order(RolloutOrder::resume);
  happens(RolloutFleet{.rolled_back = elsewhere});
  EXPECT_EQ(state.phase, Phase::pending) << "who has not resumed yet is past";
  happens(RolloutFleet{.rolled_back = now});
  EXPECT_EQ(state.phase, Phase::rolled_back) << "another one";
}

TEST_F(Rollout, ResumedByAClockThatIsBehindIsStillResumed) {
  bring_to_stage(1);
  const Moment ahead = now + 1h;
  happens(RolloutFleet{.rolled_back = ahead});
  order(RolloutOrder::resume);
  happens(RolloutFleet{.rolled_back = ahead});
  EXPECT_EQ(state.phase, Phase::pending);
}

TEST_F(Rollout, JoinsTheStageThatTheFleetHasReached) {
  const Moment begun = now + 1s;
  happens(RolloutFleet{.stage = 2, .stage_since = begun}, 30min);
  EXPECT_EQ(state.phase, Phase::baking);
  EXPECT_EQ(served(), Percent{2'500});
  EXPECT_EQ(state.stage_since, begun) << "its time is the fleet's";
  EXPECT_TRUE(last.stage_begun);
  happens(RolloutFleet{.stage = 1, .stage_since = begun});
  EXPECT_EQ(state.stage, 2u) << "who is behind comes along by itself";
  happens(RolloutFleet{.stage = 4, .stage_since = begun});
  EXPECT_EQ(state.stage, 2u) << "there is no such stage";
  order(RolloutOrder::pause);
  happens(RolloutFleet{.stage = 3, .stage_since = begun});
  EXPECT_EQ(state.stage, 2u) << "a person said so";
}

TEST_F(Rollout, JoinsTheFleetNoFurtherThanTheCandidateHasRoomForIt) {
  const Moment begun = now + 1s;
  happens(RolloutFleet{.stage = 3, .stage_since = begun, .fits_up_to = 0}, 30min);
  EXPECT_EQ(state.phase, Phase::pending);
  happens(RolloutFleet{.stage = 3, .stage_since = begun, .fits_up_to = 2});
  EXPECT_EQ(state.stage, 2u);
  EXPECT_EQ(state.stage_since, begun) << "the fleet was longer in it than that";
  happens(RolloutFleet{.stage = 3, .stage_since = begun, .fits_up_to = 1});
  EXPECT_EQ(state.stage, 2u) << "what was begun goes on";
  happens(RolloutFleet{.stage = 3, .stage_since = begun, .fits_up_to = 3});
  EXPECT_EQ(state.stage, 3u) << "the quota was raised";
}

TEST_F(Rollout, DoesNotJoinAStageThatTheRollbackHasNotReachedYet) {
  bring_to_stage(2);
  const Moment begun = state.stage_since;
  order(RolloutOrder::rollback);
  order(RolloutOrder::resume);
  happens(RolloutFleet{.stage = 2, .stage_since = begun});
  EXPECT_EQ(state.phase, Phase::pending);
}

TEST_F(Rollout, IsPausedAndGoesOnWithItsFleetByWhatAPersonSaidLast) {
  bring_to_stage(2);
  const Moment elsewhere = std::chrono::floor<std::chrono::milliseconds>(now);
  happens(RolloutFleet{.paused = elsewhere});
  EXPECT_EQ(state.phase, Phase::paused);
  EXPECT_EQ(state.reason, "fleet");
  EXPECT_EQ(state.stage, 2u);
  happens(good_look(), 100h);
  happens(RolloutFleet{.paused = elsewhere});
  EXPECT_EQ(state.phase, Phase::paused);
  order(RolloutOrder::resume);
  EXPECT_EQ(state.phase, Phase::baking);
  happens(RolloutFleet{.paused = elsewhere});
  EXPECT_EQ(state.phase, Phase::baking) << "who has not heard of it yet is past";
  order(RolloutOrder::pause);
  happens(RolloutFleet{.resumed = elsewhere + 1ms});
  EXPECT_EQ(state.phase, Phase::paused) << "another pause, after that";
  const RolloutState paused = state;
  happens(RolloutFleet{.paused = state.paused + 5s, .resumed = state.paused + 3s});
  EXPECT_EQ(state.phase, Phase::paused) << "paused again elsewhere";
  state = paused;
  happens(RolloutFleet{.paused = elsewhere, .resumed = state.paused + 3s});
  EXPECT_EQ(state.phase, Phase::baking) << "a person resumed it elsewhere";
  EXPECT_EQ(state.stage, 2u);
}

TEST_F(Rollout, ThatStartsLateJoinsTheFleetsStageAndItsPause) {
  happens(RolloutFleet{.stage = 2, .stage_since = now, .paused = now});
  EXPECT_EQ(state.phase, Phase::paused);
  EXPECT_EQ(state.stage, 2u);
  EXPECT_TRUE(last.stage_begun);
}

TEST_F(Rollout, ThatARollbackEndedDoesNotFallBackIntoThePauseBeforeIt) {
  bring_to_stage(1);
  const Moment before = std::chrono::floor<std::chrono::milliseconds>(now);
  order(RolloutOrder::pause);
  order(RolloutOrder::rollback);
  happens(RolloutFleet{.paused = before});
  EXPECT_EQ(state.phase, Phase::rolled_back);
  order(RolloutOrder::resume);
  happens(RolloutFleet{.paused = before});
  EXPECT_EQ(state.phase, Phase::pending);
}

// It was down while the fleet took another section, and went back in that one, too.
TEST_F(Rollout, LiftedByASectionThatTheFleetTookBeforeItFollowsWhatHappenedInItSince) {
  bring_to_stage(2);
  order(RolloutOrder::rollback);
  const RolloutState down = state;
  const Moment since = now + 1h;
  happens(RolloutReplanned{.new_canary = true}, 10h);
  ASSERT_EQ(state.phase, Phase::pending);
  happens(RolloutFleet{.rolled_back = since});
  EXPECT_EQ(state.phase, Phase::rolled_back);
  EXPECT_EQ(state.reason, "fleet");

  state = down;
  happens(RolloutReplanned{.new_canary = true});
  happens(RolloutFleet{.stage = 2, .stage_since = since});
  EXPECT_EQ(state.stage, 2u) << "or went on";
}

TEST_F(Rollout, LiftedByAnotherSectionEndsNoPauseOfTheFleet) {
  bring_to_stage(1);
  order(RolloutOrder::pause);
  order(RolloutOrder::resume);
  const Moment resumed = state.resumed;
  order(RolloutOrder::rollback);
  const Moment elsewhere = std::chrono::ceil<std::chrono::milliseconds>(now);
  happens(RolloutReplanned{.new_canary = true}, 10h);
  EXPECT_EQ(state.resumed, resumed) << "nobody said anything of a pause since";
  happens(RolloutFleet{.paused = elsewhere});
  EXPECT_EQ(state.phase, Phase::paused);
}

TEST_F(Rollout, ResumedFromARollbackEndsNoPauseButItsOwn) {
  bring_to_stage(1);
  order(RolloutOrder::rollback);
  order(RolloutOrder::resume);
  EXPECT_EQ(state.resumed, Moment{}) << "it was not paused";

  bring_to_stage(1);
  order(RolloutOrder::pause);
  order(RolloutOrder::rollback);
  const Moment elsewhere = std::chrono::ceil<std::chrono::milliseconds>(now);
  order(RolloutOrder::resume);
  EXPECT_GT(state.resumed, state.paused);
  happens(RolloutFleet{.paused = elsewhere});
  EXPECT_EQ(state.phase, Phase::paused) << "ordered elsewhere, behind the rollback";
}

}  // namespace
}  // namespace understudy::routing

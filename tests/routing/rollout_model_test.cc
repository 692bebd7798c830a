// Model checking of the rollout: whatever happens in whatever order.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <variant>

#include "routing/rollout.h"

namespace understudy::routing {
namespace {

using Phase = RolloutPhase;

const Moment kBegin{std::chrono::seconds(1'800'000'000)};

struct RandomRun {
  std::mt19937_64 random;
  Moment now = kBegin;

  explicit RandomRun(unsigned seed) : random(seed) {}
  std::uint64_t below(std::uint64_t bound) { return random() % bound; }

  CanaryConfig plan() {
    CanaryConfig made;
    made.gates.emplace();
    std::uint32_t percent = 0;
    for (std::uint64_t i = 0, count = 1 + below(5); i < count; ++i) {
      percent += 1 + static_cast<std::uint32_t>(below(2'000));
      made.stages.push_back({.percent = {percent},
                             .min_time = std::chrono::seconds(below(100)),
                             .min_pairs = below(100)});
    }
    made.watch = std::chrono::seconds(below(1'000));
    return made;
  }
  RolloutEvent event() {
    if (below(5) == 0) {
      return RolloutRequest{.order = static_cast<RolloutOrder>(below(4)),
                            .evidence = static_cast<EvidenceSays>(below(4)),
                            .no_room = below(4) == 0 ? "does not fit" : ""};
    }
    if (below(40) == 0) {
      RolloutFleet fleet{.stage = below(6), .stage_since = now - std::chrono::seconds(below(60))};
      if (below(4) == 0) fleet.rolled_back = now - std::chrono::seconds(below(60));
      if (below(4) == 0) fleet.paused = now - std::chrono::seconds(below(60));
      if (below(4) == 0) fleet.resumed = now - std::chrono::seconds(below(60));
      if (below(4) == 0) fleet.fits_up_to = below(6);
      return fleet;
    }
    RolloutTick tick{
        .evidence = below(3) > 0 ? EvidenceSays::safe : static_cast<EvidenceSays>(below(4)),
        .pairs = below(200),
        .gates_pass = below(8) > 0,
        .next_fits = below(8) > 0,
        .way_back = below(8) > 0};
    if (below(50) == 0) tick.broken_gate = OperationalGate::error_rate;
    tick.drift_rolls_back = below(50) == 0;
    return tick;
  }
};

bool earned(const RolloutTick& tick, const RolloutState& before, const CanaryConfig& plan,
            Moment now) {
  if (tick.evidence != EvidenceSays::safe) return false;
  if (before.stage < plan.stages.size() && !(tick.next_fits && tick.way_back)) return false;
  if (before.stage == 0) return true;  // nothing is served yet that a gate could see
  const RolloutStage& stage = plan.stages[before.stage - 1];
  return tick.gates_pass && !tick.broken_gate && tick.pairs >= stage.min_pairs &&
         now - before.stage_since >= stage.min_time;
}

TEST(RolloutModel, NoSequencePromotesWithoutEvidenceSkipsAStageOrLeavesARollbackByItself) {
  std::size_t promotions = 0, completions = 0, rollbacks = 0, joins = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    RandomRun run(seed);
    CanaryConfig plan = run.plan();
    RolloutState state = first_state(plan, run.now);
    bool earned_before = false;
    for (int i = 0; i < 400; ++i) {
      run.now += std::chrono::seconds(run.below(30));
      const RolloutEvent event = run.event();
      const RolloutState before = state;
      state = transition(before, event, plan, run.now).state;
      const auto* tick = std::get_if<RolloutTick>(&event);
      const auto* request = std::get_if<RolloutRequest>(&event);
      const auto* fleet = std::get_if<RolloutFleet>(&event);
      const bool by_person = request != nullptr;
      const std::string at = "seed " + std::to_string(seed) + " step " + std::to_string(i);

      ASSERT_LE(state.stage, plan.stages.size()) << at;
      ASSERT_LE(share_of(state, plan), plan.ceiling()) << at;
      ASSERT_LE(state.stage, fleet ? std::max(before.stage, fleet->stage) : before.stage + 1)
          << at << ": a stage was skipped";
      const bool promoted = state.stage > before.stage ||
                            (state.phase == Phase::complete && before.phase != Phase::complete);
      if (promoted && fleet) {
        ASSERT_EQ(state.stage, std::min(fleet->stage, fleet->fits_up_to)) << at;
        ASSERT_NE(before.phase, Phase::paused) << at;
        ++joins;
      }
      if (before.phase == Phase::paused && state.phase != Phase::paused &&
          state.phase != Phase::rolled_back) {
        const bool elsewhere = fleet && fleet->resumed > before.paused;
        ASSERT_TRUE(elsewhere || (by_person && request->order == RolloutOrder::resume)) << at;
      }
      if (before.phase != Phase::paused && state.phase == Phase::paused) {
        const bool elsewhere = fleet && fleet->paused > before.resumed;
        ASSERT_TRUE(elsewhere || (by_person && request->order == RolloutOrder::pause)) << at;
      }
      if (fleet && fleet->rolled_back > before.lifted) {
        ASSERT_EQ(state.phase, Phase::rolled_back) << at;
      }
      if (promoted && !by_person && !fleet) {
        ASSERT_TRUE(earned(*tick, before, plan, run.now)) << at;
        ASSERT_TRUE(earned_before) << at << ": one look sufficed";
        ASSERT_EQ(before.phase, Phase::advancing) << at;
        ++promotions;
      }
      if (promoted && by_person) {
        ASSERT_EQ(request->order, RolloutOrder::promote) << at;
        ASSERT_NE(request->evidence, EvidenceSays::against) << at;
        ASSERT_NE(request->evidence, EvidenceSays::roll_back) << at;
        ASSERT_TRUE(request->no_room.empty() || before.stage == plan.stages.size()) << at;
      }
      if (share_of(state, plan) > share_of(before, plan)) {
        ASSERT_TRUE(promoted) << at << ": a share rose by itself";
      }
      if (before.phase == Phase::rolled_back && state.phase != Phase::rolled_back) {
        ASSERT_TRUE(by_person && request->order == RolloutOrder::resume) << at;
        ASSERT_EQ(share_of(state, plan), Percent{}) << at << ": it begins anew";
      }
      if (state.phase == Phase::rolled_back) {
        ASSERT_EQ(share_of(state, plan), Percent{}) << at;
        ASSERT_FALSE(state.reason.empty()) << at;
      }
      if (tick != nullptr && is_watched(before, plan, run.now) &&
          (tick->evidence == EvidenceSays::roll_back || tick->broken_gate)) {
        ASSERT_EQ(state.phase, Phase::rolled_back) << at;
      }
      if (state.reason == kByDrift && before.reason.empty()) {
        ASSERT_TRUE(before.phase == Phase::complete && tick->drift_rolls_back) << at;
      }
      ASSERT_TRUE(!state.watch_over || state.phase == Phase::complete) << at;
      if (tick != nullptr || state != before)
        earned_before = tick != nullptr && earned(*tick, state, plan, run.now);
      completions += state.phase == Phase::complete && before.phase != Phase::complete;
      rollbacks += state.phase == Phase::rolled_back && before.phase != Phase::rolled_back;
    }
  }
  EXPECT_GT(promotions, 100u) << "else nothing was tried";
  EXPECT_GT(completions, 10u);
  EXPECT_GT(rollbacks, 100u);
  EXPECT_GT(joins, 50u);
}

TEST(RolloutModel, NoNewPlanServesMoreThanTheOldOneDid) {
  for (unsigned seed = 1; seed <= 2'000; ++seed) {
    RandomRun run(seed);
    CanaryConfig plan = run.plan();
    RolloutState state = first_state(plan, run.now);
    for (int i = 0; i < 40; ++i) {
      run.now += 60s;
      state = transition(state, run.event(), plan, run.now).state;
    }
    const Percent served = share_of(state, plan);
    const CanaryConfig other = run.plan();
    const RolloutReplanned change{
        .served = served, .new_candidate = run.below(4) == 0, .new_canary = run.below(2) == 0};
    const RolloutState after = transition(state, change, other, run.now).state;
    ASSERT_LE(share_of(after, other), served) << "seed " << seed;
    if (state.phase == Phase::rolled_back && !change.new_canary) {
      ASSERT_EQ(after.phase, Phase::rolled_back) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace understudy::routing

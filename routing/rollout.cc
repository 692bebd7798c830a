#include "routing/rollout.h"

#include <algorithm>
#include <array>

namespace understudy::routing {
namespace {

using Phase = RolloutPhase;

RolloutStep stay(const RolloutState& state) {
  return {.state = state};
}

RolloutStep refuse(const RolloutState& state, std::string why) {
  return {.state = state, .refusal = std::move(why)};
}

RolloutStep enter(RolloutState state, Phase phase, Moment now) {
  if (state.phase != phase) state.since = now;
  state.phase = phase;
  if (phase != Phase::rolled_back) state.reason.clear();
  state.watch_over = false;
  return {.state = std::move(state)};
}

RolloutStep begin_stage(RolloutState state, std::size_t stage, Phase phase, Moment now) {
  state.stage = stage;
  state.stage_since = state.since = now;
  state.phase = phase;
  state.reason.clear();
  state.watch_over = false;
  return {.state = std::move(state), .stage_begun = true};
}

// Now, as orders are told: but behind what it ends, by whosever clock that was.
Moment later_than(Moment before, Moment now) {
  using std::chrono::milliseconds;
  return std::max<Moment>(std::chrono::floor<milliseconds>(now), before + milliseconds(1));
}

RolloutStep roll_back(RolloutState state, std::string_view reason, Moment now) {
  state.stage = 0;
  state.phase = Phase::rolled_back;
  state.since = state.stage_since = now;
  state.reason = reason;
  state.watch_over = false;
  return {.state = std::move(state)};
}

// From the first stage on, but not behind the back of the person who paused it. What people said of
// pausing is kept: a rollback, a reload or another plan is no word of theirs.
RolloutState begin_anew(const RolloutState& state, const CanaryConfig& plan, Moment now) {
  RolloutState first = first_state(plan, now);
  if (state.phase == Phase::paused && !plan.stages.empty()) first.phase = Phase::paused;
  first.paused = state.paused;
  first.resumed = state.resumed;
  return first;
}

// By a person. What the rest of the fleet is still rolled back by is past, by whosever clock; so is
// the pause that the rollback ended here, but no other.
RolloutStep lift(const RolloutState& state, const CanaryConfig& plan, Moment now) {
  RolloutState begun = begin_anew(state, plan, now);
  begun.lifted = std::max(now, state.since);
  if (state.paused > state.resumed) begun.resumed = later_than(state.paused, state.paused);
  return {.state = std::move(begun)};
}

// To the next stage, which is never further than one, or to the end.
RolloutStep advance(const RolloutState& state, const CanaryConfig& plan, Moment now) {
  if (state.stage == plan.stages.size()) return enter(state, Phase::complete, now);
  return begin_stage(state, state.stage + 1, Phase::baking, now);
}

bool baked(const RolloutState& state, const RolloutTick& tick, const CanaryConfig& plan,
           Moment now) {
  if (state.stage == 0) return true;
  const RolloutStage& stage = plan.stages[state.stage - 1];
  return now - state.stage_since >= stage.min_time && tick.pairs >= stage.min_pairs;
}

// After the last stage nothing moves but the watch, which ends once; a longer one goes on.
RolloutStep end_watch(RolloutState state, const CanaryConfig& plan, Moment now) {
  state.watch_over = !plan.stages.empty() && !is_watched(state, plan, now);
  return {.state = std::move(state)};
}

RolloutStep on_tick(const RolloutState& state, const RolloutTick& tick, const CanaryConfig& plan,
                    Moment now) {
  if (state.phase == Phase::rolled_back) return stay(state);
  if (is_watched(state, plan, now)) {
    if (tick.evidence == EvidenceSays::roll_back) return roll_back(state, kByEvidence, now);
    if (tick.broken_gate) return roll_back(state, label(*tick.broken_gate), now);
    if (tick.drift_rolls_back && state.phase == Phase::complete)
      return roll_back(state, kByDrift, now);
  }
  if (state.phase == Phase::complete) return end_watch(state, plan, now);
  if (state.phase == Phase::paused) return stay(state);
  const bool fits = state.stage == plan.stages.size() || (tick.next_fits && tick.way_back);
  const bool safe =
      tick.evidence == EvidenceSays::safe && (state.stage == 0 || tick.gates_pass) && fits;
  if (state.stage == 0 && !safe) return enter(state, Phase::pending, now);
  if (!baked(state, tick, plan, now)) return enter(state, Phase::baking, now);
  if (!safe) return enter(state, Phase::holding, now);
  if (state.phase != Phase::advancing) return enter(state, Phase::advancing, now);
  return advance(state, plan, now);
}

RolloutStep promote(const RolloutState& state, const RolloutRequest& request,
                    const CanaryConfig& plan, Moment now) {
  const EvidenceSays evidence = request.evidence;
  if (plan.stages.empty())
    return refuse(state, "the route has no stages: raise canary.percent in the config");
  if (state.phase == Phase::complete)
    return refuse(state, "the rollout is complete: there is no further stage");
  if (state.phase == Phase::rolled_back)
    return refuse(state, "the route is rolled back: resume it first");
  if (state.phase == Phase::paused) return refuse(state, "the rollout is paused: resume it first");
  if (evidence == EvidenceSays::against || evidence == EvidenceSays::roll_back)
    return refuse(state, "the evidence speaks against the candidate: see `understudy verdict`");
  if (state.stage < plan.stages.size() && !request.no_room.empty())
    return refuse(state, "the next stage " + request.no_room);
  return advance(state, plan, now);
}

RolloutStep pause(const RolloutState& state, const CanaryConfig& plan, Moment now) {
  if (plan.stages.empty()) return refuse(state, "the route has no stages that could be paused");
  if (state.phase == Phase::rolled_back)
    return refuse(state, "the route is rolled back: nothing is served that could be paused");
  if (state.phase == Phase::complete)
    return refuse(state, "the rollout is complete: there is nothing to pause");
  if (state.phase == Phase::paused) return stay(state);
  RolloutStep step = enter(state, Phase::paused, now);
  step.state.paused = later_than(state.resumed, now);
  return step;
}

RolloutStep end_pause(const RolloutState& state, Moment resumed, Moment now) {
  RolloutStep step = enter(state, state.stage == 0 ? Phase::pending : Phase::baking, now);
  step.state.resumed = resumed;
  return step;
}

RolloutStep resume(const RolloutState& state, EvidenceSays evidence, const CanaryConfig& plan,
                   Moment now) {
  if (state.phase == Phase::rolled_back) {
    // It would be rolled back again at the next look.
    if (plan.stages.empty() && evidence == EvidenceSays::roll_back) {
      return refuse(state,
                    "the evidence still speaks against the candidate: change the candidate, or set "
                    "canary.gates.evidence to off");
    }
    return lift(state, plan, now);
  }
  if (state.phase == Phase::paused) return end_pause(state, later_than(state.paused, now), now);
  return refuse(state, "the route is neither rolled back nor paused");
}

RolloutStep on_request(const RolloutState& state, const RolloutRequest& request,
                       const CanaryConfig& plan, Moment now) {
  switch (request.order) {
    case RolloutOrder::rollback:
      // Once more is no mistake: whoever repeats it gets what was asked for.
      return state.phase == Phase::rolled_back ? stay(state) : roll_back(state, kByHand, now);
    case RolloutOrder::pause:
      return pause(state, plan, now);
    case RolloutOrder::resume:
      return resume(state, request.evidence, plan, now);
    case RolloutOrder::promote:
      return promote(state, request, plan, now);
  }
  return stay(state);
}

// The config wins where it lowers a share, and never raises one: the rollout goes on at the highest
// stage of the new plan that serves no more than was served.
RolloutStep on_replanned(const RolloutState& state, const RolloutReplanned& event,
                         const CanaryConfig& plan, Moment now) {
  if (state.phase == Phase::rolled_back && !event.new_canary) return stay(state);
  const bool lifted = state.phase == Phase::rolled_back;
  if (lifted || event.new_candidate || plan.stages.empty())
    return {.state = begin_anew(state, plan, now)};
  const auto beyond = std::ranges::find_if(
      plan.stages, [&](const RolloutStage& stage) { return stage.percent > event.served; });
  const auto stage = static_cast<std::size_t>(beyond - plan.stages.begin());
  if (stage == 0) return {.state = begin_anew(state, plan, now)};
  const Phase phase = state.phase == Phase::paused ? Phase::paused : Phase::baking;
  return begin_stage(state, stage, phase, now);
}

// What a person last said of pausing to any of them, they said to all.
RolloutStep follow_pause(RolloutStep step, const RolloutFleet& fleet, const CanaryConfig& plan,
                         Moment now) {
  const RolloutState& state = step.state;
  if (plan.stages.empty() || state.phase == Phase::complete) return step;
  const Moment paused = fleet.paused.value_or(Moment{});
  const Moment resumed = fleet.resumed.value_or(Moment{});
  if (state.phase == Phase::paused) {
    if (resumed <= std::max(paused, state.paused)) return step;
    return end_pause(state, resumed, now);
  }
  if (paused <= std::max(resumed, state.resumed)) return step;
  RolloutStep held = enter(state, Phase::paused, now);
  held.state.paused = paused;
  held.state.reason = kByFleet;
  held.stage_begun = step.stage_begun;
  return held;
}

// The evidence that the others went on by is this proxy's, too. Who is paused stays; who is there
// already goes on by itself.
RolloutStep on_fleet(const RolloutState& state, const RolloutFleet& fleet, const CanaryConfig& plan,
                     Moment now) {
  if (state.phase == Phase::rolled_back) return stay(state);
  if (fleet.rolled_back && *fleet.rolled_back > state.lifted)
    return roll_back(state, kByFleet, *fleet.rolled_back);
  const std::size_t reached = std::min(fleet.stage, fleet.fits_up_to);
  // A stage from before is one that the rollback has not reached yet.
  const bool behind = reached > state.stage && fleet.stage <= plan.stages.size() &&
                      fleet.stage_since > state.lifted;
  RolloutStep step = stay(state);
  if (behind && state.phase != Phase::paused) {
    step = begin_stage(state, reached, Phase::baking, now);
    step.state.stage_since = std::min(fleet.stage_since, now);
  }
  return follow_pause(std::move(step), fleet, plan, now);
}

}  // namespace

std::string_view label(RolloutPhase phase) noexcept {
  constexpr std::array<std::string_view, 7> kLabels{"pending", "baking",   "advancing",  "holding",
                                                    "paused",  "complete", "rolled_back"};
  return kLabels[static_cast<std::size_t>(phase)];
}

std::string_view label(RolloutOrder order) noexcept {
  constexpr std::array<std::string_view, 4> kLabels{"rollback", "pause", "resume", "promote"};
  return kLabels[static_cast<std::size_t>(order)];
}

std::optional<RolloutOrder> order_from_name(std::string_view name) noexcept {
  for (const RolloutOrder order :
       {RolloutOrder::rollback, RolloutOrder::pause, RolloutOrder::resume, RolloutOrder::promote}) {
    if (label(order) == name) return order;
  }
  return std::nullopt;
}

RolloutState first_state(const CanaryConfig& plan, Moment now) {
  return {.phase = plan.stages.empty() ? Phase::complete : Phase::pending,
          .stage = 0,
          .since = now,
          .stage_since = now};
}

Percent share_of(const RolloutState& state, const CanaryConfig& plan) noexcept {
  if (state.phase == Phase::rolled_back) return {};
  if (plan.stages.empty()) return plan.percent;
  if (state.stage == 0) return {};
  return plan.stages[std::min(state.stage, plan.stages.size()) - 1].percent;
}

bool is_watched(const RolloutState& state, const CanaryConfig& plan, Moment now) noexcept {
  if (share_of(state, plan) == Percent{}) return false;
  const bool over =
      state.phase == Phase::complete && !plan.stages.empty() && now - state.since > plan.watch;
  return !over;
}

const RolloutGates* gates_in(const RolloutState& state, const CanaryConfig& plan) noexcept {
  const bool in_stage =
      state.phase != Phase::complete && state.stage > 0 && state.stage <= plan.stages.size();
  if (in_stage && plan.stages[state.stage - 1].gates) return &*plan.stages[state.stage - 1].gates;
  return plan.gates ? &*plan.gates : nullptr;
}

RolloutStep transition(const RolloutState& state, const RolloutEvent& event,
                       const CanaryConfig& plan, Moment now) {
  struct Visit {
    const RolloutState& state;
    const CanaryConfig& plan;
    Moment now;
    RolloutStep operator()(const RolloutTick& tick) const {
      return on_tick(state, tick, plan, now);
    }
    RolloutStep operator()(const RolloutRequest& request) const {
      return on_request(state, request, plan, now);
    }
    RolloutStep operator()(const RolloutReplanned& change) const {
      return on_replanned(state, change, plan, now);
    }
    RolloutStep operator()(const RolloutFleet& fleet) const {
      return on_fleet(state, fleet, plan, now);
    }
  };
  return std::visit(Visit{state, plan, now}, event);
}

}  // namespace understudy::routing

#include "proxy/rollout_keeper.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "proxy/fleet_reading.h"
#include "proxy/log.h"
#include "routing/config_values.h"

namespace understudy::proxy {

using routing::CanaryConfig;
using routing::EvidenceSays;
using routing::LiveShare;
using routing::Moment;
using routing::Percent;
using routing::RolloutOrder;
using routing::RolloutPhase;
using routing::RolloutState;
using routing::RolloutStep;

namespace {

EvidenceSays says(metrics::VerdictState verdict, const routing::RolloutGates* gates) {
  using Rule = routing::RolloutGates::Evidence;
  const Rule rule = gates != nullptr ? gates->evidence : Rule::off;
  switch (verdict) {
    case metrics::VerdictState::safe_to_promote:
      return EvidenceSays::safe;
    case metrics::VerdictState::keep_shadowing:
      return EvidenceSays::inconclusive;
    case metrics::VerdictState::fix_first:
      return rule == Rule::fix_first ? EvidenceSays::roll_back : EvidenceSays::against;
    case metrics::VerdictState::roll_back:
      return rule == Rule::off ? EvidenceSays::against : EvidenceSays::roll_back;
  }
  return EvidenceSays::inconclusive;
}

std::string utc_text(Moment moment) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(moment);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

void show(const RolloutState& state, const routing::CanaryConfig& plan, LiveShare& share) {
  if (state.phase == RolloutPhase::rolled_back) {
    share.withdraw();
  } else {
    share.set(share_of(state, plan));
  }
}

std::size_t count_known(const OperationalGates::Baselines& baselines) {
  return static_cast<std::size_t>(std::count_if(baselines.begin(), baselines.end(),
                                                [](const auto& one) { return one.has_value(); }));
}

// The rest of a sentence that begins with the phase.
std::string why(const RolloutState& state, const std::string& verdict_text,
                const OperationalGates& gates, const DriftWatch* drift) {
  const bool paused_by_fleet =
      state.phase == RolloutPhase::paused && state.reason == routing::kByFleet;
  if (paused_by_fleet) return " because another proxy of the fleet was";
  if (state.phase != RolloutPhase::rolled_back) return {};
  if (state.reason == routing::kByHand) return " by hand";
  if (state.reason == routing::kByFleet) return " because another proxy of the fleet was";
  if (state.reason == routing::kByEvidence) return " by the evidence: " + verdict_text;
  if (state.reason == routing::kByDrift && drift != nullptr) return " by drift: " + drift->text();
  for (const routing::OperationalGate gate : routing::kOperationalGates) {
    if (label(gate) == state.reason) return " by a gate: " + gates.check(gate).text;
  }
  return " because of " + state.reason;
}

}  // namespace

std::string cap_text(std::string_view route, const RolloutState& state) {
  if (state.phase != RolloutPhase::rolled_back) return {};
  return "rolled back (" + state.reason + ") on " + utc_text(state.since) +
         ": the candidate serves nothing, also after reloads and restarts, until `understudy "
         "resume " +
         std::string(route) + "` or until this route's canary section changes";
}

// --- Reloads

// Without the lock: a disk that hangs holds up this reload, and nothing else.
RolloutKeeper::Stored RolloutKeeper::load_new_routes(const routing::Config& config) {
  std::vector<std::string> names;
  std::unique_lock lock(mutex_);
  if (entries_.empty()) files_ = RolloutFiles(writer_, config.state_directory);
  for (const routing::RouteConfig& route : config.routes) {
    if (route.candidate && !entries_.contains(route.name)) names.push_back(route.name);
  }
  const RolloutFiles files = files_;
  lock.unlock();
  Stored stored;
  for (const std::string& name : names) stored.emplace(name, files.load(name));
  return stored;
}

RolloutKeeper::Entry RolloutKeeper::first_entry(const routing::RouteConfig& route,
                                                RolloutIdentity identity,
                                                const RolloutFiles::Loaded& loaded) const {
  Entry entry{.plan = route.canary,
              .identity = identity,
              .state = first_state(route.canary, now_()),
              .share = std::make_shared<LiveShare>(route.canary.first_share())};
  if (!loaded.problem.empty()) {
    log_warn("rollout_not_loaded", {{"route", route.name}, {"what", loaded.problem}});
    entry.state = {.phase = RolloutPhase::rolled_back,
                   .since = now_(),
                   .stage_since = now_(),
                   .reason = std::string(kStateUnreadable)};
    entry.share->withdraw();
    entry.damaged = true;
  }
  if (!loaded.rollout) return entry;
  const StoredRollout& stored = *loaded.rollout;
  entry.identity = stored.identity;
  entry.state = stored.state;
  entry.state.stage = std::min(stored.state.stage, route.canary.stages.size());
  entry.pairs_before = stored.pairs_before;
  entry.gates.restore(stored.baselines);
  Entry next = replanned(entry, stored.served, route, std::move(identity), true);
  show(next.state, next.plan, *next.share);
  return next;
}

// What becomes of a rollout under a config. Keeps its word where its plan is the same.
RolloutKeeper::Entry RolloutKeeper::replanned(const Entry& before, Percent served,
                                              const routing::RouteConfig& route,
                                              RolloutIdentity identity, bool may_lift) const {
  const RolloutIdentity& old = before.identity;
  const bool new_canary = may_lift && old.canary != identity.canary;
  const bool new_candidate = old.experiment != identity.experiment;
  const bool lifted = new_canary && before.state.phase == RolloutPhase::rolled_back;
  const bool same = old.plan == identity.plan && !new_candidate && !lifted;
  Entry next = before;
  next.plan = route.canary;
  next.identity = std::move(identity);
  if (same) return next;
  next.state =
      transition(before.state,
                 routing::RolloutReplanned{
                     .served = served, .new_candidate = new_candidate, .new_canary = new_canary},
                 route.canary, now_())
          .state;
  next.gates.restart();
  if (new_candidate) {  // or another primary: nothing of before says anything
    next.pairs.reset();
    next.gates = {};
    next.drift.reset();
    next.evidence = EvidenceSays::inconclusive;
    next.verdict_text.clear();
  }
  next.pairs_before = next.pairs;
  next.share = std::make_shared<LiveShare>(Percent{});
  show(next.state, next.plan, *next.share);
  return next;
}

routing::LiveShares RolloutKeeper::shares_for(const routing::Config& config) {
  const Stored stored = load_new_routes(config);
  const std::lock_guard lock(mutex_);
  prepared_.clear();
  routing::LiveShares shares;
  for (const routing::RouteConfig& route : config.routes) {
    if (!route.candidate) {
      shares.push_back(nullptr);
      continue;
    }
    RolloutIdentity identity = identity_of(config, route);
    const auto known = entries_.find(route.name);
    Entry entry = known == entries_.end()
                      ? first_entry(route, std::move(identity), stored.at(route.name))
                      : replanned(known->second, share_of(known->second.state, known->second.plan),
                                  route, std::move(identity), true);
    shares.push_back(entry.share);
    prepared_.insert_or_assign(route.name, Prepared{std::move(entry)});
  }
  return shares;
}

// Without the lock, as load_new_routes(): reloads run one after the other.
void RolloutKeeper::keep_damaged(const RolloutFiles& files) {
  std::vector<std::string> damaged;
  std::unique_lock lock(mutex_);
  for (auto& [route, prepared] : prepared_) {
    if (std::exchange(prepared.entry.damaged, false)) damaged.push_back(route);
  }
  lock.unlock();
  for (const std::string& route : damaged) files.keep_damaged(route);
}

void RolloutKeeper::applied(const routing::Config& config) {
  const RolloutFiles files(writer_, config.state_directory);
  keep_damaged(files);
  const std::lock_guard lock(mutex_);
  if (files.directory() != files_.directory()) {
    for (const auto& [route, entry] : entries_) files_.forget(route);
  }
  files_ = files;
  std::map<std::string, Entry, std::less<>> next;
  for (const routing::RouteConfig& route : config.routes) {
    const auto prepared = prepared_.find(route.name);
    if (prepared == prepared_.end()) continue;
    Entry& made = prepared->second.entry;
    const auto known = entries_.find(route.name);
    if (known != entries_.end()) {
      // The state may have moved since it was prepared; the word is the one that is in force now.
      const Entry& before = known->second;
      Entry now = replanned(before, share_of(before.state, before.plan), route, made.identity,
                            !prepared->second.capped);
      now.share = made.share;
      made = std::move(now);
    }
    show(made.state, made.plan, *made.share);
    save(route.name, made);
    const bool moved = known == entries_.end() ? made.state.phase == RolloutPhase::rolled_back
                                               : known->second.state != made.state;
    if (moved)
      tell(route.name, made,
           known == entries_.end() ? made.state.phase : known->second.state.phase);
    next.insert_or_assign(route.name, std::move(made));
  }
  entries_ = std::move(next);
  prepared_.clear();
}

// A config that is being built meanwhile must not bring back what was just taken away.
void RolloutKeeper::cap_prepared(const std::string& route) {
  const auto prepared = prepared_.find(route);
  if (prepared == prepared_.end()) return;
  prepared->second.capped = true;
  prepared->second.entry.share->withdraw();
}

// --- Looks and orders

std::vector<std::string> RolloutKeeper::watched_routes(bool all) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (all || entry.plan.gates) names.push_back(name);
  }
  return names;
}

void RolloutKeeper::look(const Look& look, bool in_fleet) {
  for (const std::string& route : watched_routes(in_fleet)) {
    const RouteLook seen = look(route);
    begin_watch(route);
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(route);
    if (found != entries_.end()) take_look(route, found->second, seen);
  }
}

void RolloutKeeper::take_look(const std::string& route, Entry& entry, const RouteLook& seen) {
  // Taken before another candidate came into force: it says nothing about that one.
  if (!seen.experiment.empty() && seen.experiment != entry.identity.experiment) return;
  if (seen.pairs) take_pairs(route, entry, *seen.pairs);
  entry.verdict_text = seen.verdict_text;
  entry.no_room = seen.no_room;
  const Moment now = now_();
  follow_fleet(route, entry, seen, now);
  const routing::RolloutGates* gates = gates_in(entry.state, entry.plan);
  entry.evidence = says(seen.verdict, gates);
  // Where the gates do not ask for it, it counts as open.
  const bool only_told = gates != nullptr && gates->way_back == routing::RolloutGates::WayBack::off;
  entry.no_way_back = only_told ? std::string() : seen.no_way_back;
  if (gates != nullptr && is_watched(entry.state, entry.plan, now))
    entry.gates.look(*gates, seen.primary, seen.candidate, now);
  // What only this process knows would be missed where the primary serves nobody any more.
  if (count_known(entry.gates.baselines()) != entry.baselines_stored) save(route, entry);
  const routing::RolloutTick tick{.evidence = entry.evidence,
                                  .pairs = entry.stage_pairs(),
                                  .gates_pass = entry.gates.pass(),
                                  .next_fits = entry.next_no_room().empty(),
                                  .way_back = entry.no_way_back.empty(),
                                  .broken_gate = entry.gates.broken(),
                                  .drift_rolls_back = look_for_drift(route, entry, seen, now)};
  take_step(route, entry, transition(entry.state, tick, entry.plan, now));
  tell_hold(route, entry);
}

std::size_t RolloutKeeper::Entry::fits_up_to() const {
  std::size_t stage = state.stage;
  while (stage < no_room.size() && no_room[stage].empty()) ++stage;
  return stage < no_room.size() ? stage : plan.stages.size();
}

std::vector<RolloutHold> RolloutKeeper::Entry::holds() const {
  std::vector<RolloutHold> all;
  for (const routing::OperationalGate gate : routing::kOperationalGates) {
    const GateCheck& check = gates.check(gate);
    if (state.stage > 0 && check.state == GateCheck::State::fails)
      all.push_back({std::string(label(gate)), "gate " + check.text});
  }
  if (state.stage >= plan.stages.size()) return all;  // nothing more would be served
  if (!no_way_back.empty()) all.push_back({"way_back", "way back: " + no_way_back});
  if (const std::string full = next_no_room(); !full.empty())
    all.push_back({"volume", "volume: " + full});
  return all;
}

void RolloutKeeper::follow_fleet(const std::string& route, Entry& entry, const RouteLook& seen,
                                 Moment now) {
  // A reload may have changed the plan since it was looked.
  const bool is_ours =
      seen.fleet_identity == fleet_identity(entry.identity.experiment, entry.identity.canary);
  if (seen.fleet && is_ours) {
    routing::RolloutFleet fleet = *seen.fleet;
    fleet.fits_up_to = entry.fits_up_to();
    take_step(route, entry, transition(entry.state, fleet, entry.plan, now));
  }
  // Sums that were read before a step are of the stage that it left.
  entry.fleet_pairs.reset();
  if (!seen.fleet_identity.empty())
    entry.fleet_pairs = is_ours && seen.fleet_stage == entry.state.stage ? seen.stage_pairs : 0;
}

void RolloutKeeper::take_pairs(const std::string& route, Entry& entry, std::uint64_t pairs) {
  const bool first = !entry.pairs_before;
  entry.pairs = pairs;
  entry.pairs_before = std::min(entry.pairs_before.value_or(pairs), pairs);
  if (first) save(route, entry);
}

namespace {

bool is_watched_for_drift(const CanaryConfig& plan, const RolloutState& state) {
  return plan.gates && plan.gates->drift != routing::RolloutGates::Drift::off &&
         !plan.stages.empty() && !state.watch_over;
}

}  // namespace

// Without the lock while what it knows is read. Nobody else makes one.
void RolloutKeeper::begin_watch(const std::string& route) {
  std::unique_lock lock(mutex_);
  const auto entry = [&, this]() -> Entry* {
    const auto found = entries_.find(route);
    const bool wants_one = found != entries_.end() && !found->second.drift &&
                           is_watched_for_drift(found->second.plan, found->second.state);
    return wants_one ? &found->second : nullptr;
  };
  const Entry* const before = entry();
  if (before == nullptr) return;
  const std::string experiment = before->identity.experiment;
  const std::filesystem::path directory = files_.directory();
  lock.unlock();
  auto made = std::make_shared<DriftWatch>(route, experiment, directory, writer_);
  lock.lock();
  Entry* const now = entry();
  if (now != nullptr && now->identity.experiment == experiment) now->drift = std::move(made);
}

// True where the candidate got worse than its rollout and the gates say that this rolls back.
bool RolloutKeeper::look_for_drift(const std::string& route, Entry& entry, const RouteLook& seen,
                                   Moment now) {
  if (!entry.drift || !is_watched_for_drift(entry.plan, entry.state)) return false;
  const DriftWatch::Look look{.phase = entry.state.phase,
                              .complete_since = entry.state.since,
                              .evidence = seen.evidence.get(),
                              .rules = seen.rules,
                              .candidate = seen.candidate};
  for (const std::string& finding : entry.drift->look(look, now)) {
    events_.publish({.kind = "drift",
                     .route = route,
                     .text = "the candidate of " + route + " drifts: " + finding,
                     .warning = true});
  }
  return entry.plan.gates->drift == routing::RolloutGates::Drift::roll_back &&
         entry.drift->drifts();
}

OrderAnswer RolloutKeeper::order(std::string_view route, RolloutOrder order) {
  std::unique_lock lock(mutex_);
  OrderAnswer answer = carry_out(route, order);
  const RolloutFiles files = files_;
  lock.unlock();
  if (answer.result != OrderAnswer::Result::done) return answer;
  if (const std::string problem = files.problem_after_try(route); !problem.empty())
    answer.text += "; it is not stored, so that a restart forgets it: " + problem;
  return answer;
}

OrderAnswer RolloutKeeper::carry_out(std::string_view route, RolloutOrder order) {
  const auto found = entries_.find(route);
  if (found == entries_.end()) {
    return {OrderAnswer::Result::no_route,
            "there is no route with a candidate called " + std::string(route)};
  }
  Entry& entry = found->second;
  const routing::RolloutRequest request{
      .order = order, .evidence = entry.evidence, .no_room = entry.next_no_room()};
  RolloutStep step = transition(entry.state, request, entry.plan, now_());
  if (!step.refusal.empty()) return {OrderAnswer::Result::refused, std::move(step.refusal)};
  take_step(found->first, entry, std::move(step));
  std::string text = "route " + found->first + " is " + std::string(label(entry.state.phase)) +
                     "; the candidate serves " + percent_text(share_of(entry.state, entry.plan)) +
                     " %";
  if (const std::string cap = cap_text(route, entry.state); !cap.empty()) text += "; " + cap;
  return {OrderAnswer::Result::done, std::move(text)};
}

void RolloutKeeper::take_step(const std::string& route, Entry& entry, RolloutStep step) {
  if (step.state == entry.state) return;
  const RolloutPhase before = entry.state.phase;
  const routing::RolloutGates* gates_before = gates_in(entry.state, entry.plan);
  const bool only_watch = before == step.state.phase && before == RolloutPhase::complete;
  entry.state = std::move(step.state);
  // First of all: what begins after this line follows it.
  show(entry.state, entry.plan, *entry.share);
  if (entry.state.phase == RolloutPhase::rolled_back) {
    cap_prepared(route);
    ++rollbacks_[{route, entry.state.reason}];
  }
  if (step.stage_begun) {
    entry.pairs_before = entry.pairs;
    if (entry.fleet_pairs) entry.fleet_pairs = 0;
  }
  save(route, entry);
  if (only_watch) {
    tell_watch(route, entry);
  } else {
    tell(route, entry, before);
  }
  const bool other_gates = gates_in(entry.state, entry.plan) != gates_before;
  if (step.stage_begun || other_gates || before == RolloutPhase::rolled_back) entry.gates.restart();
}

void RolloutKeeper::save(const std::string& route, Entry& entry) {
  const OperationalGates::Baselines baselines = entry.gates.baselines();
  entry.baselines_stored = count_known(baselines);
  files_.save(route, {.identity = entry.identity,
                      .state = entry.state,
                      .served = share_of(entry.state, entry.plan),
                      .pairs_before = entry.pairs_before,
                      .baselines = baselines});
}

void RolloutKeeper::tell(const std::string& route, const Entry& entry, RolloutPhase before) {
  const RolloutState& state = entry.state;
  const std::string served = percent_text(share_of(state, entry.plan));
  const std::string reason = why(state, entry.verdict_text, entry.gates, entry.drift.get());
  std::string text = "rollout of " + route + ": " + std::string(label(before)) + " -> " +
                     std::string(label(state.phase)) + reason + "; the candidate serves " + served +
                     " %";
  if (const std::string cap = cap_text(route, state); !cap.empty()) text += "; " + cap;
  events_.publish({.kind = "rollout",
                   .route = route,
                   .text = std::move(text),
                   .facts = {{"from", std::string(label(before))},
                             {"to", std::string(label(state.phase))},
                             {"stage", std::to_string(state.stage)},
                             {"percent", served},
                             {"reason", state.reason}},
                   .warning = state.phase == RolloutPhase::rolled_back});
}

// The first thing that holds a rollout which has the evidence, the time and the pairs; said when it
// becomes another one. Its figures change with every look.
void RolloutKeeper::tell_hold(const std::string& route, Entry& entry) {
  const RolloutState& state = entry.state;
  const bool is_due =
      entry.evidence == EvidenceSays::safe &&
      (state.phase == RolloutPhase::pending || state.phase == RolloutPhase::holding);
  const std::vector<RolloutHold> holds = is_due ? entry.holds() : std::vector<RolloutHold>();
  const std::string reason = holds.empty() ? "" : holds.front().reason;
  if (std::exchange(entry.told_hold, reason) == reason || reason.empty()) return;
  events_.publish({.kind = "rollout",
                   .route = route,
                   .text = "rollout of " + route + " is held: " + holds.front().text,
                   .facts = {{"stage", std::to_string(state.stage)},
                             {"percent", percent_text(share_of(state, entry.plan))},
                             {"reason", reason}},
                   .warning = true});
}

void RolloutKeeper::tell_watch(const std::string& route, const Entry& entry) {
  const bool over = entry.state.watch_over;
  std::string text = "the watch over the rollout of " + route;
  text += over ? " is over after " + routing::duration_text(entry.plan.watch) : " goes on";
  if (over && entry.drift) {
    const auto drift = entry.drift->view();
    std::string signals;
    for (const std::string& signal : drift ? drift->drifting : std::vector<std::string>{})
      signals.append(signals.empty() ? "" : ", ").append(signal);
    text += signals.empty() ? "; nothing drifted" : "; what drifted: " + signals;
  }
  text += "; the candidate serves " + percent_text(share_of(entry.state, entry.plan)) + " %";
  events_.publish({.kind = "rollout",
                   .route = route,
                   .text = std::move(text),
                   .facts = {{"to", std::string(label(entry.state.phase))},
                             {"watch", over ? "over" : "goes on"}}});
}

// --- What is told

std::optional<RolloutView> RolloutKeeper::view(std::string_view route) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(route);
  if (found == entries_.end()) return std::nullopt;
  const Entry& entry = found->second;
  RolloutView view{.plan = entry.plan,
                   .identity = entry.identity,
                   .state = entry.state,
                   .served = share_of(entry.state, entry.plan),
                   .pairs = entry.stage_pairs(),
                   .evidence = entry.evidence,
                   .verdict_text = entry.verdict_text,
                   .holds = entry.holds(),
                   .gates = {},
                   .cap = cap_text(route, entry.state),
                   .storage_problem = files_.problem(route),
                   .drift = entry.drift ? entry.drift->view() : std::nullopt};
  if (!files_.keeps())
    view.storage_problem = "the config names no state.directory: a restart forgets it";
  const routing::RolloutGates* gates = gates_in(entry.state, entry.plan);
  if (gates == nullptr) return view;
  for (const routing::OperationalGate gate : routing::kOperationalGates) {
    GateCheck check = entry.gates.check(gate);
    const bool on = gates->operational[static_cast<std::size_t>(gate)].has_value();
    if (on && check.state == GateCheck::State::off) check.state = GateCheck::State::waiting;
    view.gates.emplace_back(gate, std::move(check));
  }
  return view;
}

std::vector<RolloutKeeper::Rollbacks> RolloutKeeper::rollbacks() const {
  const std::lock_guard lock(mutex_);
  std::vector<Rollbacks> all;
  for (const auto& [key, count] : rollbacks_) all.push_back({key.first, key.second, count});
  return all;
}

}  // namespace understudy::proxy

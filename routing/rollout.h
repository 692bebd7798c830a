#pragma once
// The staged rollout as a pure state machine: what becomes of a route's state when something
// happens. It knows no clock, no traffic and no file: the keeper (proxy/rollout_keeper) brings the
// events and carries out what follows. Values only; any thread.
//
// A stage is left for the next one when its time and pairs are there, the evidence says safe and no
// gate fails, in two looks in a row (`advancing` lies between them). What is inconclusive holds,
// and so does a next stage for which the candidate has no room, or before which the way back is
// closed. A broken gate, bad evidence or a person rolls back; only a person, or another canary
// section, leads out of that. In a fleet a rollback of one is one of all, and so is a pause and its
// end; who is behind joins the stage that the others have reached.
//
// Joining is held to what a promote is held to: it goes no further than this proxy's own part of
// the candidate's quota has room, and on when there is. Beyond it the candidate would be throttled
// here, fall back, break a gate, and that takes the whole fleet back; a proxy that stays behind
// only costs the conversations that it serves by the primary.
//
// What of the others' is news, and what is past, is decided by stamps of each proxy's own clock:
// - A person who resumes a rollback stamps `lifted`, now, or the rollback's own moment where that
//   clock was ahead. Rollbacks and stages from before are past. That person saw them, or was a
//   scrape too early: it is the others' states that are resumed one by one, so that none is missed.
// - Another canary section stamps nothing. What the others tell is told of one section only, so
//   that all of it is of the new one; and a proxy that was down takes that section long after the
//   fleet did, which may have rolled back or paused in it since: none of that is past.
// - A pause and its end are orders to the whole fleet, and the later one holds. So neither is
//   stamped but by the person who gave it, a millisecond behind what it ends at least. A resumed
//   rollback is no such order. It only ends the pause in which it found this very proxy, and is
//   stamped the smallest step behind that: the others may still tell of it, and would pause this
//   one again. A pause that was ordered elsewhere since is later, and goes on.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "routing/canary_config.h"

namespace understudy::routing {

using Moment = std::chrono::system_clock::time_point;

enum class RolloutPhase : std::uint8_t {
  pending,    // before the first stage: nothing is served until the shadow evidence says safe
  baking,     // a stage's time or pairs are not there yet
  advancing,  // all of it is there: the next look goes on
  holding,    // the evidence is inconclusive, or a gate fails
  paused,     // by a person; gates go on
  complete,   // the last stage has been passed (or: a plain percent is served)
  rolled_back
};
std::string_view label(RolloutPhase phase) noexcept;

// Why a route was rolled back: a metric label. An operational gate's own label beside these.
inline constexpr std::string_view kByHand = "manual";
inline constexpr std::string_view kByEvidence = "evidence";
inline constexpr std::string_view kByDrift = "drift";
inline constexpr std::string_view kByFleet = "fleet";  // another proxy was rolled back

struct RolloutState {
  RolloutPhase phase = RolloutPhase::pending;
  std::size_t stage = 0;    // 0: none yet; n: CanaryConfig::stages[n - 1]
  Moment since{};           // in this phase
  Moment stage_since{};     // in this stage
  std::string reason{};     // where it is rolled back, or paused by the fleet
  bool watch_over = false;  // complete, and nobody looks any more
  Moment lifted{};          // a person led out of a rollback then; older ones of the fleet are past
  // When a person last paused it and last ended a pause, here or elsewhere in the fleet: the later
  // one holds. Whole milliseconds, as they are told to others.
  Moment paused{}, resumed{};
  friend bool operator==(const RolloutState&, const RolloutState&) = default;
};

// How a route begins that nothing is known of.
RolloutState first_state(const CanaryConfig& plan, Moment now);
// What the candidate serves in that state.
Percent share_of(const RolloutState& state, const CanaryConfig& plan) noexcept;
// Whether gates may roll back: something is served, and the watch is not over.
bool is_watched(const RolloutState& state, const CanaryConfig& plan, Moment now) noexcept;
// By which gates: the stage's, or the route's; null where there are none.
const RolloutGates* gates_in(const RolloutState& state, const CanaryConfig& plan) noexcept;

// --- What happens

enum class EvidenceSays : std::uint8_t {
  inconclusive,
  safe,
  against,   // holds
  roll_back  // as the gate's config has it
};

// A look at how things are, every second or so.
struct RolloutTick {
  EvidenceSays evidence = EvidenceSays::inconclusive;
  std::uint64_t pairs = 0;  // compared in this stage
  bool gates_pass = false;  // every operational gate that can be judged passes
  bool next_fits = true;    // the next stage asks no more of the candidate than its quota allows
  bool way_back = true;     // a rollback would find a primary that answers
  std::optional<OperationalGate> broken_gate{};
  bool drift_rolls_back = false;  // worse than during the rollout, and the gates say so
};

// What people ask for: the words of commands and of the admin API.
enum class RolloutOrder : std::uint8_t { rollback, pause, resume, promote };
std::string_view label(RolloutOrder order) noexcept;
std::optional<RolloutOrder> order_from_name(std::string_view name) noexcept;

struct RolloutRequest {
  RolloutOrder order = RolloutOrder::rollback;
  EvidenceSays evidence = EvidenceSays::inconclusive;  // at the last look
  // Why the next stage does not fit the candidate's quota; empty: it does.
  std::string no_room{};
};

// The config has another plan: other stages, or another candidate.
struct RolloutReplanned {
  Percent served{};            // before
  bool new_candidate = false;  // the evidence begins anew
  bool new_canary = false;     // the canary section changed: that also lifts a rollback
};

// What the other proxies of the fleet do, of the same experiment and canary section.
struct RolloutFleet {
  std::optional<Moment> rolled_back{};  // the latest rollback that is in force anywhere
  std::size_t stage = 0;                // the furthest
  Moment stage_since{};                 // the earliest that any of them has been in it
  std::optional<Moment> paused{};       // the latest pause that is in force anywhere
  std::optional<Moment> resumed{};      // the latest end of a pause
  // Of this proxy: the furthest stage for which the candidate has room, in all up to it.
  std::size_t fits_up_to = std::numeric_limits<std::size_t>::max();
};

using RolloutEvent = std::variant<RolloutTick, RolloutRequest, RolloutReplanned, RolloutFleet>;

// --- What follows

struct RolloutStep {
  RolloutState state;
  bool stage_begun = false;  // pairs are counted from here
  std::string refusal{};     // why a person's order changed nothing: a clause for people
};

// `plan` is the one in force, after a RolloutReplanned the new one.
RolloutStep transition(const RolloutState& state, const RolloutEvent& event,
                       const CanaryConfig& plan, Moment now);

}  // namespace understudy::routing

#pragma once
// Keeps the rollout of every route: moves its live share, remembers it on disk, obeys people. What
// becomes of a state is decided by routing/rollout; this brings the events and carries out what
// follows. A rollback is one store that all threads read; the line on disk comes behind, by a
// StateWriter, so that a disk that hangs holds nothing up.
//
// Owned by the serve command beside the Server, which it outlives. Any thread.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/verdict.h"
#include "proxy/drift_watch.h"
#include "proxy/events.h"
#include "proxy/operational_gates.h"
#include "proxy/rollout_files.h"
#include "routing/config.h"
#include "routing/live_share.h"
#include "routing/rollout.h"

namespace understudy::proxy {

// A state that cannot be read may have been a rollback: the primary serves until somebody looks.
inline constexpr std::string_view kStateUnreadable = "state_unreadable";

// What a look at a route finds.
struct RouteLook {
  metrics::VerdictState verdict = metrics::VerdictState::keep_shadowing;
  std::string verdict_text{};
  std::optional<std::uint64_t> pairs{};  // of this experiment; none: not known at this moment
  ServedFigures primary{}, candidate{};
  std::vector<std::string> no_room{};  // as canary.stages: why one must not begin (volume_status)
  std::string no_way_back{};           // why a rollback would find no primary that answers
  std::string experiment{};            // whose figures these are; empty: of the one in force
  // For the watch after the rollout; null: not known at this moment.
  std::shared_ptr<const metrics::RouteEvidence> evidence{};
  routing::VerdictConfig rules{};
  // In a fleet, where it is known how that stands: `pairs` are the fleet's, too.
  std::optional<routing::RolloutFleet> fleet{};
  std::string fleet_identity{};  // of the rollout that this is about; empty: there is no fleet
  std::size_t fleet_stage = 0;   // that `stage_pairs` were counted in, by all together
  std::uint64_t stage_pairs = 0;
};

// What keeps a rollout from its next step although the evidence says safe.
struct RolloutHold {
  std::string reason;  // an operational gate's label, "way_back" or "volume"
  std::string text;    // in plain words, with the figures
};

// A rollout as it is told.
struct RolloutView {
  routing::CanaryConfig plan;
  RolloutIdentity identity;  // what the state is of: while a reload goes on, the config before it
  routing::RolloutState state;
  routing::Percent served;  // in force
  std::uint64_t pairs = 0;  // compared in this stage
  routing::EvidenceSays evidence = routing::EvidenceSays::inconclusive;
  std::string verdict_text;
  std::vector<RolloutHold> holds;  // gates, the way back, the volume, in this order
  std::vector<std::pair<routing::OperationalGate, GateCheck>> gates;
  std::string cap;              // why nothing is served, and until when; empty: it is not capped
  std::string storage_problem;  // why a restart would not find it
  std::optional<DriftView> drift{};
};

struct OrderAnswer {
  enum class Result : std::uint8_t { done, refused, no_route };
  Result result = Result::done;
  std::string text;  // a sentence
};

class RolloutKeeper {
 public:
  // Both outlive this.
  RolloutKeeper(EventLog& events, StateWriter& writer,
                std::function<routing::Moment()> now = std::chrono::system_clock::now)
      : events_(events), writer_(writer), now_(std::move(now)), files_(writer) {}

  // --- Reloads, which run one after the other.
  // The shares of a config that may come into force, as RouteTable takes them: words that are in
  // use go on where the plan is the same, others begin at what the plan and the state on disk
  // allow.
  routing::LiveShares shares_for(const routing::Config& config);
  // That config, the last one asked for, is in force now.
  void applied(const routing::Config& config);

  // Moves on. `look` is called without a lock for each route whose plan has gates; in a fleet, for
  // each with a candidate.
  using Look = std::function<RouteLook(const std::string& route)>;
  void look(const Look& look, bool in_fleet = false);

  // Carried out when it returns, and stored, or the answer says that it is not.
  OrderAnswer order(std::string_view route, routing::RolloutOrder order);

  std::optional<RolloutView> view(std::string_view route) const;
  struct Rollbacks {
    std::string route, reason;
    std::uint64_t count = 0;
  };
  std::vector<Rollbacks> rollbacks() const;  // since the process began

 private:
  struct Entry {
    routing::CanaryConfig plan;
    RolloutIdentity identity;
    routing::RolloutState state;
    std::shared_ptr<routing::LiveShare> share;
    // Of the experiment: now, and when the stage began. None: not seen yet; what is seen first
    // after a stage's begin is what it began with.
    std::optional<std::uint64_t> pairs{}, pairs_before{};
    std::optional<std::uint64_t> fleet_pairs{};  // in the stage, as the whole fleet counts them
    OperationalGates gates{};
    std::size_t baselines_stored = 0;
    bool damaged = false;                 // a file is there that cannot be used
    std::shared_ptr<DriftWatch> drift{};  // of a plan with stages, from the first look on
    routing::EvidenceSays evidence = routing::EvidenceSays::inconclusive;
    std::string verdict_text{};
    std::vector<std::string> no_room{};  // as plan.stages; empty: there is room for all
    std::string no_way_back{};           // empty: it is open
    std::string told_hold{};             // RolloutHold::reason; empty: it can go on

    std::string next_no_room() const {
      return state.stage < std::min(plan.stages.size(), no_room.size()) ? no_room[state.stage] : "";
    }
    // A stage that was begun goes on.
    std::size_t fits_up_to() const;
    // As RolloutView::holds: what a look's tick would stop at.
    std::vector<RolloutHold> holds() const;
    std::uint64_t stage_pairs() const noexcept {
      return fleet_pairs.value_or(pairs && pairs_before ? *pairs - *pairs_before : 0);
    }
  };

  using Stored = std::map<std::string, RolloutFiles::Loaded, std::less<>>;
  Stored load_new_routes(const routing::Config& config);
  Entry first_entry(const routing::RouteConfig& route, RolloutIdentity identity,
                    const RolloutFiles::Loaded& loaded) const;
  Entry replanned(const Entry& before, routing::Percent served, const routing::RouteConfig& route,
                  RolloutIdentity identity, bool may_lift) const;
  std::vector<std::string> watched_routes(bool all) const;
  void take_look(const std::string& route, Entry& entry, const RouteLook& seen);
  void follow_fleet(const std::string& route, Entry& entry, const RouteLook& seen,
                    routing::Moment now);
  void take_pairs(const std::string& route, Entry& entry, std::uint64_t pairs);
  bool look_for_drift(const std::string& route, Entry& entry, const RouteLook& seen,
                      routing::Moment now);
  void tell_watch(const std::string& route, const Entry& entry);
  OrderAnswer carry_out(std::string_view route, routing::RolloutOrder order);
  void take_step(const std::string& route, Entry& entry, routing::RolloutStep step);
  void cap_prepared(const std::string& route);
  void keep_damaged(const RolloutFiles& files);
  void begin_watch(const std::string& route);
  void save(const std::string& route, Entry& entry);
  void tell(const std::string& route, const Entry& entry, routing::RolloutPhase before);
  void tell_hold(const std::string& route, Entry& entry);

  EventLog& events_;
  StateWriter& writer_;
  const std::function<routing::Moment()> now_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  RolloutFiles files_;
  std::map<std::string, Entry, std::less<>> entries_;
  struct Prepared {
    Entry entry;
    bool capped = false;  // rolled back since: a config from before does not lift that
  };
  std::map<std::string, Prepared, std::less<>> prepared_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> rollbacks_;
};

// Why a rolled-back route serves nothing, and what ends that.
std::string cap_text(std::string_view route, const routing::RolloutState& state);

}  // namespace understudy::proxy

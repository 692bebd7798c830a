#pragma once
// Reads the fleet's sums back from Prometheus, where evidence.prometheus says so, every
// evidence.interval: first where the others' rollouts stand, as of now; then the evidence
// (proxy/fleet_history.h), as of the last but one multiple of the interval, so that it is settled
// and the same for whoever reads it. What is not answered, or damaged, leaves the last figures
// marked as not fresh: by those nothing is promoted and nothing rolled back.
//
// What the sums alarmed by stands until its gate's threshold is raised, as alarms do: it is kept in
// the state directory, by the experiment, since no sum tells it again.
//
// Owned by the serve command. One thread of its own; reading() and exposition() from any.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/evidence/alarm_watch.h"
#include "metrics/evidence/evidence_files.h"
#include "proxy/fleet_history.h"
#include "proxy/fleet_reading.h"
#include "proxy/periodic.h"
#include "proxy/rollout_status.h"
#include "proxy/snapshot.h"

namespace understudy::proxy {

class FleetWatch {
 public:
  struct Sources {
    std::function<std::shared_ptr<const Snapshot>()> snapshot;  // in force
    RolloutSource rollouts;
    AskPrometheus ask = ask_prometheus;
    std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
  };
  struct Options {
    std::chrono::milliseconds look_every{100};  // whether it is time
    std::string state_directory{};              // where alarms last; empty: they do not
    metrics::StateStore& state = metrics::direct_state_store();
  };
  // `replica`: this one's name among the others. The sources outlive this.
  FleetWatch(Sources sources, std::string replica, Options options);

  // Null where the config asks no Prometheus.
  std::shared_ptr<const FleetReading> reading(std::string_view route) const;
  std::string exposition() const;

 private:
  // Where one replica's rollout stands.
  struct Standing {
    std::optional<routing::Moment> rolled_back{};
    std::size_t stage = 0;
    std::optional<routing::Moment> stage_since{};
    std::optional<routing::Moment> paused{}, resumed{};
  };
  struct Others {
    std::map<std::string, Standing> standings;              // by replica, this one included
    std::map<std::string, std::uint64_t> alarms, coverage;  // by replica
  };
  struct Memory {  // of a route; the thread's
    FleetHistory history;
    metrics::AlarmWatch watch;
    // With all alarms that there were, of this experiment: before a restart and under another
    // `evidence` section as well.
    std::shared_ptr<const metrics::RouteEvidence> evidence{};
    std::string saved_alarms{};  // as they stand in their file; empty: there were none
  };

  void look();
  void read_all(const std::shared_ptr<const Snapshot>& snapshot);
  Status read_route(const Snapshot& snapshot, std::size_t route, const InstantVector& states,
                    FleetReading& reading);
  Status read_sums(const Snapshot& snapshot, std::size_t route, FleetReading& reading);
  routing::RolloutFleet rollout_of(const Others& others) const;
  void count(const Status& read) noexcept;
  Memory& memory(const Snapshot& snapshot, std::size_t route);
  Memory begin(const FleetHistory::Of& of, const routing::VerdictConfig& rules);
  void load_alarms(const FleetHistory::Of& of, Memory& into);
  void judge(Memory& memory, metrics::RouteEvidence evidence);
  void save_alarms(Memory& memory);
  static Others others_of(const InstantVector& states, std::string_view route,
                          std::string_view experiment, std::string_view canary);
  void publish(std::string_view route, FleetReading reading);
  void tell(const std::string& problem);

  const Sources sources_;
  const std::string replica_;
  // The thread's:
  metrics::EvidenceFiles files_;
  std::map<std::string, Memory, std::less<>> memories_;
  std::optional<std::chrono::steady_clock::time_point> read_;
  std::string told_problem_;

  std::atomic<std::uint64_t> good_{0}, away_{0}, damaged_{0}, behind_{0};
  struct Published {
    std::shared_ptr<const FleetReading> reading;
    std::chrono::steady_clock::time_point when{};
  };
  mutable std::mutex mutex_;
  std::map<std::string, Published, std::less<>> published_;  // guarded by mutex_
  Periodic thread_;  // ends after the question under way, which evidence.timeout bounds
};

}  // namespace understudy::proxy

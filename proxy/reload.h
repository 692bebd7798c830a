#pragma once
// Puts a changed config in force, or keeps the old one and says why. All sources of reloads meet
// here: SIGHUP, POST /api/reload and the watch of the file.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "metrics/recorder.h"
#include "proxy/server.h"
#include "proxy/snapshot.h"
#include "routing/config_loader.h"

namespace understudy::proxy {

// The label in logs is the enumerator's spelling.
// `companion`: a file that the config names; `retry`: once more, of what was refused.
enum class ReloadSource : std::uint8_t { signal, request, watch, companion, retry };
std::string_view label(ReloadSource source) noexcept;
std::string_view label(metrics::ReloadResult result) noexcept;

// What a reload needs of the rest of the program. The functions are called by one thread at a time.
struct ReloadSteps {
  std::function<routing::LoadedConfig()> load;
  std::function<SnapshotResult(std::shared_ptr<const routing::Config>)> build;
  std::function<std::shared_ptr<const Snapshot>()> in_force;
  std::function<Status(std::shared_ptr<const Snapshot>)> apply;
  // What came of a reload that was no `unchanged`.
  std::function<void(const ReloadOutcome&)> told = [](const ReloadOutcome&) {};
};

// Any thread may call; reloads run one after the other. Owned by the serve command, outlives its
// callers.
class Reloader {
 public:
  Reloader(ReloadSteps steps, metrics::Recorder& recorder)
      : steps_(std::move(steps)), recorder_(recorder) {}

  // Never throws. A watch's reload of the bytes that are in force is `unchanged`; the other sources
  // mean it: they also pick up credentials, certificates, trust anchors and prices from files that
  // the config names.
  ReloadOutcome reload(ReloadSource source) noexcept;

  struct Last {
    ReloadOutcome outcome;
    ReloadSource source = ReloadSource::watch;
    std::chrono::system_clock::time_point at;
  };
  std::optional<Last> last() const;  // none before the first reload

 private:
  ReloadOutcome attempt(ReloadSource source);
  ReloadOutcome put_in_force(std::shared_ptr<const routing::Config> config);
  void report(const Last& last) noexcept;

  const ReloadSteps steps_;
  metrics::Recorder& recorder_;
  std::mutex one_at_a_time_;
  mutable std::mutex last_mutex_;
  std::optional<Last> last_;  // guarded by last_mutex_
};

}  // namespace understudy::proxy

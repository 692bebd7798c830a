#pragma once
// The running proxy: threads, listeners, shadow work. Owned by the serve command (and
// by integration tests, several in one process). Functions may be called from the thread that made
// it only, unless said otherwise.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "metrics/evidence/evidence.h"
#include "metrics/family_lines.h"
#include "metrics/recorder.h"
#include "metrics/state_file.h"
#include "proxy/credentials.h"
#include "proxy/error.h"
#include "proxy/model_book.h"
#include "proxy/snapshot.h"
#include "routing/config_loader.h"

namespace understudy::proxy {

class ShadowAccount;
class VolumeBook;

struct ReloadOutcome {
  metrics::ReloadResult result = metrics::ReloadResult::refused;
  std::vector<std::string> problems;   // each with file:line:column where it has one
  std::vector<std::string> changes{};  // routing::change_texts(), where it was applied
};

// Whether a change of that setting (routing/settings.h) is one that Server::apply() refuses.
bool needs_restart(std::string_view key) noexcept;

class Server {
 public:
  // Binds every listener and starts all threads. An error names the address or key. Recorder and
  // store outlive the server.
  static Result<std::unique_ptr<Server>> start(std::shared_ptr<const Snapshot> snapshot,
                                               metrics::Recorder& recorder,
                                               metrics::StateStore& store);
  ~Server();  // cuts what is left and joins all threads

  // In the order of Config::listeners; the real ports where the config says 0. Any thread.
  std::vector<std::uint16_t> ports() const;

  // Puts a new snapshot in force in every thread and returns once it is: requests that begin later
  // follow it. Listeners come, go and change while connections on others go on; one that cannot be
  // bound refuses the whole. Thread counts and the admin port cannot change while running: that is
  // a refused reload. Any thread.
  Status apply(std::shared_ptr<const Snapshot> snapshot);
  std::shared_ptr<const Snapshot> snapshot() const;  // any thread

  // Stops accepting, lets exchanges finish for at most `limit`, cuts the shadow work after 5 s of
  // it. Returns true when nothing was cut.
  bool drain(std::chrono::milliseconds limit);

  struct Load {
    std::size_t connections = 0;
    std::size_t request_body_bytes = 0;  // held for the requests under way
    std::size_t shadow_queued = 0;
    std::size_t shadow_in_flight = 0;
    std::size_t analysis_queued = 0;
  };
  Load load() const;  // any thread
  // The newest evidence of a route; null before its first pair. Any thread.
  std::shared_ptr<const metrics::RouteEvidence> evidence(std::string_view route) const;
  // What its mined families are known by: EvidenceBook::family_lines(). Any thread.
  std::shared_ptr<const metrics::FamilyLines::Lines> family_lines(std::string_view route) const;
  // What the copies of a route may use; null for a name that is no route's. Any thread.
  std::shared_ptr<const ShadowAccount> shadow_account(std::string_view route) const;
  // From the next pair on, a rollout's stage of that name is judged by itself, too. Nothing happens
  // where it goes on already.
  void begin_stage(std::string_view route, std::string_view stage);
  // What is known of the models that were asked. Any thread.
  ModelBook& models();
  // The routes' measured peaks, where a candidate's quota asks for them. Any thread.
  VolumeBook& volumes();
  // Looks which families' gates have the evidence they need, where a route copies those less.
  void look_at_families();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy

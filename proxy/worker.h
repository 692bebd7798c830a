#pragma once
// One io thread: its event loop, listening sockets, connections, pools and the snapshot in force.
// Owned by the Server.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "metrics/recorder.h"
#include "proxy/analysis.h"
#include "proxy/rewriter.h"
#include "proxy/shadow_dispatcher.h"
#include "proxy/snapshot.h"

namespace understudy::proxy {

// What all workers share; outlives them.
struct SharedServices {
  metrics::Recorder& recorder;
  Analysis& analysis;
  ShadowDispatcher& dispatcher;
  Rewriter& rewriter;
  std::string instance_id;
  std::atomic<std::size_t> connections{0};      // of clients, open now
  std::atomic<std::size_t> max_connections{0};  // of clients
};

struct WorkerMemory;

class Worker {
 public:
  // `memory` is this worker's and outlives everything that its exchanges handed over.
  Worker(SharedServices& services, WorkerMemory& memory, std::size_t number);
  ~Worker();  // cuts what is left and joins

  // Before start(), in the order of Config::listeners: binds and listens, several workers on the
  // same port. `port` 0 lets the system
  // choose. Returns the port.
  Result<std::uint16_t> listen(const routing::ListenerConfig& listener, std::uint16_t port);
  void start(std::shared_ptr<const Snapshot> snapshot);

  // Any thread. `applied` is called on the worker's thread once the snapshot is in force.
  void apply(std::shared_ptr<const Snapshot> snapshot, std::function<void()> applied);
  // Stops accepting, closes idle connections; the others after their exchange.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy

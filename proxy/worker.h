#pragma once
// One io thread: its event loop, listening sockets, connections, pools and the snapshot in force.
// Owned by the Server.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "metrics/recorder.h"
#include "proxy/analysis.h"
#include "proxy/body_budget.h"
#include "proxy/file_budget.h"
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
  FileBudget files{};
  BodyBudget bodies{};
};

struct WorkerMemory;

// A listening socket that no thread accepts on yet. Closes what nobody took.
class ListeningSocket {
 public:
  ListeningSocket() = default;
  ListeningSocket(int descriptor, std::uint16_t port, bool v6) noexcept
      : descriptor_(descriptor), port_(port), v6_(v6) {}
  ListeningSocket(ListeningSocket&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), port_(other.port_), v6_(other.v6_) {}
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  std::uint16_t port() const noexcept { return port_; }
  bool v6() const noexcept { return v6_; }
  int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_ = -1;
  std::uint16_t port_ = 0;
  bool v6_ = false;
};
// Several sockets share a port (SO_REUSEPORT), one of each worker. The first one lets others in
// only once it listens: where somebody else does, it fails, for two processes on one port would
// each get a part of the clients.
enum class PortUse : std::uint8_t { first, shared };
// Binds and listens. `port` 0 lets the system choose.
Result<ListeningSocket> listen_on(const routing::ListenerConfig& listener, std::uint16_t port,
                                  PortUse use);

// Where a listener of a new config comes from: one that is there, by its place, or a new socket.
using ListenerSource = std::variant<std::size_t, ListeningSocket>;

class Worker {
 public:
  // `memory` is this worker's and outlives everything that its exchanges handed over.
  Worker(SharedServices& services, WorkerMemory& memory, std::size_t number);
  ~Worker();  // cuts what is left and joins

  // `listeners` in the order of Config::listeners, all new.
  void start(std::shared_ptr<const Snapshot> snapshot, std::vector<ListenerSource> listeners);

  // Any thread. `applied` is called on the worker's thread once the snapshot is in force. Listeners
  // that are no source of one any more accept nobody; connections that came in by them, or by one
  // that says something else now, end after their exchange.
  void apply(std::shared_ptr<const Snapshot> snapshot, std::vector<ListenerSource> listeners,
             std::function<void()> applied);
  // Stops accepting, closes idle connections; the others after their exchange.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy

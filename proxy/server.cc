#include "proxy/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <latch>
#include <limits>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "metrics/verdict.h"
#include "proxy/log.h"
#include "proxy/worker.h"
#include "proxy/worker_context.h"

namespace understudy::proxy {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

constexpr milliseconds kShadowDrain{5'000};

std::string make_instance_id() {
  std::random_device device;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id;
  for (int i = 0; i < 16; ++i) id.push_back(kHex[device() & 15]);
  return id;
}

std::size_t io_threads(const routing::Config& config) {
  return config.threads.io > 0 ? config.threads.io
                               : std::max(1u, std::thread::hardware_concurrency());
}

// Three descriptors an exchange: client, primary, candidate. What must stay free serves config,
// records and metrics.
std::size_t affordable_exchanges() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<std::size_t>::max();
  const auto open_files = static_cast<std::size_t>(files.rlim_cur);
  return open_files > 256 + 3 ? (open_files - 256) / 3 : 1;
}

std::size_t connection_cap(const routing::Config& config) {
  return std::min(config.limits.max_connections, affordable_exchanges());
}

// Where the listeners of a config come from, for each worker, and their real ports.
struct Doors {
  std::vector<std::vector<ListenerSource>> by_worker;
  std::vector<std::uint16_t> ports;
};

// The place of a listener on the same address that is not taken yet.
std::optional<std::size_t> same_address(const std::vector<routing::ListenerConfig>& before,
                                        const routing::Address& address,
                                        const std::vector<bool>& taken) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!taken[i] && before[i].address == address) return i;
  }
  return std::nullopt;
}

bool is_every_address(const std::string& host) {
  return host == "0.0.0.0" || host == "::";
}

// Whether a socket of the one takes what comes to the other.
bool overlap(const std::string& host, const std::string& other) {
  const auto bare = [](const std::string& name) {
    return name == "localhost" ? std::string("127.0.0.1") : name;
  };
  return bare(host) == bare(other) || is_every_address(host) || is_every_address(other);
}

bool is_taken_by(const std::vector<routing::ListenerConfig>& listeners,
                 const std::vector<std::uint16_t>& ports, const std::string& host,
                 std::uint16_t port) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i] == port && overlap(listeners[i].address.host, host)) return true;
  }
  return false;
}

// Sockets that are there go on, so that no connection is lost; others are opened, all or none.
// What a listener of ours takes already, the new socket shares: 0.0.0.0 instead of 127.0.0.1, say.
Result<Doors> open_doors(const std::vector<routing::ListenerConfig>& before,
                         const std::vector<std::uint16_t>& ports,
                         const std::vector<routing::ListenerConfig>& after, std::size_t workers) {
  Doors doors{.by_worker = std::vector<std::vector<ListenerSource>>(workers), .ports = {}};
  std::vector<bool> taken(before.size());
  for (const routing::ListenerConfig& listener : after) {
    const auto place = same_address(before, listener.address, taken);
    std::uint16_t port = place ? ports[*place] : listener.address.port;
    if (place) taken[*place] = true;
    const std::string& host = listener.address.host;
    const bool ours =
        is_taken_by(before, ports, host, port) || is_taken_by(after, doors.ports, host, port);
    PortUse use = ours ? PortUse::shared : PortUse::first;
    for (auto& sources : doors.by_worker) {
      if (place) {
        sources.emplace_back(*place);
        continue;
      }
      auto socket = listen_on(listener, port, std::exchange(use, PortUse::shared));
      if (!socket) return socket.error();
      port = socket->port();
      sources.emplace_back(std::move(*socket));
    }
    doors.ports.push_back(port);
  }
  return doors;
}

}  // namespace

bool needs_restart(std::string_view key) noexcept {
  return key.starts_with("threads.") || key.starts_with("admin.") || key == "state.directory";
}

struct Server::Impl {
  Impl(const routing::Config& config, std::size_t workers_wanted, metrics::Recorder& recorder,
       metrics::StateStore& store)
      : worker_memory(workers_wanted),
        analysis(config, recorder, store),
        dispatcher(analysis, recorder, store, shadow_memory, config, instance_id),
        services{.recorder = recorder,
                 .analysis = analysis,
                 .dispatcher = dispatcher,
                 .rewriter = rewriter,
                 .instance_id = instance_id} {
    services.max_connections = connection_cap(config);
    services.files.allow(affordable_exchanges());
    services.bodies.allow(config.limits.max_buffered_body_bytes);
  }

  // In the order in which they must outlive each other: what was captured outlives the analysis,
  // the analysis the shadow thread, both the workers.
  const std::string instance_id = make_instance_id();
  std::vector<WorkerMemory> worker_memory;
  ShadowThreadMemory shadow_memory;
  Analysis analysis;
  ShadowDispatcher dispatcher;
  Rewriter rewriter;
  SharedServices services;
  std::vector<std::unique_ptr<Worker>> workers;

  std::mutex apply_mutex;  // one reload at a time
  mutable std::mutex snapshot_mutex;
  // Guarded by snapshot_mutex:
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<std::uint16_t> ports;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(std::shared_ptr<const Snapshot> snapshot,
                                              metrics::Recorder& recorder,
                                              metrics::StateStore& store) {
  const routing::Config& config = snapshot->config();
  const std::size_t threads = io_threads(config);
  auto impl = std::make_unique<Impl>(config, threads, recorder, store);
  for (std::size_t i = 0; i < threads; ++i) {
    impl->workers.push_back(std::make_unique<Worker>(impl->services, impl->worker_memory[i], i));
  }
  auto doors = open_doors({}, {}, config.listeners, threads);
  if (!doors) return doors.error();
  impl->ports = std::move(doors->ports);
  impl->snapshot = snapshot;
  impl->analysis.in_force(snapshot);
  impl->analysis.models().set_dates(snapshot->lifecycles);
  for (std::size_t i = 0; i < threads; ++i)
    impl->workers[i]->start(snapshot, std::move(doors->by_worker[i]));
  recorder.config_applied(config);
  recorder.certificates(expiries_of(*snapshot));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::vector<std::uint16_t> Server::ports() const {
  const std::lock_guard lock(impl_->snapshot_mutex);
  return impl_->ports;
}

std::shared_ptr<const Snapshot> Server::snapshot() const {
  const std::lock_guard lock(impl_->snapshot_mutex);
  return impl_->snapshot;
}

Status Server::apply(std::shared_ptr<const Snapshot> next) {
  const std::lock_guard one_at_a_time(impl_->apply_mutex);
  const auto before = snapshot();
  const routing::Config& old_config = before->config();
  const routing::Config& config = next->config();
  const auto fixed = [](std::string_view key) {
    return Error{ErrorKind::internal, Side::internal,
                 std::string{key} + ": cannot change while running: restart to change it"};
  };
  if (!(config.threads == old_config.threads)) return fixed("threads");
  if (!(config.admin == old_config.admin)) return fixed("admin");
  // Half of the state would move and the other half stay.
  if (config.state_directory != old_config.state_directory) return fixed("state.directory");

  auto doors = open_doors(old_config.listeners, ports(), config.listeners, impl_->workers.size());
  if (!doors) return doors.error();

  impl_->analysis.apply(config);
  impl_->dispatcher.apply(config);
  impl_->services.max_connections = connection_cap(config);
  impl_->services.bodies.allow(config.limits.max_buffered_body_bytes);
  std::latch applied(static_cast<std::ptrdiff_t>(impl_->workers.size()));
  for (std::size_t i = 0; i < impl_->workers.size(); ++i) {
    impl_->workers[i]->apply(next, std::move(doors->by_worker[i]),
                             [&applied] { applied.count_down(); });
  }
  applied.wait();
  impl_->services.recorder.config_applied(config);
  impl_->services.recorder.certificates(expiries_of(*next));
  impl_->analysis.in_force(next);
  const std::lock_guard lock(impl_->snapshot_mutex);
  impl_->snapshot = std::move(next);
  impl_->ports = std::move(doors->ports);
  return {};
}

bool Server::drain(milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  for (auto& worker : impl_->workers) worker->finish();
  impl_->dispatcher.drain(std::min(limit, kShadowDrain));
  while (impl_->services.connections.load() > 0 && steady_clock::now() < deadline)
    std::this_thread::sleep_for(10ms);
  return impl_->services.connections.load() == 0;
}

std::shared_ptr<const metrics::RouteEvidence> Server::evidence(std::string_view route) const {
  return impl_->analysis.evidence().evidence(route);
}

std::shared_ptr<const metrics::FamilyLines::Lines> Server::family_lines(
    std::string_view route) const {
  return impl_->analysis.evidence().family_lines(route);
}

std::shared_ptr<const ShadowAccount> Server::shadow_account(std::string_view route) const {
  return impl_->dispatcher.known_account(route);
}

void Server::begin_stage(std::string_view route, std::string_view stage) {
  impl_->analysis.begin_stage(route, stage);
}

ModelBook& Server::models() {
  return impl_->analysis.models();
}

VolumeBook& Server::volumes() {
  return impl_->analysis.volumes();
}

void Server::look_at_families() {
  const auto in_force = snapshot();
  for (const routing::RouteConfig& route : in_force->config().routes) {
    if (!route.candidate) continue;
    const auto account = impl_->dispatcher.account(route.name);
    const auto of_route = evidence(route.name);
    const bool thins = route.shadow.settled < routing::kAllTraffic && of_route;
    account->set_settled(thins ? metrics::settled_families(*of_route, route.verdict)
                               : std::set<std::string, std::less<>>());
  }
}

Server::Load Server::load() const {
  return {.connections = impl_->services.connections.load(),
          .request_body_bytes = impl_->services.bodies.held(),
          .shadow_queued = impl_->dispatcher.queued(),
          .shadow_in_flight = impl_->dispatcher.in_flight(),
          .analysis_queued = impl_->analysis.queued()};
}

}  // namespace understudy::proxy

#include "proxy/worker.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <random>
#include <thread>
#include <unordered_map>

#include "proxy/connection.h"
#include "proxy/h2_connection.h"
#include "proxy/log.h"
#include "proxy/socket_options.h"
#include "proxy/tls_handshake.h"

namespace understudy::proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;

namespace {

// Between two tries to accept while the process has no descriptors left; without it the loop would
// spin.
constexpr milliseconds kShortestPause{50};
constexpr milliseconds kLongestPause{1000};

bool out_of_resources(const boost::system::error_code& error) noexcept {
  namespace errc = boost::system::errc;
  return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
         error == errc::no_buffer_space || error == errc::not_enough_memory;
}

bool allow(int descriptor, int option) noexcept {
  const int yes = 1;
  return ::setsockopt(descriptor, SOL_SOCKET, option, &yes, sizeof yes) == 0;
}

struct Listening {
  explicit Listening(tcp::acceptor a) : acceptor(std::move(a)) {}
  tcp::acceptor acceptor;
  std::shared_ptr<ServedListener> served;  // of connections from now on
};

// What a connection came in by may stay the same while certificates and who may come change.
bool says_the_same(routing::ListenerConfig one, routing::ListenerConfig other) {
  if (one.tls.has_value() != other.tls.has_value()) return false;
  one.tls.reset();
  other.tls.reset();
  one.clients = other.clients = {};
  return one == other;
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

struct Worker::Impl {
  Impl(SharedServices& services_, WorkerMemory& memory_, std::size_t number_)
      : services(services_), memory(memory_), number(number_) {
    worker.instance_id = services.instance_id;
    worker.id_state = random_seed();
  }

  void apply(std::shared_ptr<const Snapshot> snapshot, std::vector<ListenerSource> sources) {
    take_listeners(*snapshot, std::move(sources));
    auto next = std::make_shared<WorkerSnapshot>();
    for (const auto& route : snapshot->config().routes) {
      next->accounts.push_back(services.dispatcher.account(route.name));
      next->gone.push_back(services.analysis.models().gone(route.name));
    }
    next->view = pools.apply(std::move(snapshot));
    worker.current = std::move(next);
  }

  void take_listeners(const Snapshot& snapshot, std::vector<ListenerSource> sources) {
    std::vector<std::shared_ptr<Listening>> next;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (const auto* place = std::get_if<std::size_t>(&sources[i])) {
        next.push_back(listeners.at(*place));
      } else {
        next.push_back(begin_listening(std::get<ListeningSocket>(sources[i])));
      }
      serve_by(*next.back(), snapshot.config().listeners[i], snapshot.listeners[i]);
    }
    for (const auto& before : listeners) {
      if (std::find(next.begin(), next.end(), before) != next.end()) continue;
      boost::system::error_code ignored;
      before->acceptor.close(ignored);
      retire(before->served);
    }
    listeners = std::move(next);
  }

  std::shared_ptr<Listening> begin_listening(ListeningSocket& socket) {
    auto listening = std::make_shared<Listening>(tcp::acceptor(context));
    const int descriptor = socket.release();
    boost::system::error_code error;
    listening->acceptor.assign(socket.v6() ? tcp::v6() : tcp::v4(), descriptor, error);
    if (error) {  // the kernel has no memory left for it: other threads may accept
      log_error("listener_failed", {{"why", error.message()}});
      ::close(descriptor);
    } else if (!finishing) {
      spawn(context, accept_loop(listening), [](std::exception_ptr failure) {
        if (failure) log_error("accept_loop_failed");
      });
    }
    return listening;
  }

  void serve_by(Listening& listening, const routing::ListenerConfig& config,
                const ListenerTarget& target) {
    if (!listening.served || !says_the_same(*listening.served, config)) {
      const auto before =
          std::exchange(listening.served, std::make_shared<ServedListener>(ServedListener{config}));
      if (before) retire(before);
    }
    listening.served->target = target;
  }

  void retire(const std::shared_ptr<ServedListener>& served) {
    for_each_connection([&](DownstreamConnection& connection) {
      if (connections.at(&connection) == served) connection.finish();
    });
  }

  Task<void> accept_loop(std::shared_ptr<Listening> listening) {
    milliseconds pause = kShortestPause;
    while (listening->acceptor.is_open()) {
      auto [error, socket] = co_await listening->acceptor.async_accept(kAsTuple);
      if (!error) {
        pause = kShortestPause;
        tcp::socket accepted = std::move(socket);  // clang 14 captures no structured binding
        while_memory_lasts([&] { begin_connection(listening->served, std::move(accepted)); });
      } else if (out_of_resources(error)) {
        log_warn("accept_paused", {{"why", error.message()}});
        services.recorder.refused("accept");
        asio::steady_timer timer(context, pause);
        pause = std::min(kLongestPause, pause * 2);
        co_await timer.async_wait(kAsTuple);
      }
    }
  }

  using Served = std::shared_ptr<ServedListener>;

  // A connection that there is no memory for is closed; listener and thread go on.
  template <typename Begin>
  void while_memory_lasts(Begin begin) noexcept {
    try {
      begin();
    } catch (const std::exception& problem) {
      log_warn("connection_not_begun", {{"why", problem.what()}});
      services.recorder.refused("accept");
    }
  }

  void begin_connection(const Served& served, tcp::socket socket) {
    if (services.connections.load(std::memory_order_relaxed) >=
            services.max_connections.load(std::memory_order_relaxed) ||
        !services.files.has_room()) {
      services.recorder.refused("max_connections");
      return;  // the socket closes with its owner
    }
    set_connection_options(socket.native_handle(),
                           worker.current->snapshot().config().limits.tcp_keep_alive);
    if (const auto& tls = served->target.tls) {
      shake_hands(served, std::make_unique<TlsStream>(resources.sockets, std::move(socket),
                                                      tls->make_session(), tls));
    } else {
      serve_connection(
          served, std::make_unique<Transport>(sweep, resources.sockets, std::move(socket)), {});
    }
  }

  void shake_hands(const Served& served, std::unique_ptr<TlsStream> stream) {
    auto handshake = std::make_shared<TlsHandshake>(
        std::make_unique<Transport>(sweep, std::move(stream)),
        worker.current->snapshot().config().limits.tls_handshake_timeout, services.recorder,
        listener_name(*served));
    auto* begun = handshake.get();
    run_connection(served, std::move(handshake), [this, begun, served] {
      auto transport = begun->take();
      if (!transport) return;
      const std::string_view agreed = transport->protocol();
      serve_connection(served, std::move(transport), agreed);
    });
  }

  // What comes here is connected; TLS has shaken hands. `agreed`: the protocol that ALPN agreed
  // on, "h2" or "http/1.1"; without one the client's first bytes tell.
  void serve_connection(const Served& served, std::unique_ptr<Transport> transport,
                        std::string_view agreed) {
    if (agreed == "h2") {
      return run_connection(
          served, std::make_shared<H2Connection>(worker, *served, std::move(transport)), [] {});
    }
    auto connection =
        std::make_shared<Connection>(worker, *served, std::move(transport), agreed.empty());
    auto* http1 = connection.get();
    run_connection(served, std::move(connection), [this, http1, served] {
      auto start = http1->take_http2();
      if (!start) return;
      run_connection(served,
                     std::make_shared<H2Connection>(worker, *served, std::move(start->transport),
                                                    std::move(start->already_read)),
                     [] {});
    });
  }

  // Calls `then` when it has ended in order; the connection still lives.
  template <typename Then>
  void run_connection(const Served& served, std::shared_ptr<DownstreamConnection> connection,
                      Then then) {
    DownstreamConnection* const begun = connection.get();
    connections.emplace(begun, served);
    services.connections.fetch_add(1, std::memory_order_relaxed);
    services.files.take();
    try {
      if (finishing || is_retired(served)) connection->finish();
      auto running = connection->run();
      spawn(context, std::move(running),
            [this, then, served, connection = std::move(connection)](std::exception_ptr failure) {
              forget(connection.get());
              if (!failure) return while_memory_lasts(then);
              log_error("connection_failed");  // a bug or no memory; it ends with this one
              connection->cut();
            });
    } catch (...) {  // no memory to begin
      forget(begun);
      throw;
    }
  }

  void forget(DownstreamConnection* connection) noexcept {
    connections.erase(connection);
    services.files.give_back();
    services.connections.fetch_sub(1, std::memory_order_relaxed);
  }

  // A handshake may end after its listener did.
  bool is_retired(const Served& served) const {
    return std::none_of(listeners.begin(), listeners.end(),
                        [&](const auto& listening) { return listening->served == served; });
  }

  void finish() {
    finishing = true;
    for (auto& listening : listeners) {
      boost::system::error_code ignored;
      listening->acceptor.close(ignored);
    }
    for_each_connection([](DownstreamConnection& connection) { connection.finish(); });
  }

  void cut() {
    finish();
    for_each_connection([](DownstreamConnection& connection) { connection.cut(); });
    resolver.stop();
    pools.close_idle();
    sweep.stop();
  }

  // Ending one connection may end others' coroutines at once: the set changes while it is walked.
  template <typename Visit>
  void for_each_connection(Visit visit) {
    std::vector<DownstreamConnection*> now;
    now.reserve(connections.size());
    for (const auto& [connection, served] : connections) now.push_back(connection);
    for (DownstreamConnection* connection : now) {
      if (connections.contains(connection)) visit(*connection);
    }
  }

  SharedServices& services;
  WorkerMemory& memory;
  const std::size_t number;

  // The worker's thread only, once it runs.
  // Sockets and timers are this thread's alone, so they need no locks; posting from other threads
  // does and has.
  asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  DeadlineSweep sweep{context};
  PoolTrim trim{sweep, memory.blocks};
  Resolver resolver{context};
  ThreadResources resources{context, sweep, resolver, memory.blocks};
  PoolSet pools{resources};
  Signer signer, verifier;
  ObjectPool<Exchange> exchanges;
  WorkerContext worker{.resources = resources,
                       .memory = memory,
                       .trim = trim,
                       .files = services.files,
                       .bodies = services.bodies,
                       .signer = signer,
                       .verifier = verifier,
                       .recorder = services.recorder,
                       .analysis = services.analysis,
                       .dispatcher = services.dispatcher,
                       .rewriter = services.rewriter,
                       .exchanges = exchanges,
                       .instance_id = {},
                       .current = nullptr};
  std::vector<std::shared_ptr<Listening>> listeners;  // as Config::listeners
  // What they came in by lives as long as they do.
  std::unordered_map<DownstreamConnection*, Served> connections;
  bool finishing = false;
  std::thread thread;
};

Worker::Worker(SharedServices& services, WorkerMemory& memory, std::size_t number)
    : impl_(std::make_unique<Impl>(services, memory, number)) {}

Worker::~Worker() {
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->context, [impl = impl_.get()] { impl->cut(); });
  impl_->thread.join();
}

ListeningSocket::~ListeningSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// Made without an event loop: those of the workers may be touched by their own threads alone.
Result<ListeningSocket> listen_on(const routing::ListenerConfig& listener, std::uint16_t port,
                                  PortUse use) {
  const std::string& host = listener.address.host;
  const auto failed = [&](const std::string& what) {
    return Error{ErrorKind::connect, Side::downstream,
                 "listen on " + host + ":" + std::to_string(port) + ": " + what};
  };
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) return failed(error.message());
  const tcp::endpoint endpoint(address, port);
  const int descriptor = ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return failed(std::strerror(errno));
  ListeningSocket guard(descriptor, port, address.is_v6());
  const auto listens = [&] {
    // What is left of earlier connections (TIME_WAIT) is in nobody's way.
    return allow(descriptor, SO_REUSEADDR) &&
           (use == PortUse::first || allow(descriptor, SO_REUSEPORT)) &&
           ::bind(descriptor, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0 &&
           ::listen(descriptor, tcp::acceptor::max_listen_connections) == 0 &&
           (use == PortUse::shared || allow(descriptor, SO_REUSEPORT));
  };
  tcp::endpoint bound;
  auto length = static_cast<socklen_t>(bound.capacity());
  if (!listens() || ::getsockname(descriptor, bound.data(), &length) != 0)
    return failed(errno == EADDRINUSE ? "address in use: something else listens there"
                                      : std::strerror(errno));
  return ListeningSocket(guard.release(), bound.port(), address.is_v6());
}

void Worker::start(std::shared_ptr<const Snapshot> snapshot,
                   std::vector<ListenerSource> listeners) {
  impl_->apply(std::move(snapshot), std::move(listeners));
  impl_->thread = std::thread([impl = impl_.get()] { impl->context.run(); });
  const std::string name = "io-" + std::to_string(impl_->number);
  pthread_setname_np(impl_->thread.native_handle(), name.c_str());
}

void Worker::apply(std::shared_ptr<const Snapshot> snapshot, std::vector<ListenerSource> listeners,
                   std::function<void()> applied) {
  asio::post(impl_->context,
             [impl = impl_.get(), snapshot = std::move(snapshot), listeners = std::move(listeners),
              applied = std::move(applied)]() mutable {
               impl->apply(std::move(snapshot), std::move(listeners));
               applied();
             });
}

void Worker::finish() {
  asio::post(impl_->context, [impl = impl_.get()] { impl->finish(); });
}

}  // namespace understudy::proxy

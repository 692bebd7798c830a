#include "proxy/worker.h"

#include <pthread.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <random>
#include <thread>
#include <unordered_set>

#include "proxy/connection.h"
#include "proxy/h2_connection.h"
#include "proxy/log.h"
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

struct Listening {
  Listening(tcp::acceptor a, std::size_t number, routing::ListenerConfig c)
      : acceptor(std::move(a)), config{std::move(c), number} {}
  tcp::acceptor acceptor;
  const ServedListener config;
};

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

  void apply(std::shared_ptr<const Snapshot> snapshot) {
    auto next = std::make_shared<WorkerSnapshot>();
    for (const auto& route : snapshot->config().routes) {
      next->accounts.push_back(services.dispatcher.account(route.name));
      next->gone.push_back(services.analysis.models().gone(route.name));
    }
    next->view = pools.apply(std::move(snapshot));
    worker.current = std::move(next);
  }

  void start_accepting() {
    for (auto& listening : listeners) {
      asio::co_spawn(context, accept_loop(*listening), [](std::exception_ptr failure) {
        if (failure) log_error("accept_loop_failed");
      });
    }
  }

  asio::awaitable<void> accept_loop(Listening& listening) {
    milliseconds pause = kShortestPause;
    while (listening.acceptor.is_open()) {
      auto [error, socket] = co_await listening.acceptor.async_accept(kAsTuple);
      if (!error) {
        pause = kShortestPause;
        begin_connection(listening, std::move(socket));
      } else if (out_of_resources(error)) {
        log_warn("accept_paused", {{"why", error.message()}});
        services.recorder.refused("accept");
        asio::steady_timer timer(context, pause);
        pause = std::min(kLongestPause, pause * 2);
        co_await timer.async_wait(kAsTuple);
      }
    }
  }

  void begin_connection(Listening& listening, tcp::socket socket) {
    if (services.connections.load(std::memory_order_relaxed) >=
        services.max_connections.load(std::memory_order_relaxed)) {
      services.recorder.refused("max_connections");
      return;  // the socket closes with its owner
    }
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    if (const auto& tls = worker.current->snapshot().listeners[listening.config.number].tls) {
      shake_hands(listening, std::make_unique<TlsServerStream>(std::move(socket), tls));
    } else {
      serve_connection(listening.config, std::make_unique<Transport>(sweep, std::move(socket)), {});
    }
  }

  void shake_hands(Listening& listening, std::unique_ptr<TlsServerStream> stream) {
    auto handshake = std::make_shared<TlsHandshake>(
        std::make_unique<Transport>(sweep, std::move(stream)),
        worker.current->snapshot().config().limits.tls_handshake_timeout, services.recorder,
        listener_name(listening.config));
    auto* begun = handshake.get();
    run_connection(std::move(handshake), [this, begun, &listening] {
      auto transport = begun->take();
      if (!transport) return;
      const std::string_view agreed = transport->protocol();
      serve_connection(listening.config, std::move(transport), agreed);
    });
  }

  // What comes here is connected; TLS has shaken hands. `agreed`: the protocol that ALPN agreed
  // on, "h2" or "http/1.1"; without one the client's first bytes tell.
  void serve_connection(const ServedListener& listener, std::unique_ptr<Transport> transport,
                        std::string_view agreed) {
    if (agreed == "h2") {
      return run_connection(std::make_shared<H2Connection>(worker, listener, std::move(transport)),
                            [] {});
    }
    auto connection =
        std::make_shared<Connection>(worker, listener, std::move(transport), agreed.empty());
    auto* http1 = connection.get();
    run_connection(std::move(connection), [this, http1, &listener] {
      auto start = http1->take_http2();
      if (!start) return;
      run_connection(std::make_shared<H2Connection>(worker, listener, std::move(start->transport),
                                                    std::move(start->already_read)),
                     [] {});
    });
  }

  // Calls `then` when it has ended in order; the connection still lives.
  template <typename Then>
  void run_connection(std::shared_ptr<DownstreamConnection> connection, Then then) {
    services.connections.fetch_add(1, std::memory_order_relaxed);
    connections.insert(connection.get());
    if (finishing) connection->finish();
    auto running = connection->run();
    asio::co_spawn(context, std::move(running),
                   [this, then, connection = std::move(connection)](std::exception_ptr failure) {
                     connections.erase(connection.get());
                     services.connections.fetch_sub(1, std::memory_order_relaxed);
                     if (!failure) return then();
                     log_error("connection_failed");  // a bug or no memory; it ends with this one
                     connection->cut();
                   });
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
    hangups.stop();
  }

  // Ending one connection may end others' coroutines at once: the set changes while it is walked.
  template <typename Visit>
  void for_each_connection(Visit visit) {
    const std::vector<DownstreamConnection*> now(connections.begin(), connections.end());
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
  HangupWatch hangups{context};
  Resolver resolver{context};
  ThreadResources resources{context, sweep, resolver, memory.blocks};
  PoolSet pools{resources};
  Signer signer, verifier;
  ObjectPool<Exchange> exchanges;
  WorkerContext worker{.resources = resources,
                       .memory = memory,
                       .trim = trim,
                       .hangups = hangups,
                       .signer = signer,
                       .verifier = verifier,
                       .recorder = services.recorder,
                       .analysis = services.analysis,
                       .dispatcher = services.dispatcher,
                       .rewriter = services.rewriter,
                       .exchanges = exchanges,
                       .instance_id = {},
                       .current = nullptr};
  std::vector<std::unique_ptr<Listening>> listeners;
  std::unordered_set<DownstreamConnection*> connections;
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

Result<std::uint16_t> Worker::listen(const routing::ListenerConfig& listener, std::uint16_t port) {
  const std::string& host = listener.address.host;
  const std::string where = host + ":" + std::to_string(port);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error)
    return Error{ErrorKind::connect, Side::downstream,
                 "listen on " + where + ": " + error.message()};
  tcp::acceptor acceptor(impl_->context);
  const tcp::endpoint endpoint(address, port);
  const int yes = 1;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error &&
      setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) != 0) {
    error.assign(errno, boost::system::system_category());
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error)
    return Error{ErrorKind::connect, Side::downstream,
                 "listen on " + where + ": " + error.message()};
  const std::uint16_t bound = acceptor.local_endpoint().port();
  impl_->listeners.push_back(
      std::make_unique<Listening>(std::move(acceptor), impl_->listeners.size(), listener));
  return bound;
}

void Worker::start(std::shared_ptr<const Snapshot> snapshot) {
  impl_->apply(std::move(snapshot));
  impl_->start_accepting();
  impl_->thread = std::thread([impl = impl_.get()] { impl->context.run(); });
  const std::string name = "io-" + std::to_string(impl_->number);
  pthread_setname_np(impl_->thread.native_handle(), name.c_str());
}

void Worker::apply(std::shared_ptr<const Snapshot> snapshot, std::function<void()> applied) {
  asio::post(impl_->context,
             [impl = impl_.get(), snapshot = std::move(snapshot), applied = std::move(applied)] {
               impl->apply(snapshot);
               applied();
             });
}

void Worker::finish() {
  asio::post(impl_->context, [impl = impl_.get()] { impl->finish(); });
}

}  // namespace understudy::proxy

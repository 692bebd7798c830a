#include "proxy/upstream_pool.h"

#include <algorithm>
#include <iterator>

#include "proxy/socket_options.h"
#include "proxy/tls.h"

namespace understudy::proxy {

namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

// As ALPN calls them (RFC 7301 6).
constexpr std::string_view kHttp1 = "http/1.1", kH2 = "h2";

std::string authority_of(const routing::Endpoint& endpoint) {
  const std::uint16_t usual = endpoint.tls ? 443 : 80;
  return endpoint.port == usual ? endpoint.host
                                : endpoint.host + ':' + std::to_string(endpoint.port);
}

}  // namespace

// Looks after resting connections while there are any.
class UpstreamPool::IdleSweep final : public Deadline {
 public:
  IdleSweep(DeadlineSweep& sweep, UpstreamPool& pool)
      : Deadline(sweep, AtStop::is_dropped), pool_(pool) {}

 private:
  void expired() noexcept override { pool_.close_old(); }
  UpstreamPool& pool_;
};

void Connecting::stop() noexcept {
  boost::system::error_code ignored;
  if (socket_) socket_->close(ignored);
  if (transport_) transport_->close();
  resolved_.wake();
}

void Connecting::begin(std::chrono::milliseconds timeout) noexcept {
  end_ = steady_clock::now() + timeout;
  set(timeout);
}

bool Connecting::begin_attempt(bool others_follow) noexcept {
  using std::chrono::milliseconds;
  const auto left = std::chrono::ceil<milliseconds>(end_ - steady_clock::now());
  timed_out_ = left <= milliseconds(0);
  if (timed_out_ || interrupted_) return false;
  set(others_follow ? left / 2 : left);
  return true;
}

void Connecting::interrupt() noexcept {
  interrupted_ = true;
  stop();
}

void Connecting::expired() noexcept {
  timed_out_ = true;
  stop();
}

UpstreamPool::UpstreamPool(ThreadResources& resources, const routing::Endpoint& endpoint,
                           std::shared_ptr<asio::ssl::context> tls, const Settings& settings)
    : resources_(resources),
      endpoint_(endpoint),
      tls_(std::move(tls)),
      authority_(authority_of(endpoint)),
      settings_(settings),
      idle_sweep_(std::make_unique<IdleSweep>(resources.sweep, *this)) {}

UpstreamPool::~UpstreamPool() {
  close_idle();
}

std::unique_ptr<Transport> UpstreamPool::take_idle() noexcept {
  while (!idle_.empty()) {
    auto transport = std::move(idle_.back().transport);
    idle_.pop_back();
    if (transport->is_quiet()) return transport;
  }
  return nullptr;
}

void UpstreamPool::give_back(std::unique_ptr<Transport> transport) {
  transport->never_expire();
  if (settings_.max_idle == 0) return;
  if (idle_.size() >= settings_.max_idle) idle_.pop_front();
  if (idle_.empty()) idle_sweep_->set(settings_.idle_timeout);
  idle_.push_back({std::move(transport), steady_clock::now()});
}

void UpstreamPool::close_old() noexcept {
  const auto oldest_allowed = steady_clock::now() - settings_.idle_timeout;
  while (!idle_.empty() && idle_.front().since <= oldest_allowed) idle_.pop_front();
  if (idle_.empty()) return;
  idle_sweep_->set(
      std::chrono::duration_cast<std::chrono::milliseconds>(idle_.front().since - oldest_allowed));
}

void UpstreamPool::close_idle() noexcept {
  idle_.clear();
}

Task<Result<const Resolver::Endpoints*>> UpstreamPool::resolve(Connecting& connecting) {
  Resolver& resolver = resources_.resolver;
  if (const auto* known = resolver.lookup(endpoint_.host, endpoint_.port, settings_.addresses,
                                          connecting.resolved_))
    co_return known;
  co_await connecting.resolved_.wait();
  resolver.forget(connecting.resolved_);
  if (!connecting.timed_out_ && !connecting.interrupted_) {
    if (const auto* found = resolver.lookup(endpoint_.host, endpoint_.port, settings_.addresses,
                                            connecting.resolved_))
      co_return found;
    resolver.forget(connecting.resolved_);
  }
  co_return Error{
      ErrorKind::resolve, Side::upstream,
      "no address for " + endpoint_.host + ": " + resolver.problem(endpoint_.host, endpoint_.port)};
}

Task<boost::system::error_code> UpstreamPool::connect_tcp(Connecting& connecting,
                                                          asio::ip::tcp::socket& socket,
                                                          asio::ip::tcp::endpoint endpoint) {
  connecting.socket_ = &socket;
  auto [error] = co_await socket.async_connect(endpoint, kAsTuple);
  connecting.socket_ = nullptr;
  // It may have been closed when it was connected already.
  if (connecting.timed_out_ || connecting.interrupted_) error = asio::error::timed_out;
  co_return error;
}

Error UpstreamPool::connect_error(const std::string& why) const {
  return {ErrorKind::connect, Side::upstream, "connect to " + authority_ + ": " + why};
}

Resolver::Endpoints UpstreamPool::in_order(Resolver::Endpoints endpoints) const {
  const auto preferred = steady_clock::now() - preferred_.since < settings_.addresses.refresh
                             ? std::find(endpoints.begin(), endpoints.end(), preferred_.address)
                             : endpoints.end();
  if (preferred != endpoints.end()) std::rotate(endpoints.begin(), preferred, std::next(preferred));
  return endpoints;
}

UpstreamPool::Connected UpstreamPool::make_transport(asio::ip::tcp::socket socket,
                                                     Protocol protocol) {
  try {
    if (!tls_)
      return std::make_unique<Transport>(resources_.sweep, resources_.sockets, std::move(socket));
    auto session =
        make_client_session(*tls_, endpoint_.host, protocol == Protocol::h2 ? kH2 : kHttp1);
    if (!session) return session.error();
    return std::make_unique<Transport>(
        resources_.sweep,
        std::make_unique<TlsStream>(resources_.sockets, std::move(socket), std::move(*session)));
  } catch (const std::exception& problem) {
    return Error{ErrorKind::connect, Side::internal,
                 "connect to " + authority_ + ": " + problem.what()};
  }
}

Task<Status> UpstreamPool::shake_hands(Connecting& connecting, Transport& transport,
                                       Protocol protocol) {
  const auto failed = [&](const std::string& why) {
    return Error{ErrorKind::tls, Side::upstream, "TLS handshake with " + authority_ + ": " + why};
  };
  connecting.transport_ = &transport;
  const auto handshake = co_await transport.shake_hands();
  connecting.transport_ = nullptr;
  if (!handshake.done) co_return failed(connecting.timed_out_ ? "timed out" : handshake.detail);
  if (protocol == Protocol::h2 && transport.protocol() != kH2)
    co_return failed("no HTTP/2 there (ALPN)");
  co_return Status{};
}

Task<UpstreamPool::Connected> UpstreamPool::connect_to(Connecting& connecting,
                                                       asio::ip::tcp::endpoint endpoint,
                                                       Protocol protocol) {
  asio::ip::tcp::socket socket(resources_.context);
  if (const auto error = co_await connect_tcp(connecting, socket, endpoint))
    co_return connect_error(connecting.timed_out_ ? "timed out" : error.message());
  set_connection_options(socket.native_handle(), settings_.tcp_keep_alive);
  auto transport = make_transport(std::move(socket), protocol);
  if (tls_ && transport) {
    if (auto shaken = co_await shake_hands(connecting, **transport, protocol); !shaken)
      co_return shaken.error();
  }
  co_return transport;
}

Task<UpstreamPool::Connected> UpstreamPool::connect(Connecting& connecting,
                                                    std::chrono::milliseconds timeout,
                                                    Protocol protocol) {
  connecting.begin(timeout);
  const auto cancelled = [&] {
    return Error{ErrorKind::cancelled, Side::internal, "stopped while connecting"};
  };

  auto found = co_await resolve(connecting);
  if (connecting.interrupted_) co_return cancelled();
  if (!found) co_return found.error();
  const Resolver::Endpoints endpoints = in_order(**found);
  Connected made = connect_error("timed out");
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    if (!connecting.begin_attempt(i + 1 < endpoints.size())) break;
    made = co_await connect_to(connecting, endpoints[i], protocol);
    if (connecting.interrupted_) co_return cancelled();
    if (!made) continue;
    if (i > 0) preferred_ = {endpoints[i], steady_clock::now()};
    connecting.clear();
    break;
  }
  co_return made;
}

}  // namespace understudy::proxy

#pragma once
// Kept-alive HTTP/1.1 connections to one endpoint, of one thread. A connection that rested here is
// looked at before the next request is written to it: one that the upstream closed, or that has
// bytes nobody asked for, is not used again.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "metrics/blocks.h"
#include "proxy/aws/slot.h"
#include "proxy/resolver.h"
#include "proxy/send_turn.h"
#include "proxy/snapshot.h"
#include "proxy/socket_events.h"
#include "proxy/task.h"
#include "proxy/transport.h"
#include "proxy/waiter.h"

namespace understudy::proxy {

// What the pools and calls of a thread share. Owned by the thread's worker.
struct ThreadResources {
  boost::asio::io_context& context;
  DeadlineSweep& sweep;
  Resolver& resolver;
  metrics::BlockPool& blocks;
  aws::CredentialsReader credentials{};
  SendTurn sends{context};
  SocketEvents sockets{context};
};

class UpstreamPool;

// A connection being made: what an interrupt or the connect time-out takes hold of.
class Connecting final : private Deadline {
 public:
  explicit Connecting(DeadlineSweep& sweep) : Deadline(sweep) {}
  // Ends the attempt with ErrorKind::cancelled.
  void interrupt() noexcept;

 private:
  friend class UpstreamPool;
  void expired() noexcept override;
  void stop() noexcept;
  void begin(std::chrono::milliseconds timeout) noexcept;
  // For the next address: all that is left of the time-out, or half of it where others follow, so
  // that one which swallows what it is sent leaves time for those. False: nothing is to be tried.
  bool begin_attempt(bool others_follow) noexcept;

  Waiter resolved_;
  std::chrono::steady_clock::time_point end_;
  boost::asio::ip::tcp::socket* socket_ = nullptr;  // while TCP connects
  Transport* transport_ = nullptr;                  // while TLS shakes hands
  bool timed_out_ = false;  // the attempt or, behind the last one, the whole
  bool interrupted_ = false;
};

class UpstreamPool {
 public:
  // As an upstream's config has them.
  struct Settings {
    Resolver::Lifetimes addresses;
    std::chrono::milliseconds tcp_keep_alive = routing::UpstreamConfig{}.tcp_keep_alive;
    std::size_t max_idle = 0;
    std::chrono::milliseconds idle_timeout{0};
  };
  UpstreamPool(ThreadResources& resources, const routing::Endpoint& endpoint,
               std::shared_ptr<boost::asio::ssl::context> tls, const Settings& settings);
  ~UpstreamPool();

  // The connection that rested the shortest and is still good, or null.
  std::unique_ptr<Transport> take_idle() noexcept;
  enum class Protocol : std::uint8_t { http1, h2 };
  using Connected = Result<std::unique_ptr<Transport>>;
  // A new one: name, TCP and TLS within `timeout`. A name's addresses are tried in turn.
  // `connecting` lives as long as the call. One for HTTP/2 is not to be given back.
  Task<Connected> connect(Connecting& connecting, std::chrono::milliseconds timeout,
                          Protocol protocol = Protocol::http1);
  // For connections whose last answer was read to its end.
  void give_back(std::unique_ptr<Transport> transport);
  void close_idle() noexcept;

  ThreadResources& resources() noexcept { return resources_; }
  // "Host" of requests to this endpoint: the port only where it is not the scheme's own.
  const std::string& authority() const noexcept { return authority_; }

 private:
  class IdleSweep;
  void close_old() noexcept;
  Task<Result<const Resolver::Endpoints*>> resolve(Connecting& connecting);
  // One of the name's addresses: TCP, and TLS where it speaks that.
  Task<Connected> connect_to(Connecting& connecting, boost::asio::ip::tcp::endpoint endpoint,
                             Protocol protocol);
  Task<boost::system::error_code> connect_tcp(Connecting& connecting,
                                              boost::asio::ip::tcp::socket& socket,
                                              boost::asio::ip::tcp::endpoint endpoint);
  Error connect_error(const std::string& why) const;
  Resolver::Endpoints in_order(Resolver::Endpoints endpoints) const;

  Connected make_transport(boost::asio::ip::tcp::socket socket, Protocol protocol);
  Task<Status> shake_hands(Connecting& connecting, Transport& transport, Protocol protocol);

  ThreadResources& resources_;
  const routing::Endpoint endpoint_;
  const std::shared_ptr<boost::asio::ssl::context> tls_;
  const std::string authority_;
  const Settings settings_;
  struct Resting {
    std::unique_ptr<Transport> transport;
    std::chrono::steady_clock::time_point since;
  };
  std::deque<Resting> idle_;  // the longest rested first
  std::unique_ptr<IdleSweep> idle_sweep_;
  // The address that took a connection when one before it did not: for as long as an answer of DNS
  // is fresh (Lifetimes::refresh) the next begin with it. Otherwise the order is the resolver's,
  // which spreads the load.
  struct Preferred {
    boost::asio::ip::tcp::endpoint address;
    std::chrono::steady_clock::time_point since{};
  };
  Preferred preferred_;
};

}  // namespace understudy::proxy

#pragma once
// Names to addresses, one per thread, so that a stuck look-up of the candidate's name cannot delay
// the primary. Remembers good answers: an old one is used and renewed in the background, and stays
// in use for a while although look-ups fail. After that, calls fail as ErrorKind::resolve.

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/error.h"
#include "proxy/task.h"
#include "proxy/waiter.h"

namespace understudy::proxy {

class Resolver {
 public:
  using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

  // Of an upstream's addresses: its dns_refresh and dns_keep.
  struct Lifetimes {
    std::chrono::milliseconds refresh;  // older ones are renewed
    std::chrono::milliseconds keep;     // older ones are not used
  };

  explicit Resolver(boost::asio::io_context& context) : resolver_(context) {}
  virtual ~Resolver() = default;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // A look-up that is under way; shared by all who wait for the same name.
  struct Entry {
    Endpoints good;
    std::chrono::steady_clock::time_point resolved;
    bool looking_up = false;
    std::string problem;
    std::vector<Waiter*> waiters;
  };

  // What is known at once: an address literal, or a remembered answer (renewed in the background
  // when old). Null when there is nothing yet: the look-up has then begun, and `waiter` will be
  // woken when it ends; after that, ask again. A waiter that gives up must forget() itself.
  const Endpoints* lookup(const std::string& host, std::uint16_t port, const Lifetimes& lifetimes,
                          Waiter& waiter);
  void forget(Waiter& waiter) noexcept;
  // Why the last look-up of that name failed.
  std::string problem(const std::string& host, std::uint16_t port) const;

  void stop() { resolver_.cancel(); }

 protected:
  // Asks the system. Whoever does so in its stead, as tests do, calls ended() later.
  virtual void look_up(const std::string& host, std::uint16_t port);
  void ended(const std::string& host, std::uint16_t port, boost::system::error_code error,
             Endpoints found);

 private:
  boost::asio::ip::tcp::resolver resolver_;
  std::vector<Waiter*> to_wake_;                    // their look-up has ended
  std::unordered_map<std::string, Entry> entries_;  // bounded by the hosts that configs have named
};

}  // namespace understudy::proxy

#pragma once
// HTTP/1.1 and HTTP/2 in front of a Service: one accepting thread, connections spread over
// `threads` loops of their own. Owns its threads; the Service must outlive it. start and stop
// belong to one thread.

#include <cstdint>
#include <memory>

#include "tests/simulator/service.h"

namespace understudy::simulator {

class Server {
 public:
  // Binds and serves; throws std::runtime_error when the address cannot be bound.
  explicit Server(Service& service);
  ~Server();  // closes every connection at once
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::simulator

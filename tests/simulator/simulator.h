#pragma once
// A Bedrock Runtime on loopback, in this process: for integration tests and benches. Owns its
// threads; every member may be called from any thread but the destructor. See config.h for what can
// be set, deploy/simulator.yaml for an example.
//
//   auto bedrock = Simulator::start("models: [{id: anthropic.claude-test, family: anthropic}]");
//   ... talk to 127.0.0.1:bedrock->port() ...
//   EXPECT_EQ(bedrock->counts().requests, 1u);
//
// Per request, headers drive it too: `x-sim-fault: NAME`, `x-sim-latency-ms: N`, `x-sim-status: N`
// (400..599) and, with a model of family echo, `x-sim-stream-bytes: N`.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulator/config.h"
#include "tests/simulator/request_log.h"

namespace understudy::simulator {

class Server;
class Service;

class Simulator {
 public:
  // Serves on a port of the system's choice unless the config names one. Throws
  // std::invalid_argument with every problem of the config, std::runtime_error when the address
  // cannot be bound.
  static std::unique_ptr<Simulator> start(std::string_view yaml);
  static std::unique_ptr<Simulator> start(Config config);
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  std::uint16_t port() const;
  std::string address() const;  // "127.0.0.1:PORT"
  std::string url() const;      // "http://127.0.0.1:PORT"

  Counts counts() const;
  // Those after `sequence`, oldest first; at most log_requests of them.
  std::vector<LoggedRequest> requests(std::uint64_t after = 0) const;
  // Waits until `met` holds of the counts; false when `timeout` passes first.
  bool wait_until(const std::function<bool(const Counts&)>& met,
                  std::chrono::milliseconds timeout = std::chrono::seconds{10}) const;
  bool wait_for_requests(std::uint64_t count,
                         std::chrono::milliseconds timeout = std::chrono::seconds{10}) const;

  // By name as in x-sim-fault; "none" heals. False when the fault or the model is unknown.
  bool set_fault(std::string_view model_id, std::string_view fault);
  // Changes anything about a model from the next request on; false when it is unknown.
  bool change_model(std::string_view model_id, const std::function<void(Model&)>& edit);

  // Closes the listener and every connection; counts and requests stay readable.
  void stop();

 private:
  explicit Simulator(Config config);

  std::unique_ptr<Service> service_;
  std::unique_ptr<Server> server_;  // ends before the service that it calls
  std::uint16_t port_ = 0;
};

}  // namespace understudy::simulator

#pragma once
// The whole proxy in this process, on a port of the system's choice, with its counters at hand.
// Owned by one test.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "metrics/recorder.h"
#include "proxy/events.h"
#include "proxy/rollout_keeper.h"
#include "proxy/server.h"
#include "proxy/snapshot.h"
#include "proxy/volume_status.h"

namespace understudy::testing_support {

using Labels = std::map<std::string, std::string>;

// A config with one route named "route" that takes every model, in the shape most tests need. Each
// text is YAML.
struct ProxySetup {
  std::uint16_t primary_port = 0;
  std::uint16_t candidate_port = 0;  // 0: no candidate, unless candidate_endpoint names one
  std::string shadow = "percent: 100";
  std::string canary = "percent: 0";
  std::string verdict{};  // keys of the route's verdict section
  std::string candidate_model = "amazon.candidate-v1:0";
  std::string rewrite{};  // a list of rules
  std::string primary_credentials = "source: none";
  std::string candidate_credentials = "source: none";
  std::string primary_more{};
  std::string candidate_more{};      // further keys of the upstreams: ", connect_timeout: 1s"
  std::string primary_endpoint{};    // instead of http://127.0.0.1:primary_port
  std::string candidate_endpoint{};  // instead of http://127.0.0.1:candidate_port
  std::string match = "models: [\"*\"]";
  std::string listener_more{};  // ", base_path: /bedrock"
  std::string route_more{};     // further keys of the route: "drill: {percent: 1}"
  std::string top{};            // further keys at the top level

  std::string text() const;
};

class ProxyUnderTest {
 public:
  // Throws with every problem of the config. The environment is empty and the time the system's,
  // unless they are given.
  explicit ProxyUnderTest(
      const std::string& config,
      proxy::Environment environment = [](std::string_view) { return std::nullopt; },
      std::function<proxy::WallTime()> now = std::chrono::system_clock::now);
  explicit ProxyUnderTest(const ProxySetup& setup) : ProxyUnderTest(setup.text()) {}

  std::uint16_t port() const { return server_->ports().at(0); }
  proxy::Server& server() { return *server_; }
  metrics::Recorder& recorder() { return *recorder_; }
  proxy::aws::CredentialsKeeper& keeper() { return *keeper_; }
  proxy::RolloutKeeper& rollouts() { return *rollouts_; }
  const proxy::EventLog& events() const { return events_; }
  // What the serve command does every second; here only when it is called.
  void look_at_rollouts();
  proxy::QuotaSource quotas{};  // what was read of candidates' quotas; none: nothing

  // Puts another config in force and waits until it is.
  proxy::Status apply(const std::string& config);
  proxy::Status apply(const ProxySetup& setup) { return apply(setup.text()); }
  // Null where the config has problems.
  std::shared_ptr<const proxy::Snapshot> snapshot_of(const std::string& config);

  // The sum of a metric's series that carry those labels; names without "understudy_".
  double value(std::string_view metric, const Labels& labels = {}) const;
  // Waits until it is at least that.
  testing::AssertionResult wait_for(std::string_view metric, const Labels& labels, double at_least);

  metrics::RouteCounts counts(std::string_view route = "route") {
    return recorder_->route(route).counts();
  }
  std::string books(std::string_view route = "route");  // for messages
  // Waits until `eligible` exchanges have been counted and each of them has ended in the books.
  testing::AssertionResult books_balance(std::uint64_t eligible, std::string_view route = "route");

 private:
  std::unique_ptr<metrics::Recorder> recorder_;
  std::unique_ptr<proxy::aws::CredentialsKeeper> keeper_;
  proxy::StateWriter state_writer_;
  proxy::EventLog events_;
  std::unique_ptr<proxy::RolloutKeeper> rollouts_;
  const proxy::Environment environment_;
  std::unique_ptr<proxy::Server> server_;  // ends first
};

// Waits for `met`, which some other thread will make true; false where it does not within
// kPatience.
bool eventually(const std::function<bool()>& met);

}  // namespace understudy::testing_support

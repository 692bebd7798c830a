// Rollouts through the whole proxy: from requests to evidence to shares and back. The clock is the
// tests', so that hours go by at once.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/volume_book.h"
#include "tests/support/certificates.h"
#include "tests/support/fake_aws.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using routing::RolloutOrder;
using routing::RolloutPhase;
using std::chrono::steady_clock;
using testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kProse =
    "The delivery of your parcel was delayed by a storm, and it should reach you on Thursday.";
const std::string kRefusal = "I'm sorry, but I can't help with that request.";

constexpr const char* kStages =
    "stages: [{percent: 25, min_time: 1h, min_pairs: 50}, {percent: 100, min_time: 1h, min_pairs: "
    "0}]";

class RolloutThroughTheProxy : public testing::Test {
 protected:
  RolloutThroughTheProxy() {
    primary = FakeBedrock::replies(converse_answer(kProse));
    candidate = std::make_unique<FakeBedrock>([this](const FakeRequest&, FakePeer& peer) {
      peer.send(answer(converse_answer(refuses ? kRefusal : kProse)));
    });
  }

  ProxySetup setup(const std::string& canary) const {
    return {.primary_port = primary->port(),
            .candidate_port = candidate->port(),
            .shadow = "percent: 100, control_percent: 100",
            .canary = canary,
            .verdict = "min_hours: 0, gates: {latency: off, cost: off}",
            .top = "state: {directory: \"" + directory.path().string() + "\"}\n"};
  }
  void start(const std::string& canary = kStages) {
    proxy.reset();
    proxy = std::make_unique<ProxyUnderTest>(
        setup(canary).text(), [](std::string_view) { return std::nullopt; },
        [this] { return clock.now(); });
    client = std::make_unique<RawClient>(proxy->port());
  }
  // Each a conversation of its own. Waits until all of it has been weighed.
  void ask(int count) {
    for (int i = 0; i < count; ++i) {
      const Answer got = client->ask(converse("question " + std::to_string(asked_++)));
      ASSERT_EQ(got.status, 200);
      ++(got.field("x-understudy-variant") == "candidate" ? by_candidate : by_primary);
    }
    std::uint64_t before = 0;
    ASSERT_TRUE(eventually([&] {
      const auto counts = proxy->counts();
      std::uint64_t ended = counts.compared;
      for (const auto* reasons : {&counts.failed, &counts.skipped, &counts.dropped})
        for (const auto& [reason, number] : *reasons) ended += number;
      return ended == counts.eligible;
    })) << proxy->books();
    // The evidence is published every quarter of a second.
    const auto pairs = [&] {
      const auto evidence = proxy->server().evidence("route");
      return evidence ? evidence->pooled().pairs : 0;
    };
    ASSERT_TRUE(eventually([&] {
      std::this_thread::sleep_for(300ms);
      return std::exchange(before, pairs()) == pairs() && before > 0;
    }));
  }
  void look(std::chrono::seconds later = 1s) {
    clock.advance(later);
    proxy->look_at_rollouts();
  }
  proxy::RolloutView view() { return *proxy->rollouts().view("route"); }
  std::string verdict() { return view().verdict_text; }

  FakeClock clock;
  ScratchDirectory directory;
  std::atomic<bool> refuses{false};
  std::unique_ptr<FakeBedrock> primary, candidate;
  std::unique_ptr<ProxyUnderTest> proxy;
  std::unique_ptr<RawClient> client;
  int asked_ = 0, by_primary = 0, by_candidate = 0;
};

TEST_F(RolloutThroughTheProxy, AHealthyCandidateComesToServeAllByEvidenceAlone) {
  start();
  ask(50);
  look();
  EXPECT_EQ(view().state.phase, RolloutPhase::pending) << "not known yet";
  ask(1'450);
  look();
  look();
  ASSERT_EQ(view().served, routing::Percent{2'500}) << verdict();
  EXPECT_EQ(by_candidate, 0);
  ask(200);
  EXPECT_GT(by_candidate, 20);
  EXPECT_LT(by_candidate, 90);
  look();
  EXPECT_EQ(view().state.phase, RolloutPhase::baking) << "its hour is not over";
  look(1h);
  look();
  ASSERT_EQ(view().served, routing::Percent{10'000}) << verdict();
  by_primary = 0;
  ask(20);
  EXPECT_EQ(by_primary, 0);
  look(1h);
  look();
  EXPECT_EQ(view().state.phase, RolloutPhase::complete) << verdict();
}

TEST_F(RolloutThroughTheProxy, RefusalsTakeTheCandidateBack) {
  refuses = true;
  start();
  ASSERT_EQ(proxy->rollouts().order("route", RolloutOrder::promote).result,
            proxy::OrderAnswer::Result::done);
  ask(10);
  look();
  EXPECT_EQ(view().served, routing::Percent{2'500}) << "inconclusive";
  ask(250);
  EXPECT_GT(by_candidate, 0);
  look();
  ASSERT_EQ(view().state.phase, RolloutPhase::rolled_back) << verdict();
  EXPECT_EQ(view().state.reason, "evidence");
  by_candidate = 0;
  ask(50);
  EXPECT_EQ(by_candidate, 0);
  look(1'000h);
  EXPECT_EQ(view().served, routing::Percent{});
  EXPECT_THAT(proxy->events().recent().front().text, HasSubstr("refus"));
}

TEST_F(RolloutThroughTheProxy, AStageThatTheCandidatesQuotaHasNoRoomForIsNotBegun) {
  constexpr const char* kQuick =
      "stages: [{percent: 25, min_time: 1h, min_pairs: 0}, {percent: 100, min_time: 1h}]";
  const auto with_quota = [&](std::uint64_t requests) {
    ProxySetup made = setup(kQuick);
    made.rewrite =
        "[{remove: /absent}], quota: {requests_per_minute: " + std::to_string(requests) + "}";
    return made;
  };
  proxy = std::make_unique<ProxyUnderTest>(
      with_quota(1).text(), [](std::string_view) { return std::nullopt; },
      [this] { return clock.now(); });
  client = std::make_unique<RawClient>(proxy->port());
  ask(1'500);
  for (int i = 0; i < 3; ++i) look();
  EXPECT_EQ(view().state.phase, RolloutPhase::pending) << "the evidence is there, the room is not";
  const auto events = proxy->events().recent();
  ASSERT_FALSE(events.empty());
  EXPECT_THAT(events.front().text, HasSubstr("the next stage does not fit: 25 % would ask up to "));
  EXPECT_THAT(events.front().text, HasSubstr("its quota is 1 requests"));
  const auto promoted = proxy->rollouts().order("route", RolloutOrder::promote);
  EXPECT_EQ(promoted.result, proxy::OrderAnswer::Result::refused);
  EXPECT_THAT(promoted.text, HasSubstr("does not fit"));

  // While a quarter is served, copies and controls make it 1.25 of all requests; at the end, 2.
  const auto peak = proxy->server().volumes().peak("route");
  ASSERT_TRUE(peak);
  EXPECT_GT(peak->requests, 100U);
  ASSERT_TRUE(proxy->apply(with_quota(peak->requests * 3 / 2)));
  look();
  look();
  ASSERT_EQ(view().served, routing::Percent{2'500}) << verdict();
  look(1h);
  look();
  EXPECT_EQ(view().state.phase, RolloutPhase::holding);
  EXPECT_THAT(view().no_room, HasSubstr("100 % would ask up to "));
  ASSERT_TRUE(proxy->apply(with_quota(peak->requests * 2)));
  look();
  look();
  EXPECT_EQ(view().served, routing::Percent{10'000});
}

TEST_F(RolloutThroughTheProxy, TooLittleTrafficHoldsHoweverLongItLasts) {
  start();
  ASSERT_EQ(proxy->rollouts().order("route", RolloutOrder::promote).result,
            proxy::OrderAnswer::Result::done);
  ask(20);
  for (int day = 0; day < 30; ++day) look(24h);
  EXPECT_EQ(view().state.stage, 1u);
  EXPECT_EQ(view().state.phase, RolloutPhase::baking);
  EXPECT_EQ(view().served, routing::Percent{2'500});
}

TEST_F(RolloutThroughTheProxy, GoesOnInMidStageAfterARestartAndAReload) {
  start();
  proxy->rollouts().order("route", RolloutOrder::promote);
  ask(30);
  look(30min);
  const auto since = view().state.stage_since;
  ProxySetup other = setup(kStages);
  other.shadow = "percent: 50";
  ASSERT_TRUE(proxy->apply(other));
  EXPECT_EQ(view().state.stage_since, since);
  start();
  EXPECT_EQ(view().state.stage_since, since);
  by_primary = by_candidate = 0;
  ask(60);
  EXPECT_GT(by_candidate, 2) << "25 % of sixty: mean 15, deviation 3.4";
  EXPECT_GT(by_primary, 25);
}

// --- The way back under load

struct Served {
  steady_clock::time_point begun;
  bool by_candidate;
};

class LoadOfConversations {
 public:
  LoadOfConversations(std::uint16_t port, int clients) {
    for (int i = 0; i < clients; ++i) {
      threads_.emplace_back([this, port, i] {
        RawClient client(port);
        for (int turn = 0; !stopping_; ++turn) {
          const auto begun = steady_clock::now();
          const Answer got =
              client.ask(converse(std::to_string(i) + " asks " + std::to_string(turn)));
          if (got.status != 200 || got.end != Answer::End::complete) {
            ++failed_;
            return;
          }
          const std::lock_guard lock(mutex_);
          served_.push_back({begun, got.field("x-understudy-variant") == "candidate"});
        }
      });
    }
  }
  ~LoadOfConversations() { stop(); }
  void stop() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  int failed() const { return failed_; }
  std::vector<Served> served() const {
    const std::lock_guard lock(mutex_);
    return served_;
  }

 private:
  std::atomic<bool> stopping_{false};
  std::atomic<int> failed_{0};
  mutable std::mutex mutex_;
  std::vector<Served> served_;
  std::vector<std::thread> threads_;
};

TEST_F(RolloutThroughTheProxy, ARollbackUnderLoadIsInForceAtOnceAndFailsNoRequest) {
  start("percent: 50");
  LoadOfConversations load(proxy->port(), 4);
  const auto count = [&](auto which) {
    int number = 0;
    for (const Served& one : load.served()) number += which(one);
    return number;
  };
  ASSERT_TRUE(
      eventually([&] { return count([](const Served& one) { return one.by_candidate; }) > 100; }));
  ASSERT_EQ(proxy->rollouts().order("route", RolloutOrder::rollback).result,
            proxy::OrderAnswer::Result::done);
  const auto in_force = steady_clock::now() + 100ms;
  ASSERT_TRUE(eventually(
      [&] { return count([&](const Served& one) { return one.begun > in_force; }) > 200; }));
  load.stop();
  EXPECT_EQ(load.failed(), 0);
  EXPECT_EQ(count([&](const Served& one) { return one.begun > in_force && one.by_candidate; }), 0);
}

}  // namespace
}  // namespace understudy::testing_support

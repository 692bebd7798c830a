// A rollout's life through the whole proxy and the simulator, scene by scene. The clock is the
// tests', so that hours go by at once.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "proxy/event_watch.h"
#include "proxy/volume_book.h"
#include "tests/simulator/simulator.h"
#include "tests/support/fake_aws.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"

namespace understudy::testing_support {
namespace {

using routing::RolloutOrder;
using routing::RolloutPhase;
using testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kPrimary = "anthropic.claude-a";  // the model that converse() asks for
const std::string kCandidate = "anthropic.claude-b";

constexpr const char* kStages =
    "stages: [{percent: 25, min_time: 1h, min_pairs: 50}, {percent: 100, min_time: 1h, min_pairs: "
    "0}]";

class Scene : public testing::Test {
 protected:
  std::unique_ptr<simulator::Simulator> bedrock = simulator::Simulator::start(
      "models:\n"
      "  - {id: " +
      kPrimary +
      ", family: anthropic, answer: {kind: text, tokens: 20}}\n"
      "  - {id: " +
      kCandidate + ", family: anthropic, answer: {kind: text, tokens: 20}}\n");

  ProxySetup setup(const std::string& canary) const {
    return {.primary_port = bedrock->port(),
            .candidate_port = bedrock->port(),
            .shadow = "percent: 100, control_percent: 0",
            .canary = canary,
            // The two give answers of their own: what is said is not what these scenes are about.
            .verdict =
                "min_hours: 0, gates: {latency: off, cost: off, label: off, number: off, "
                "json_agreement: off, tool_agreement: off, language: off}",
            .candidate_model = kCandidate,
            .route_more = route_more,
            .top = "state: {directory: \"" + directory.path().string() + "\"}\n"};
  }
  // A process: ends, and begins again with what is on disk.
  void start(const std::string& canary = kStages) {
    client.reset();
    proxy.reset();
    proxy = std::make_unique<ProxyUnderTest>(
        setup(canary).text(), [](std::string_view) { return std::nullopt; },
        [this] { return clock.now(); });
    client = std::make_unique<RawClient>(proxy->port());
  }
  template <typename Edit>
  void let(const std::string& model, Edit edit) {
    ASSERT_TRUE(bedrock->change_model(model, edit));
  }
  // Each a conversation of its own; every one must be answered. Waits until all of it has been
  // weighed.
  void ask(int count) {
    for (int i = 0; i < count; ++i) {
      const Answer got = client->ask(converse("question " + std::to_string(asked_++)));
      ASSERT_EQ(got.status, 200) << got.body;
      ++(got.field("x-understudy-variant") == "candidate" ? by_candidate : by_primary);
    }
    ASSERT_TRUE(eventually([&] {
      const auto counts = proxy->counts();
      std::uint64_t ended = counts.compared;
      for (const auto* reasons : {&counts.failed, &counts.skipped, &counts.dropped})
        for (const auto& [reason, number] : *reasons) ended += number;
      return ended == counts.eligible;
    })) << proxy->books();
    const auto pairs = [&] {
      const auto evidence = proxy->server().evidence("route");
      return evidence ? evidence->pooled().pairs + evidence->missing() : 0;
    };
    // The evidence is published every quarter of a second.
    std::uint64_t before = pairs();
    ASSERT_TRUE(eventually([&] {
      std::this_thread::sleep_for(300ms);
      return std::exchange(before, pairs()) == before;
    }));
  }
  void look(std::chrono::seconds later = 1s) {
    clock.advance(later);
    proxy->look_at_rollouts();
  }
  // What people do who do not wait for the evidence.
  void promote(int times = 1) {
    for (int i = 0; i < times; ++i) {
      const auto answer = proxy->rollouts().order("route", RolloutOrder::promote);
      ASSERT_EQ(answer.result, proxy::OrderAnswer::Result::done) << answer.text;
    }
  }
  proxy::RolloutView view() { return *proxy->rollouts().view("route"); }
  std::string why() { return view().verdict_text; }
  std::string newest_event() { return proxy->events().recent().front().text; }
  void restart_counting() { by_primary = by_candidate = 0; }

  FakeClock clock;
  ScratchDirectory directory;
  std::string route_more;
  std::unique_ptr<ProxyUnderTest> proxy;
  std::unique_ptr<RawClient> client;
  int asked_ = 0, by_primary = 0, by_candidate = 0;
};

// --- Forward

TEST_F(Scene, AHealthyCandidateComesToServeAllByEvidenceAlone) {
  start();
  ask(50);
  look();
  EXPECT_EQ(view().state.phase, RolloutPhase::pending) << "not known yet";
  ask(1'450);
  look();
  look();
  ASSERT_EQ(view().served, routing::Percent{2'500}) << why();
  EXPECT_EQ(by_candidate, 0);
  ask(200);
  EXPECT_GT(by_candidate, 20);
  EXPECT_LT(by_candidate, 90);
  look();
  EXPECT_EQ(view().state.phase, RolloutPhase::baking) << "its hour is not over";
  look(1h);
  look();
  ASSERT_EQ(view().served, routing::Percent{10'000}) << why();
  restart_counting();
  ask(20);
  EXPECT_EQ(by_primary, 0);
  look(1h);
  look();
  EXPECT_EQ(view().state.phase, RolloutPhase::complete) << why();
}

TEST_F(Scene, TooLittleTrafficHoldsHoweverLongItLasts) {
  start();
  promote();
  ask(20);
  for (int day = 0; day < 30; ++day) look(24h);
  EXPECT_EQ(view().state.stage, 1u);
  EXPECT_EQ(view().state.phase, RolloutPhase::baking);
  EXPECT_EQ(view().served, routing::Percent{2'500});
}

TEST_F(Scene, AStageThatTheCandidatesQuotaHasNoRoomForIsNotBegun) {
  const auto with_quota = [&](std::uint64_t requests) {
    ProxySetup made =
        setup("stages: [{percent: 25, min_time: 1h, min_pairs: 0}, {percent: 100, min_time: 1h}]");
    made.shadow = "percent: 100, control_percent: 100";
    made.rewrite =
        "[{remove: /absent}], quota: {requests_per_minute: " + std::to_string(requests) + "}";
    return made;
  };
  start();
  ASSERT_TRUE(proxy->apply(with_quota(1)));
  ask(1'500);
  for (int i = 0; i < 3; ++i) look();
  EXPECT_EQ(view().state.phase, RolloutPhase::pending) << "the evidence is there, the room is not";
  EXPECT_THAT(newest_event(), HasSubstr("is held: volume: does not fit: 25 % would ask up to "));
  EXPECT_THAT(newest_event(), HasSubstr("its quota is 1 requests"));
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
  ASSERT_EQ(view().served, routing::Percent{2'500}) << why();
  look(1h);
  look();
  EXPECT_EQ(view().state.phase, RolloutPhase::holding);
  ASSERT_EQ(view().holds.size(), 1U);
  EXPECT_THAT(view().holds[0].text, HasSubstr("100 % would ask up to "));
  ASSERT_TRUE(proxy->apply(with_quota(peak->requests * 2)));
  look();
  look();
  EXPECT_EQ(view().served, routing::Percent{10'000});
}

// --- Back by itself

TEST_F(Scene, RefusalsAtTwentyFivePercentTakeTheCandidateBack) {
  let(kCandidate, [](auto& model) { model.answer.refuse_percent = 100; });
  start();
  promote();
  ask(10);
  look();
  EXPECT_EQ(view().served, routing::Percent{2'500}) << "inconclusive";
  ask(250);
  EXPECT_GT(by_candidate, 0);
  look();
  ASSERT_EQ(view().state.phase, RolloutPhase::rolled_back) << why();
  EXPECT_EQ(view().state.reason, "evidence");
  EXPECT_THAT(newest_event(), HasSubstr("refus"));
  restart_counting();
  ask(50);
  EXPECT_EQ(by_candidate, 0);
  look(1'000h);
  EXPECT_EQ(view().served, routing::Percent{});
}

TEST_F(Scene, ASlowCandidateIsTakenBackByTheLatencyGate) {
  let(kCandidate, [](auto& model) { model.first_token_ms = {.median = 50}; });
  start(
      "stages: [{percent: 50}, {percent: 100}], gates: {latency: {threshold: 100, patience: 2, "
      "min_requests: 5}}");
  promote();
  look();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(view().state.phase, RolloutPhase::baking) << i;
    ask(30);
    look(1min);
  }
  ASSERT_EQ(view().state.phase, RolloutPhase::rolled_back);
  EXPECT_EQ(view().state.reason, "latency");
  EXPECT_THAT(newest_event(), HasSubstr("by a gate: latency: candidate "));
}

TEST_F(Scene, AThrottledCandidateFallsBackToThePrimaryAndIsTakenBack) {
  let(kCandidate, [](auto& model) { model.errors.throttle = 100; });
  start(
      "stages: [{percent: 50}, {percent: 100}], gates: {fallback_rate: {patience: 1, "
      "min_requests: 5}}");
  promote();
  look();
  ask(40);  // every one of them is answered
  EXPECT_EQ(by_candidate, 0);
  EXPECT_GT(proxy->value("fallbacks_total", {{"reason", "throttled"}}), 5.0);
  look(1min);
  ASSERT_EQ(view().state.phase, RolloutPhase::rolled_back);
  EXPECT_EQ(view().state.reason, "fallback_rate");
  restart_counting();
  const double before = proxy->value("fallbacks_total", {});
  ask(20);
  EXPECT_EQ(proxy->value("fallbacks_total", {}), before) << "nobody is sent there any more";
}

TEST_F(Scene, AStageIsHeldToItsOwnGates) {
  let(kCandidate, [](auto& model) { model.errors.throttle = 100; });
  start(
      "stages: [{percent: 50, gates: {fallback_rate: off}}, {percent: 100}], gates: "
      "{fallback_rate: {patience: 1, min_requests: 5}}");
  promote();
  look();
  ask(40);
  look(1min);
  ASSERT_EQ(view().state.phase, RolloutPhase::baking) << "this stage has no such gate";
  promote();
  look();
  ask(20);
  look(1min);
  EXPECT_EQ(view().state.reason, "fallback_rate");
}

TEST_F(Scene, ACandidateThatDriftsAfterTheRolloutIsToldAndWhereTheGatesSaySoTakenBack) {
  for (const bool back : {false, true}) {
    client.reset();
    proxy.reset();  // which writes what it knows
    std::filesystem::remove_all(directory.path());
    let(kCandidate, [](auto& model) { model.answer.refuse_percent = 0; });
    start(std::string("stages: [{percent: 100}], gates: {evidence: off, drift: ") +
          (back ? "roll_back" : "tell") + "}");
    promote();
    ask(400);
    promote();
    ASSERT_EQ(view().state.phase, RolloutPhase::complete);
    look();
    ASSERT_TRUE(view().drift) << "its figures are frozen";
    let(kCandidate, [](auto& model) { model.answer.refuse_percent = 40; });
    ask(150);
    look();
    EXPECT_EQ(view().state.phase, back ? RolloutPhase::rolled_back : RolloutPhase::complete);
    bool told = false;
    for (const auto& event : proxy->events().recent())
      told |= event.kind == "drift" && event.text.find("refusal: ") != std::string::npos;
    EXPECT_TRUE(told);
    EXPECT_EQ(newest_event().find("rolled_back by drift: refusal: ") != std::string::npos, back);
  }
}

// --- Through interruptions

TEST_F(Scene, ARestartInMidStageGoesOnWhereItWas) {
  start();
  promote();
  ask(30);
  look(30min);
  const auto since = view().state.stage_since;
  start();
  EXPECT_EQ(view().state.stage_since, since);
  restart_counting();
  ask(60);
  EXPECT_GT(by_candidate, 2) << "25 % of sixty: mean 15, deviation 3.4";
  EXPECT_GT(by_primary, 25);
}

TEST_F(Scene, AReloadInMidStageGoesOnWhereItWas) {
  start();
  promote();
  ask(30);
  look(30min);
  const auto since = view().state.stage_since;
  ProxySetup other = setup(kStages);
  other.shadow = "percent: 50";
  ASSERT_TRUE(proxy->apply(other));
  EXPECT_EQ(view().state.stage_since, since);
  EXPECT_EQ(view().served, routing::Percent{2'500});
}

// --- The primary's end

// Every scene of it as the serve command's watch tells it.
class LastScene : public Scene {
 protected:
  void SetUp() override {
    route_more = "on_end_of_life: serve_candidate";
    start("percent: 0");
    ask(5);
    EXPECT_EQ(by_primary, 5);
    look_for_events();
  }
  void look_for_events() {
    const proxy::EvidenceSource evidence = [this](std::string_view route) {
      return proxy->server().evidence(route);
    };
    watch.look({.snapshot = *proxy->server().snapshot(),
                .evidence = evidence,
                .models = proxy->server().models().entries(),
                .samples = proxy::parse_exposition(proxy->recorder().render())},
               clock.now());
  }
  bool told(std::string_view kind, std::string_view words) const {
    for (const auto& event : events.recent()) {
      if (event.kind == kind && event.text.find(words) != std::string::npos) return true;
    }
    return false;
  }

  proxy::EventLog events;
  proxy::EventWatch watch{events};
};

TEST_F(LastScene, AnEndOfLifeAtNightWakesNobodysClients) {
  let(kPrimary, [](auto& model) { model.lifecycle = simulator::Lifecycle::end_of_life; });
  restart_counting();
  ask(20);
  EXPECT_EQ(by_candidate, 20);
  EXPECT_EQ(proxy->value("end_of_life_takeovers_total", {{"kind", "ended"}}), 20.0);
  look_for_events();
  EXPECT_TRUE(told("end_of_life", "the candidate takes over for the primary (ended)"));
  const auto number = events.recent().size();
  ask(5);
  look_for_events();
  EXPECT_EQ(events.recent().size(), number) << "told once, not for each request";
}

TEST_F(LastScene, ALegacyLockOutIsTakenOverToo) {
  let(kPrimary, [](auto& model) { model.lifecycle = simulator::Lifecycle::legacy_inactive; });
  restart_counting();
  ask(10);
  EXPECT_EQ(by_candidate, 10);
  look_for_events();
  EXPECT_TRUE(told("end_of_life", "the candidate takes over for the primary (locked_out)"));
}

TEST_F(LastScene, ADrillProvesThePathBeforeTheDate) {
  route_more = "on_end_of_life: serve_candidate\n    drill: {percent: 100}";
  ASSERT_TRUE(proxy->apply(setup("percent: 0")));
  restart_counting();
  ask(10);
  EXPECT_EQ(by_candidate, 10);
  look_for_events();
  EXPECT_TRUE(told("drill", "a played end of life was met by 10 requests"));
  EXPECT_FALSE(told("end_of_life", "")) << "nothing has ended";
}

TEST_F(LastScene, ARolledBackRouteRestsItsDrillUntilItIsResumed) {
  route_more = "on_end_of_life: serve_candidate\n    drill: {percent: 100}";
  ASSERT_TRUE(proxy->apply(setup("percent: 50")));
  const auto order = [this](routing::RolloutOrder asked) {
    ASSERT_EQ(proxy->rollouts().order("route", asked).result, proxy::OrderAnswer::Result::done);
    restart_counting();
    ask(10);
  };
  order(routing::RolloutOrder::rollback);
  EXPECT_EQ(by_primary, 10);
  order(routing::RolloutOrder::resume);
  EXPECT_EQ(by_candidate, 10);
}

}  // namespace
}  // namespace understudy::testing_support

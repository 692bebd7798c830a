#include "proxy/drift_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "proxy/rollout_keeper.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using routing::Moment;
using routing::RolloutOrder;
using routing::RolloutPhase;
using testing::HasSubstr;
using testing_support::ScratchDirectory;
using namespace std::chrono_literals;

// A rollout of one stage whose candidate is asked and answers; its evidence is empty, so that only
// the served requests drift.
class Watching : public testing::Test {
 protected:
  void start() {
    keeper.reset();
    state_writer.emplace();
    keeper = std::make_unique<RolloutKeeper>(events, *state_writer, [this] { return now; });
    routing::Config config;
    config.state_directory = directory.path().string();
    config.upstreams.resize(1);
    routing::RouteConfig route;
    route.name = "sonnet";
    route.candidate = routing::VariantConfig{.upstream = 0, .model = "next", .rewrite = {}};
    route.canary.stages = {{.percent = {10'000}, .min_time = 1h, .min_pairs = 0}};
    route.canary.gates.emplace().drift = rule;
    route.canary.gates->operational = {};
    route.canary.watch = 48h;
    config.routes = {route};
    keeper->shares_for(config);
    keeper->applied(config);
  }
  // So many requests of the candidate, so many of them failed.
  void serve(int requests, int errors, std::chrono::seconds later = 10min) {
    now += later;
    figures.requests += requests;
    figures.errors += errors;
    keeper->look([&](const std::string&) {
      return RouteLook{.verdict = metrics::VerdictState::keep_shadowing,
                       .candidate = figures,
                       .evidence = evidence};
    });
  }
  void promote() { keeper->order("sonnet", RolloutOrder::promote); }
  RolloutView view() const { return *keeper->view("sonnet"); }
  // As a healthy rollout gets there.
  void complete() {
    start();
    promote();
    for (int i = 0; i < 20; ++i) serve(200, 1);
    promote();
    ASSERT_EQ(view().state.phase, RolloutPhase::complete);
    serve(0, 0, 1s);
    ASSERT_TRUE(view().drift);
  }

  ScratchDirectory directory;
  routing::RolloutGates::Drift rule = routing::RolloutGates::Drift::tell;
  Moment now{std::chrono::seconds(1'800'000'000)};
  EventLog events{[this] { return now; }};
  std::optional<StateWriter> state_writer;
  ServedFigures figures;
  std::shared_ptr<const metrics::RouteEvidence> evidence =
      std::make_shared<metrics::RouteEvidence>("", Moment{});
  std::unique_ptr<RolloutKeeper> keeper;
};

TEST_F(Watching, TellsADriftOnceAndGoesOnServing) {
  complete();
  for (int i = 0; i < 20; ++i) serve(100, 1);
  EXPECT_TRUE(view().drift->drifting.empty());
  for (int i = 0; i < 10; ++i) serve(100, 20);
  EXPECT_THAT(view().drift->drifting, testing::ElementsAre("error_rate"));
  EXPECT_EQ(view().state.phase, RolloutPhase::complete);
  int told = 0;
  for (const Event& event : events.recent()) told += event.kind == "drift";
  EXPECT_EQ(told, 1);
  const auto described = describe_drift(*view().drift);
  EXPECT_TRUE(described["drifts"]);
  EXPECT_EQ(described["signals"][0]["signal"], "error_rate");
  EXPECT_THAT(described["signals"][0]["text"].get<std::string>(),
              HasSubstr("0.5 % during it: worse than by chance"));
}

TEST_F(Watching, TakesTheCandidateBackWhereTheGatesSaySoAndSaysWhy) {
  rule = routing::RolloutGates::Drift::roll_back;
  complete();
  for (int i = 0; i < 10 && view().state.phase == RolloutPhase::complete; ++i) serve(100, 20);
  EXPECT_EQ(view().state.reason, "drift");
  EXPECT_THAT(events.recent().front().text, HasSubstr("rolled_back by drift: error_rate: "));
  keeper->order("sonnet", RolloutOrder::resume);
  serve(100, 0);
  EXPECT_FALSE(view().drift) << "another rollout has begun";
}

TEST_F(Watching, GoesOnAfterARestart) {
  complete();
  for (int i = 0; i < 5; ++i) serve(100, 1);
  const auto since = view().drift->since;
  keeper.reset();  // the figures of a process begin at nothing
  figures = {};
  start();
  serve(0, 0);
  ASSERT_TRUE(view().drift);
  EXPECT_EQ(view().drift->since, since);
  ASSERT_FALSE(view().drift->findings.empty());
  EXPECT_EQ(view().drift->findings[0].seen, 500u);
  for (int i = 0; i < 10; ++i) serve(100, 20);
  EXPECT_FALSE(view().drift->drifting.empty());
  keeper.reset();
  figures = {};
  start();
  serve(0, 0);
  EXPECT_FALSE(view().drift->drifting.empty()) << "what was found is not forgotten";
}

TEST_F(Watching, EndsWithAnEventAfterItsTime) {
  complete();
  serve(100, 0, 49h);
  EXPECT_TRUE(view().state.watch_over);
  EXPECT_THAT(events.recent().front().text, HasSubstr("is over after 2d; nothing drifted"));
  const auto count = events.recent().size();
  for (int i = 0; i < 10; ++i) serve(100, 90);
  EXPECT_EQ(events.recent().size(), count) << "nobody looks any more";
  keeper.reset();
  start();
  EXPECT_TRUE(view().state.watch_over);
}

TEST_F(Watching, SetsAMemoryAsideThatCannotBeRead) {
  std::ofstream(directory.path() / "drift-sonnet.json") << "{\"version\": 1, \"exp";
  complete();
  EXPECT_TRUE(std::filesystem::exists(directory.path() / "drift-sonnet.json.damaged"));
}

TEST(DriftMemory, ComesBackAsItWasSavedAndNothingElseDoes) {
  DriftMemory memory{.experiment = "e", .rollout = {.requests = 9, .errors = 2, .fallbacks = 1}};
  memory.baseline.emplace().since = std::chrono::sys_seconds(1'800'000'000s);
  memory.baseline->gates[0].values[2] = 7;
  memory.baseline->gates[0].candidate_pairs = 7;
  memory.hours = {{500'000, {.requests = 3}}, {500'002, {.requests = 4, .errors = 1}}};
  memory.baseline->first_tokens.usual_ms = 312.5;
  memory.baseline->first_tokens.counts[20] = 11;
  memory.first_tokens.resize(1);
  memory.first_tokens[0].hour = 500'004;
  memory.first_tokens[0].counts[40] = 3;
  memory.drifting = {"refusal"};
  const std::string good = to_json_text(memory);
  const auto read = drift_from_json(good);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, memory);
  for (std::size_t cut = 0; cut + 2 < good.size(); cut += 7)
    EXPECT_FALSE(drift_from_json(good.substr(0, cut))) << cut;
  std::string unordered = good;
  unordered.replace(unordered.find("500002"), 6, "500000");
  std::string beyond = good;
  beyond.replace(beyond.find("[40,3]"), 6, "[41,3]");
  for (const std::string& bad : {std::string("[]"), std::string("null"), std::string("{}"),
                                 std::string(1'000, '['), unordered, beyond})
    EXPECT_FALSE(drift_from_json(bad)) << bad;
}

}  // namespace
}  // namespace understudy::proxy

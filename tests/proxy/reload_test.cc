#include "proxy/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace understudy::proxy {
namespace {

using metrics::ReloadResult;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

routing::Config example_config() {
  routing::Config config;
  config.hash = "0000000000000001";
  routing::UpstreamConfig upstream;
  upstream.name = "east";
  upstream.credentials.secret_access_key = "canary-secret";
  config.upstreams = {upstream};
  routing::RouteConfig route;
  route.name = "sonnet";
  route.candidate = routing::VariantConfig{};
  route.shadow.percent = {1000};
  config.routes = {route};
  config.settings = {
      routing::make_setting("routes[sonnet].shadow.percent", "10", "0"),
      routing::make_setting("upstreams[east].credentials.secret_access_key", "canary-secret", "")};
  return config;
}

// What the Reloader asks for, in memory.
class Program {
 public:
  std::shared_ptr<const Snapshot> snapshot_of(routing::Config config) const {
    return std::make_shared<const Snapshot>(Snapshot{
        .routes = routing::RouteTable(std::make_shared<const routing::Config>(std::move(config))),
        .upstreams = {},
        .meters = {},
        .experiments = {},
        .default_meter = nullptr,
        .prices = nullptr});
  }

  ReloadSteps steps() {
    return {
        .load = [this] { return file; },
        .build =
            [this](std::shared_ptr<const routing::Config> config) {
              return build_problems.empty() ? SnapshotResult{snapshot_of(*config), {}}
                                            : SnapshotResult{nullptr, build_problems};
            },
        .in_force = [this] { return in_force; },
        .apply =
            [this](std::shared_ptr<const Snapshot> snapshot) {
              if (refusal) return Status(*refusal);
              in_force = std::move(snapshot);
              ++applied;
              return Status();
            },
    };
  }

  void write(routing::Config config) {
    file = {std::make_shared<const routing::Config>(std::move(config)), {}};
  }

  routing::LoadedConfig file;
  std::vector<std::string> build_problems;
  std::optional<Error> refusal;
  std::shared_ptr<const Snapshot> in_force = snapshot_of(example_config());
  int applied = 0;
};

class ReloadTest : public testing::Test {
 protected:
  // What is logged while a reload from `source` runs goes to log_.
  ReloadOutcome reload(ReloadSource source) {
    testing::internal::CaptureStderr();
    const ReloadOutcome outcome = reloader_.reload(source);
    log_ = testing::internal::GetCapturedStderr();
    return outcome;
  }
  std::string metrics_text() const { return recorder_->render(); }

  Program program_;
  std::unique_ptr<metrics::Recorder> recorder_ = metrics::make_prometheus_recorder();
  Reloader reloader_{program_.steps(), *recorder_};
  std::string log_;
};

TEST_F(ReloadTest, PutsAChangedConfigInForceAndTellsWhatChanged) {
  routing::Config config = example_config();
  config.hash = "0000000000000002";
  config.settings[0].value = "0";
  config.settings[1] = routing::make_setting(config.settings[1].key, "rotated-secret", "");
  program_.write(config);

  const ReloadOutcome outcome = reload(ReloadSource::watch);
  EXPECT_EQ(outcome.result, ReloadResult::applied);
  EXPECT_THAT(outcome.changes,
              ElementsAre("routes[sonnet].shadow.percent: 10 -> 0",
                          "upstreams[east].credentials.secret_access_key: another value"));
  EXPECT_EQ(program_.in_force->config().hash, "0000000000000002");
  EXPECT_THAT(log_, HasSubstr("routes[sonnet].shadow.percent: 10 -> 0; upstreams[east]"));
  EXPECT_THAT(log_, Not(HasSubstr("rotated-secret")));
  EXPECT_THAT(log_, Not(HasSubstr("canary-secret")));
  EXPECT_THAT(metrics_text(), HasSubstr("config_reloads_total{result=\"applied\"} 1"));
  EXPECT_THAT(metrics_text(), HasSubstr("0000000000000002"));
}

TEST_F(ReloadTest, KeepsTheOldConfigWhenTheNewOneIsBad) {
  program_.file = {
      nullptr,
      {{.file = "config.yaml", .line = 12, .column = 5, .key = "routes[0]", .what = "is wrong"},
       {.file = "config.yaml",
        .line = 13,
        .column = 1,
        .key = "log",
        .what = "odd",
        .warning = true}}};
  const ReloadOutcome outcome = reload(ReloadSource::request);
  EXPECT_EQ(outcome.result, ReloadResult::refused);
  EXPECT_THAT(outcome.problems, ElementsAre("config.yaml:12:5: routes[0]: is wrong"));
  EXPECT_EQ(program_.applied, 0);
  EXPECT_THAT(log_, HasSubstr("config.yaml:12:5"));
  EXPECT_THAT(metrics_text(), HasSubstr("config_reloads_total{result=\"refused\"} 1"));
}

TEST_F(ReloadTest, RefusesWhatCannotBeBuilt) {
  program_.write(example_config());
  program_.build_problems = {"upstreams.east.credentials: no profile prod"};
  const ReloadOutcome outcome = reload(ReloadSource::signal);
  EXPECT_EQ(outcome.result, ReloadResult::refused);
  EXPECT_THAT(outcome.problems, ElementsAre("upstreams.east.credentials: no profile prod"));
  EXPECT_EQ(program_.applied, 0);
}

TEST_F(ReloadTest, PassesOnWhyTheServerRefuses) {
  program_.write(example_config());
  program_.refusal = Error{
      .kind = ErrorKind::internal, .side = Side::internal, .context = "listeners need a restart"};
  EXPECT_THAT(reload(ReloadSource::signal).problems, ElementsAre("listeners need a restart"));
}

TEST_F(ReloadTest, TheSameBytesAreUnchangedForTheWatchButReloadedOnRequest) {
  program_.write(example_config());
  EXPECT_EQ(reload(ReloadSource::watch).result, ReloadResult::unchanged);
  EXPECT_EQ(program_.applied, 0);
  EXPECT_EQ(reload(ReloadSource::signal).result, ReloadResult::applied);
  EXPECT_EQ(reload(ReloadSource::request).result, ReloadResult::applied);
  EXPECT_EQ(program_.applied, 2);
}

TEST_F(ReloadTest, RemembersTheLastOutcome) {
  EXPECT_FALSE(reloader_.last());
  program_.file = {};
  reload(ReloadSource::request);
  ASSERT_TRUE(reloader_.last());
  EXPECT_EQ(reloader_.last()->outcome.result, ReloadResult::refused);
  EXPECT_EQ(reloader_.last()->source, ReloadSource::request);
}

TEST(Reload, TurnsAnExceptionIntoARefusal) {
  Program program;
  const auto recorder = metrics::make_prometheus_recorder();
  ReloadSteps steps = program.steps();
  steps.load = []() -> routing::LoadedConfig { throw std::runtime_error("disk on fire"); };
  Reloader reloader(std::move(steps), *recorder);
  EXPECT_THAT(reloader.reload(ReloadSource::watch).problems, ElementsAre("disk on fire"));
}

TEST(Reload, RunsOneAfterTheOther) {
  Program program;
  program.write(example_config());
  const auto recorder = metrics::make_prometheus_recorder();
  ReloadSteps steps = program.steps();
  std::atomic<int> inside = 0;
  std::atomic<bool> overlapped = false;
  steps.load = [&, load = steps.load] {
    if (++inside > 1) overlapped = true;
    std::this_thread::yield();
    auto loaded = load();
    --inside;
    return loaded;
  };
  Reloader reloader(std::move(steps), *recorder);
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&] {
        for (int n = 0; n < 50; ++n)
          EXPECT_EQ(reloader.reload(ReloadSource::signal).result, ReloadResult::applied);
      });
    }
  }
  EXPECT_FALSE(overlapped);
  EXPECT_EQ(program.applied, 200);
}

TEST_F(ReloadTest, TellsWhoeverListensWhatCameOfIt) {
  std::vector<ReloadOutcome> told;
  ReloadSteps steps = program_.steps();
  steps.told = [&](const ReloadOutcome& outcome) { told.push_back(outcome); };
  Reloader reloader(std::move(steps), *recorder_);
  program_.write(example_config());
  reloader.reload(ReloadSource::watch);
  EXPECT_THAT(told, IsEmpty()) << "nothing changed";
  program_.file = {};
  reloader.reload(ReloadSource::watch);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].result, ReloadResult::refused);
}

}  // namespace
}  // namespace understudy::proxy

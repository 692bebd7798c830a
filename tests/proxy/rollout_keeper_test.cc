#include "proxy/rollout_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "proxy/fleet_reading.h"
#include "proxy/rollout_status.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using metrics::VerdictState;
using routing::Percent;
using routing::RolloutOrder;
using routing::RolloutPhase;
using testing::HasSubstr;
using testing_support::ScratchDirectory;
using namespace std::chrono_literals;

routing::Config config_with(routing::CanaryConfig canary, const std::string& directory) {
  routing::Config config;
  config.state_directory = directory;
  config.upstreams.resize(1);
  routing::RouteConfig route;
  route.name = "sonnet";
  route.candidate = routing::VariantConfig{.upstream = 0, .model = "next", .rewrite = {}};
  route.canary = std::move(canary);
  config.routes = {route};
  return config;
}

routing::CanaryConfig plain(std::uint32_t hundredths) {
  routing::CanaryConfig canary;
  canary.percent = {hundredths};
  return canary;
}

routing::CanaryConfig staged() {
  routing::CanaryConfig canary;
  canary.stages = {{.percent = {500}, .min_time = 1h, .min_pairs = 100},
                   {.percent = {2'500}, .min_time = 1h, .min_pairs = 100}};
  canary.gates.emplace();
  return canary;
}

class Keeper : public testing::Test {
 protected:
  // A process: ends and begins again with what is on disk.
  void start(const routing::CanaryConfig& canary, StateWriter::Options disk = {}) {
    keeper.reset();
    state_writer.emplace(std::move(disk));
    keeper = std::make_unique<RolloutKeeper>(events, *state_writer, [this] { return now; });
    reload(canary);
  }
  void reload(const routing::CanaryConfig& canary) {
    config = config_with(canary, directory.path().string());
    if (!model.empty()) config.routes[0].candidate->model = model;
    share = keeper->shares_for(config)[0];
    keeper->applied(config);
  }
  void look(VerdictState verdict = VerdictState::safe_to_promote, std::chrono::seconds later = 1s) {
    now += later;
    keeper->look([&](const std::string&) {
      return RouteLook{.verdict = verdict,
                       .verdict_text = "it says so",
                       .pairs = pairs,
                       .no_room = no_room,
                       .no_way_back = no_way_back};
    });
  }
  // To the first stage.
  void begin_rollout() {
    start(staged());
    look();
    look();
    ASSERT_EQ(state().phase, RolloutPhase::baking);
  }
  OrderAnswer order(RolloutOrder order) { return keeper->order("sonnet", order); }
  routing::RolloutState state() const { return keeper->view("sonnet")->state; }

  ScratchDirectory directory;
  routing::Moment now{std::chrono::seconds(1'800'000'000)};
  std::optional<std::uint64_t> pairs = 0;
  std::string no_way_back;
  std::vector<std::string> no_room;
  std::string model;
  EventLog events{[this] { return now; }};
  std::optional<StateWriter> state_writer;
  routing::Config config;
  std::unique_ptr<RolloutKeeper> keeper;
  std::shared_ptr<routing::LiveShare> share;
};

TEST_F(Keeper, ServesAPlainPercentAtOnceAndTakesItBackByOneStore) {
  start(plain(1'000));
  EXPECT_EQ(share->now(), Percent{1'000});
  const OrderAnswer answer = order(RolloutOrder::rollback);
  EXPECT_EQ(answer.result, OrderAnswer::Result::done);
  EXPECT_THAT(answer.text, HasSubstr("serves 0 %"));
  EXPECT_THAT(answer.text, HasSubstr("until `understudy resume sonnet`"));
  EXPECT_EQ(share->now(), Percent{});
  EXPECT_THAT(keeper->view("sonnet")->cap, HasSubstr("rolled back (manual)"));
  ASSERT_EQ(keeper->rollbacks().size(), 1u);
  EXPECT_EQ(keeper->rollbacks()[0].reason, "manual");
  EXPECT_EQ(keeper->order("nobody", RolloutOrder::rollback).result, OrderAnswer::Result::no_route);
}

TEST_F(Keeper, GoesOnBehindAClosedWayBackWhereTheGatesDoNotAskForIt) {
  no_way_back = "the primary's last answer was a failure (throttled)";
  routing::CanaryConfig plan = staged();
  plan.gates.emplace().way_back = routing::RolloutGates::WayBack::off;
  plan.stages[0].gates.emplace();
  start(plan);
  look();
  look();
  ASSERT_EQ(state().stage, 1u) << "as the route has it";
  pairs = 1'000;
  look(VerdictState::safe_to_promote, 2h);
  look();
  EXPECT_EQ(state().stage, 1u) << "as the stage has it";
}

TEST_F(Keeper, BeginsNoFurtherStageByItselfWhileTheWayBackIsClosed) {
  no_way_back = "the primary's last answer was a failure (throttled)";
  start(staged());
  for (int i = 0; i < 3; ++i) look();
  EXPECT_EQ(state().stage, 0u);
  ASSERT_EQ(keeper->view("sonnet")->holds.size(), 1u);
  EXPECT_EQ(keeper->view("sonnet")->holds[0].text, "way back: " + no_way_back);
  order(RolloutOrder::promote);
  EXPECT_EQ(state().stage, 1u) << "people may";
  no_way_back.clear();
  pairs = 1'000;
  look(VerdictState::safe_to_promote, 2h);
  look();
  EXPECT_EQ(state().stage, 2u);
}

TEST_F(Keeper, TellsWhatHoldsItFirstWhenThatChangesAndAllOfItOnThePage) {
  const auto told = [&] {
    std::vector<std::string> texts;
    for (const Event& event : events.recent()) {
      if (event.text.find("is held: ") != std::string::npos) texts.push_back(event.text);
    }
    return texts;
  };
  const auto waits_for = [&] {
    return describe_rollout(*keeper->view("sonnet"), now)["next"]["waits_for"].dump();
  };
  no_way_back = "the primary's last answer was a failure (throttled)";
  no_room = {"does not fit: 5 %", ""};
  start(staged());
  for (int i = 0; i < 3; ++i) look();
  ASSERT_EQ(told().size(), 1u) << "the way back alone is enough, and one event, too";
  EXPECT_THAT(told()[0], HasSubstr("rollout of sonnet is held: way back: the primary's last"));
  EXPECT_EQ(waits_for(), "[\"way back: " + no_way_back + "\",\"volume: does not fit: 5 %\"]");
  no_way_back.clear();
  look();
  look();
  ASSERT_EQ(told().size(), 2u);
  EXPECT_THAT(told()[0], HasSubstr("is held: volume: does not fit: 5 %"));
  no_room.clear();
  look();
  look();
  ASSERT_EQ(state().stage, 1u);

  RouteLook seen{.verdict = VerdictState::safe_to_promote, .pairs = 1'000, .no_room = {"", "full"}};
  const auto minute = [&] {
    now += 1min;
    seen.primary.requests += 100;
    seen.candidate.requests += 100;
    seen.candidate.errors += 30;
    keeper->look([&](const std::string&) { return seen; });
  };
  now += 2h;
  minute();
  ASSERT_EQ(told().size(), 3u);
  EXPECT_THAT(told()[0], HasSubstr("is held: volume: full"));
  minute();
  ASSERT_EQ(told().size(), 4u);
  EXPECT_THAT(told()[0], HasSubstr("is held: gate error_rate: candidate 30 %"));
}

// What look_at() finds in a fleet.
class KeeperInAFleet : public Keeper {
 protected:
  void look_at_fleet(routing::RolloutFleet fleet, std::size_t stage = 0, std::uint64_t seen = 0,
                     VerdictState verdict = VerdictState::keep_shadowing) {
    now += 1s;
    const RolloutIdentity identity = identity_of(config, config.routes[0]);
    keeper->look(
        [&](const std::string&) {
          return RouteLook{.verdict = verdict,
                           .verdict_text = "it says so",
                           .pairs = pairs,
                           .no_room = no_room,
                           .fleet = fleet,
                           .fleet_identity = fleet_identity(identity.experiment, identity.canary),
                           .fleet_stage = stage,
                           .stage_pairs = seen};
        },
        true);
  }
};

TEST_F(KeeperInAFleet, FollowsARollbackAlsoWhereNoGateWatches) {
  start(plain(1'000));
  look_at_fleet({.rolled_back = now});
  EXPECT_EQ(share->now(), Percent{});
  EXPECT_EQ(keeper->rollbacks()[0].reason, "fleet");
  EXPECT_THAT(events.recent().front().text, HasSubstr("another proxy of the fleet"));
  const auto elsewhere = state().since;
  order(RolloutOrder::resume);
  start(plain(1'000));
  look_at_fleet({.rolled_back = elsewhere});
  EXPECT_EQ(share->now(), Percent{1'000}) << "that it was resumed is remembered";
}

TEST_F(KeeperInAFleet, JoinsNoStageThatItsOwnPartOfTheQuotaHasNoRoomForUntilItHas) {
  no_room = {"", "does not fit: 25 % would ask too much"};
  start(staged());
  look_at_fleet({.stage = 2, .stage_since = now});
  EXPECT_EQ(state().stage, 1u) << "the last one that fits";
  for (int i = 0; i < 3; ++i) look_at_fleet({.stage = 2, .stage_since = now});
  EXPECT_EQ(share->now(), Percent{500});
  no_room = {};
  look_at_fleet({.stage = 2, .stage_since = now});
  EXPECT_EQ(share->now(), Percent{2'500});
  no_room = {"does not fit", "does not fit"};
  look_at_fleet({.stage = 2, .stage_since = now});
  EXPECT_EQ(state().stage, 2u) << "what was begun goes on";
}

TEST_F(KeeperInAFleet, CountsThePairsOfAllInTheStageThatTheyAreOf) {
  start(staged());
  look_at_fleet({.stage = 1, .stage_since = now});
  ASSERT_EQ(state().stage, 1u);
  look_at_fleet({}, 0, 500);
  EXPECT_EQ(keeper->view("sonnet")->pairs, 0u) << "they were counted before it began";
  look_at_fleet({}, 1, 70);
  EXPECT_EQ(keeper->view("sonnet")->pairs, 70u);
}

TEST_F(KeeperInAFleet, LeavesAloneWhatIsSaidOfAnotherPlan) {
  start(staged());
  keeper->look([&](const std::string&) {
    return RouteLook{.fleet = routing::RolloutFleet{.stage = 2, .stage_since = now},
                     .fleet_identity = "another/plan"};
  });
  EXPECT_EQ(state().stage, 0u);
}

TEST_F(Keeper, KeepsARollbackThroughReloadsAndRestarts) {
  start(plain(1'000));
  order(RolloutOrder::rollback);
  reload(plain(1'000));
  EXPECT_EQ(share->now(), Percent{});
  start(plain(1'000));
  EXPECT_EQ(share->now(), Percent{});
  EXPECT_EQ(state().reason, "manual");
  EXPECT_TRUE(share->withdrawn());
  model = "another-candidate";
  start(plain(1'000));
  EXPECT_EQ(share->now(), Percent{}) << "another candidate does not lift it";
  EXPECT_TRUE(share->withdrawn());
  EXPECT_EQ(order(RolloutOrder::resume).result, OrderAnswer::Result::done);
  EXPECT_EQ(share->now(), Percent{1'000});
  EXPECT_FALSE(share->withdrawn());
  start(plain(1'000));
  EXPECT_EQ(share->now(), Percent{1'000});
}

TEST_F(Keeper, LiftsARollbackWhenTheCanarySectionChanges) {
  start(plain(1'000));
  order(RolloutOrder::rollback);
  reload(plain(500));
  EXPECT_EQ(share->now(), Percent{500});
  EXPECT_EQ(state().phase, RolloutPhase::complete);
  EXPECT_THAT(events.recent().front().text, HasSubstr("rolled_back -> complete"));
}

TEST_F(Keeper, ARollbackWhileAConfigIsBeingLoadedIsNotLiftedByIt) {
  start(plain(1'000));
  config = config_with(plain(500), directory.path().string());
  const auto next = keeper->shares_for(config)[0];
  EXPECT_EQ(next->now(), Percent{500});
  order(RolloutOrder::rollback);
  EXPECT_EQ(next->now(), Percent{});
  keeper->applied(config);
  EXPECT_EQ(next->now(), Percent{});
  EXPECT_EQ(state().phase, RolloutPhase::rolled_back);
}

TEST_F(Keeper, BringsAHealthyRolloutFromStageToStage) {
  begin_rollout();
  EXPECT_EQ(share->now(), Percent{500});
  pairs = 99;
  look(VerdictState::safe_to_promote, 2h);
  EXPECT_EQ(state().phase, RolloutPhase::baking) << "one pair is missing";
  pairs = 100;
  look();
  look();
  EXPECT_EQ(share->now(), Percent{2'500});
  EXPECT_EQ(keeper->view("sonnet")->pairs, 0u) << "a stage counts its own";
  pairs = 200;
  look(VerdictState::safe_to_promote, 1h);
  look();
  EXPECT_EQ(state().phase, RolloutPhase::complete);
}

TEST_F(Keeper, GoesOnInMidStageAfterARestartAndAReloadThatLeavesThePlanAlone) {
  begin_rollout();
  pairs = 60;
  look(VerdictState::safe_to_promote, 30min);
  const auto since = state().stage_since;
  start(staged());
  EXPECT_EQ(share->now(), Percent{500});
  EXPECT_EQ(state().stage_since, since);
  pairs.reset();  // before the first pair nobody knows how many there were
  look(VerdictState::keep_shadowing);
  pairs = 60;
  look();
  EXPECT_EQ(keeper->view("sonnet")->pairs, 60u);

  routing::CanaryConfig other_gates = staged();
  other_gates.gates->operational[0].reset();
  const auto before = share;
  reload(other_gates);
  EXPECT_EQ(share, before) << "the same word goes on";
  EXPECT_EQ(state().stage_since, since);
}

TEST_F(Keeper, FollowsTheConfigWhereItLowersTheShare) {
  begin_rollout();
  routing::CanaryConfig lower = staged();
  lower.stages[0].percent = {100};
  reload(lower);
  EXPECT_EQ(share->now(), Percent{100});
  lower.stages.erase(lower.stages.begin());
  reload(lower);
  EXPECT_EQ(share->now(), Percent{}) << "25 % was never earned";
  EXPECT_EQ(state().phase, RolloutPhase::pending);
}

TEST_F(Keeper, BeginsAnewWithAnotherCandidate) {
  begin_rollout();
  model = "another-candidate";
  const auto before = share;
  reload(staged());
  EXPECT_NE(share, before);
  EXPECT_EQ(share->now(), Percent{});
  EXPECT_EQ(state().phase, RolloutPhase::pending);
}

TEST_F(Keeper, RollsBackByTheEvidenceAsTheGateSays) {
  begin_rollout();
  look(VerdictState::fix_first);
  EXPECT_EQ(state().phase, RolloutPhase::baking) << "it holds by default";
  look(VerdictState::roll_back);
  EXPECT_EQ(state().phase, RolloutPhase::rolled_back);
  EXPECT_EQ(share->now(), Percent{});
  const Event event = events.recent().front();
  EXPECT_TRUE(event.warning);
  EXPECT_THAT(event.text, HasSubstr("rolled_back by the evidence: it says so"));

  routing::CanaryConfig strict = staged();
  strict.gates->evidence = routing::RolloutGates::Evidence::fix_first;
  reload(strict);
  look();
  look();
  ASSERT_EQ(share->now(), Percent{500});
  look(VerdictState::fix_first);
  EXPECT_EQ(state().reason, "evidence");
}

TEST_F(Keeper, RollsBackByABrokenGate) {
  begin_rollout();
  RouteLook seen{.verdict = VerdictState::safe_to_promote};
  for (int i = 0; i < 5 && state().phase != RolloutPhase::rolled_back; ++i) {
    now += 1min;
    seen.primary.requests += 100;
    seen.candidate.requests += 100;
    seen.candidate.errors += 30;
    keeper->look([&](const std::string&) { return seen; });
  }
  EXPECT_EQ(state().reason, "error_rate");
  EXPECT_THAT(events.recent().front().text, HasSubstr("candidate 30 %"));
}

TEST_F(Keeper, LetsThePrimaryServeWhereTheStateCannotBeRead) {
  std::ofstream(directory.path() / "rollout-sonnet.json") << "{\"version\": 1, \"sta";
  start(plain(1'000));
  EXPECT_EQ(share->now(), Percent{});
  EXPECT_EQ(state().reason, "state_unreadable");
  EXPECT_TRUE(std::filesystem::exists(directory.path() / "rollout-sonnet.json.damaged"));
  order(RolloutOrder::resume);
  EXPECT_EQ(share->now(), Percent{1'000});
}

// The config that was asked for may be refused yet: a start ends then, and the next one must find
// the same.
TEST_F(Keeper, ARefusedConfigLeavesAStateThatCannotBeReadWhereItIs) {
  const auto file = directory.path() / "rollout-sonnet.json";
  std::ofstream(file) << "{\"version\": 1, \"sta";
  config = config_with(plain(1'000), directory.path().string());
  state_writer.emplace();
  for (int start = 0; start < 2; ++start) {
    keeper = std::make_unique<RolloutKeeper>(events, *state_writer, [this] { return now; });
    EXPECT_EQ(keeper->shares_for(config)[0]->now(), Percent{});
    EXPECT_EQ(std::filesystem::file_size(file), 19u);
    EXPECT_FALSE(std::filesystem::exists(file.string() + ".damaged"));
  }
  keeper->applied(config);
  EXPECT_EQ(std::filesystem::file_size(file.string() + ".damaged"), 19u);
  start(plain(1'000));
  EXPECT_EQ(share->now(), Percent{}) << "it is stored now that it is rolled back";
}

TEST_F(Keeper, CountsNoPairsOfTheStageBeforeWhereAStageBeginsAtOnceAfterARestart) {
  begin_rollout();
  pairs = 80;
  look();
  start(staged());
  order(RolloutOrder::promote);
  ASSERT_EQ(state().stage, 2u);
  EXPECT_EQ(keeper->view("sonnet")->pairs, 0u);
  look();
  EXPECT_EQ(keeper->view("sonnet")->pairs, 0u) << "the eighty are the first stage's";
  start(staged());
  pairs = 90;
  look();
  EXPECT_EQ(keeper->view("sonnet")->pairs, 10u);
}

TEST_F(Keeper, TakesNoLookThatIsOfACandidateOfBefore) {
  begin_rollout();
  RouteLook stale{.verdict = VerdictState::roll_back, .verdict_text = "bad", .pairs = 700};
  stale.experiment = identity_of(config, config.routes[0]).experiment;
  model = "another-candidate";
  reload(staged());
  order(RolloutOrder::promote);
  keeper->look([&](const std::string&) { return stale; });
  EXPECT_EQ(state().phase, RolloutPhase::baking);
  EXPECT_EQ(keeper->view("sonnet")->verdict_text, "");
  stale.experiment = identity_of(config, config.routes[0]).experiment;
  keeper->look([&](const std::string&) { return stale; });
  EXPECT_EQ(state().phase, RolloutPhase::rolled_back);
}

TEST_F(Keeper, AnswersAnOrderWhenItIsStored) {
  start(plain(1'000));
  order(RolloutOrder::rollback);
  std::ifstream file(directory.path() / "rollout-sonnet.json");
  const auto read = rollout_from_json(std::string(std::istreambuf_iterator<char>(file), {}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->state.phase, RolloutPhase::rolled_back);
}

TEST_F(Keeper, RollsBackAndReloadsAndTellsWhileTheDiskHangs) {
  std::promise<void> disk_answers;
  const std::shared_future<void> answered = disk_answers.get_future().share();
  const StateWriter::Options hangs{.write =
                                       [answered](const auto& file, std::string_view text) {
                                         answered.wait();
                                         return metrics::write_state_file(file, text);
                                       },
                                   .patience = 1ms};
  start(staged(), hangs);
  look();
  look();
  ASSERT_EQ(state().phase, RolloutPhase::baking);
  look(VerdictState::roll_back);
  EXPECT_EQ(share->now(), Percent{}) << "by the evidence";
  ASSERT_FALSE(events.recent().empty());
  EXPECT_THAT(events.recent().front().text, HasSubstr("rolled_back"));
  reload(plain(1'000));
  EXPECT_EQ(share->now(), Percent{1'000}) << "by a reload";
  const OrderAnswer answer = order(RolloutOrder::rollback);
  EXPECT_EQ(share->now(), Percent{}) << "by hand";
  EXPECT_THAT(answer.text, HasSubstr("it is not stored, so that a restart forgets it"));
  EXPECT_THAT(keeper->view("sonnet")->storage_problem, HasSubstr("the disk has not answered"));
  disk_answers.set_value();
  start(plain(1'000));
  EXPECT_EQ(share->now(), Percent{}) << "and was stored when the disk answered";
}

TEST_F(Keeper, HoldsACandidateThatServesAllAgainstThePrimaryOfBeforeARestart) {
  RouteLook seen{.verdict = VerdictState::keep_shadowing};
  const auto minute = [&](double by_primary, double seconds_each) {
    now += 1min;
    seen.primary.requests += by_primary;
    seen.primary.timed += by_primary;
    seen.primary.seconds += by_primary;
    seen.candidate.requests += 100;
    seen.candidate.timed += 100;
    seen.candidate.seconds += 100 * seconds_each;
    keeper->look([&](const std::string&) { return seen; });
  };
  routing::CanaryConfig half = plain(5'000), all = plain(10'000);
  half.gates.emplace();
  all.gates.emplace();
  start(half);
  for (int i = 0; i < 3; ++i) minute(100, 1.0);
  start(all);
  seen = {.verdict = VerdictState::keep_shadowing};
  for (int i = 0; i < 4; ++i) minute(0, 2.0);
  EXPECT_EQ(state().reason, "latency");
}

TEST_F(Keeper, SaysWhereARollbackCouldNotBeStored) {
  start(plain(1'000));
  ASSERT_EQ(state_writer->problem_after_try(directory / "rollout-sonnet.json"), "");
  std::filesystem::remove_all(directory.path());
  std::ofstream(directory.path()) << "a file where the directory was";
  const OrderAnswer answer = order(RolloutOrder::rollback);
  EXPECT_EQ(share->now(), Percent{}) << "it is in force all the same";
  EXPECT_THAT(answer.text, HasSubstr("it is not stored"));
  EXPECT_THAT(keeper->view("sonnet")->storage_problem, HasSubstr(directory.path().string()));
  std::filesystem::remove(directory.path());
  start(plain(1'000));
  EXPECT_EQ(share->now(), Percent{}) << "tried again at the latest when the process ends";
}

}  // namespace
}  // namespace understudy::proxy

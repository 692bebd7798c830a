// What a look finds in the exposition, how a rollout is told, and what its file may hold.

#include "proxy/rollout_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "proxy/rollout_files.h"
#include "proxy/rollout_keeper.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using routing::RolloutPhase;
using testing::HasSubstr;
using testing_support::ScratchDirectory;

Snapshot without_routes() {
  return {.routes = routing::RouteTable(std::make_shared<const routing::Config>()),
          .upstreams = {},
          .meters = {},
          .experiments = {},
          .default_meter = nullptr,
          .prices = nullptr};
}

TEST(RolloutLook, ReadsWhatBothVariantsServedOfTheRouteFromTheExposition) {
  const auto samples = parse_exposition(
      "understudy_requests_total{route=\"r\",variant=\"candidate\",leg=\"served\",code=\"200\"} "
      "90\n"
      "understudy_requests_total{route=\"r\",variant=\"candidate\",leg=\"served\",code=\"503\"} "
      "10\n"
      "understudy_requests_total{route=\"r\",variant=\"candidate\",leg=\"shadow\",code=\"503\"} 7\n"
      "understudy_requests_total{route=\"q\",variant=\"candidate\",leg=\"served\",code=\"503\"} 7\n"
      "understudy_requests_total{route=\"r\",variant=\"primary\",leg=\"served\",code=\"200\"} 400\n"
      "understudy_request_duration_seconds_sum{route=\"r\",variant=\"primary\",leg=\"served\"} "
      "800\n"
      "understudy_request_duration_seconds_count{route=\"r\",variant=\"primary\",leg=\"served\"} "
      "400\n"
      "understudy_requests_total{route=\"r\",operation=\"other\",variant=\"primary\",leg="
      "\"served\",code=\"200\"} 5000\n"
      "understudy_request_duration_seconds_sum{route=\"r\",operation=\"other\",variant="
      "\"primary\",leg=\"served\"} 90000\n"
      "understudy_broken_answers_total{route=\"r\",variant=\"candidate\",leg=\"served\"} 3\n"
      "understudy_requests_total{route=\"r\",variant=\"candidate\",leg=\"served\",code=\"400\"} "
      "1\n"
      "understudy_fallbacks_total{route=\"r\",reason=\"throttled\"} 4\n"
      "understudy_fallbacks_total{route=\"r\",reason=\"connection\"} 5\n");
  const RouteLook look = look_at(
      without_routes(), "r", [](std::string_view) { return nullptr; }, samples);
  EXPECT_EQ(look.candidate.requests, 101.0);
  EXPECT_EQ(look.candidate.errors, 14.0);
  EXPECT_EQ(look.candidate.faults, 13.0) << "a 400 is the client's";
  EXPECT_EQ(look.candidate.fallbacks, 9.0);
  EXPECT_EQ(look.primary.requests, 400.0);
  EXPECT_EQ(look.primary.errors, 0.0);
  EXPECT_EQ(look.primary.seconds, 800.0);
  EXPECT_EQ(look.primary.timed, 400.0);
}

// A talk in both directions lasts minutes and is the primary's alone.
TEST(RolloutLook, HoldsTheCandidateAgainstNoRequestThatItCannotGet) {
  std::string page;
  for (const routing::Operation operation : routing::kOperations) {
    const std::string labels = "{route=\"r\",operation=\"" + std::string(label(operation)) +
                               "\",variant=\"primary\",leg=\"served\"";
    const std::string amount = is_understood(operation) ? "1\n" : "1000\n";
    page += "understudy_requests_total" + labels + ",code=\"500\"} " + amount;
    page += "understudy_request_duration_seconds_sum" + labels + "} " + amount;
    page += "understudy_time_to_first_token_seconds_sum" + labels + "} " + amount;
  }
  const RouteLook look = look_at(
      without_routes(), "r", [](std::string_view) { return nullptr; }, parse_exposition(page));
  const auto understood =
      static_cast<double>(std::ranges::count_if(routing::kOperations, routing::is_understood));
  EXPECT_EQ(look.primary.requests, understood);
  EXPECT_EQ(look.primary.errors, understood);
  EXPECT_EQ(look.primary.seconds, understood);
  EXPECT_EQ(look.primary.first_token_seconds, understood);
}

TEST(RolloutStatus, NamesAStageForTheEvidence) {
  RolloutView rollout{};
  rollout.plan.stages = {{.percent = {100}}, {.percent = {2550}}};
  EXPECT_FALSE(is_in_stage(rollout)) << "before the first";
  rollout.state.stage = 2;
  ASSERT_TRUE(is_in_stage(rollout));
  EXPECT_EQ(stage_name(rollout), "stage 2 (25.5 %)");
  rollout.state.stage = 3;
  EXPECT_FALSE(is_in_stage(rollout)) << "the plan has become shorter";
}

TEST(RolloutFiles, RefuseWhatIsNoRollout) {
  const StoredRollout stored{.identity = {"a", "b", "c"},
                             .state = {.phase = RolloutPhase::holding, .stage = 2},
                             .served = {500},
                             .pairs_before = 7,
                             .baselines = {ServedFigures{.requests = 30, .seconds = 1.5}}};
  const std::string good = to_json_text(stored);
  const auto read = rollout_from_json(good);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->state, stored.state);
  EXPECT_EQ(read->identity, stored.identity);
  EXPECT_EQ(read->pairs_before, 7u);
  ASSERT_TRUE(read->baselines[0]);
  EXPECT_EQ(read->baselines[0]->requests, 30.0);
  EXPECT_EQ(read->baselines[0]->seconds, 1.5);
  EXPECT_FALSE(read->baselines[1]);
  for (std::size_t cut = 0; cut + 2 < good.size(); ++cut)
    EXPECT_FALSE(rollout_from_json(good.substr(0, cut))) << cut;
  for (const char* bad : {"[]", "null", "{}", "{\"version\":2}", "[[[[[[[["})
    EXPECT_FALSE(rollout_from_json(bad)) << bad;
}

}  // namespace
}  // namespace understudy::proxy

#include "proxy/lifecycle_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "routing/day.h"

namespace understudy::proxy {
namespace {

using metrics::ModelState;
using testing::Contains;
using testing::HasSubstr;

std::chrono::sys_days day(std::string_view text) {
  return routing::day_from_text(text).value();
}

routing::Config config_with(std::string primary, std::string candidate,
                            std::vector<std::string> match = {}) {
  routing::Config config;
  config.upstreams.resize(1);
  routing::RouteConfig& route = config.routes.emplace_back();
  route.name = "r";
  route.match.models = std::move(match);
  route.primary.model = std::move(primary);
  route.candidate =
      routing::VariantConfig{.upstream = 0, .model = std::move(candidate), .rewrite = {}};
  return config;
}

std::vector<ModelReport> report(const routing::Config& config, std::string_view today,
                                std::vector<ModelBook::Entry> seen = {}) {
  return report_models(config, *metrics::Lifecycles::built_in(), seen, day(today));
}

TEST(LifecycleReport, TellsWhatEndsWhenAndWhatPresses) {
  const auto config = config_with("us.anthropic.claude-opus-4-1-20250805-v1:0",
                                  "anthropic.claude-sonnet-4-5-20250929-v1:0");
  const auto models = report(config, "2026-11-21");
  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(models[0].state, ModelState::extended);
  EXPECT_EQ(models[0].days_left, 48);
  EXPECT_TRUE(models[0].pressing);
  EXPECT_THAT(models[0].remarks,
              Contains(HasSubstr("reaches its end of life on 2027-01-08 (in 48 days)")));
  EXPECT_THAT(models[0].where, Contains("routes.r.primary"));
  EXPECT_EQ(models[1].state, ModelState::unknown);
  EXPECT_TRUE(models[1].remarks.empty());
  EXPECT_THAT(report(config, "2027-02-01")[0].remarks,
              Contains(HasSubstr("reached its end of life on 2027-01-08 (24 days ago)")));
}

TEST(LifecycleReport, WarnsOfIdsThatPinNothing) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"us.anthropic.claude-sonnet-5", "no date and no version"},
      {"anthropic.claude-mythos-preview", "is a preview"},
      {"openai.model-latest", "is an alias"},
      {"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
       "hides the model"},
  };
  for (const auto& [id, words] : cases)
    EXPECT_THAT(report(config_with(id, "amazon.nova-lite-v1:0"), "2026-11-21")[0].remarks,
                Contains(HasSubstr(words)))
        << id;
  EXPECT_TRUE(report(config_with("amazon.nova-lite-v1:0", "a.b-20250101"), "2026-11-21")[0]
                  .remarks.empty());
}

TEST(LifecycleReport, APatternStandsForTheModelsItTakes) {
  const auto models =
      report(config_with("", "a.b-v1:0", {"*.anthropic.claude-3-haiku-*", "*"}), "2026-11-21");
  ASSERT_EQ(models.size(), 2U) << "what takes everything says nothing";
  EXPECT_EQ(models[1].model, "anthropic.claude-3-haiku-20240307");
  EXPECT_EQ(models[1].state, ModelState::ended);
}

TEST(LifecycleReport, ListsWhatWasAskedToo) {
  ModelBook::Entry asked;
  asked.route = "r";
  asked.model = "eu.anthropic.claude-3-haiku-20240307-v1:0";
  asked.problem = "gone";
  asked.gone = metrics::ModelGone::ended;
  const auto config = config_with("a.b-v1:0", "a.c-v1:0");
  const auto models = report(config, "2026-11-21", {asked});
  ASSERT_EQ(models.size(), 3U);
  EXPECT_TRUE(models[2].seen);
  EXPECT_THAT(models[2].where, Contains("asked on r (primary)"));
  const auto json = describe_models(models, *metrics::Lifecycles::built_in(), day("2026-11-21"));
  EXPECT_EQ(json["models"][2]["gone"], "ended");
  EXPECT_EQ(json["models"][2]["end_of_life"], "2026-09-10");
  EXPECT_EQ(json["models"][2]["days_left"], -72);
  const std::string page = lifecycle_exposition(models);
  EXPECT_THAT(page, HasSubstr("understudy_model_end_of_life_timestamp_seconds{model=\"anthropic."
                              "claude-3-haiku-20240307\"} 1788998400\n"));
  EXPECT_THAT(page, HasSubstr("understudy_model_days_left{model=\"anthropic.claude-3-haiku-"
                              "20240307\"} -72\n"));
}

TEST(LifecycleReport, TheConfigsWarningsNameTheRoute) {
  const auto loaded = load_lifecycles(
      config_with("anthropic.claude-3-haiku-20240307-v1:0", "a.c-v1:0"), day("2026-11-21"));
  EXPECT_TRUE(loaded.problems.empty());
  EXPECT_THAT(
      loaded.warnings,
      Contains(HasSubstr("routes.r.primary: anthropic.claude-3-haiku-20240307-v1:0 reached")));
}

}  // namespace
}  // namespace understudy::proxy

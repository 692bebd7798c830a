#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "proxy/volume_book.h"
#include "proxy/volume_status.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using std::chrono::sys_days;
using std::chrono::sys_seconds;
using testing::HasSubstr;
using testing_support::ScratchDirectory;
using namespace std::chrono_literals;

const sys_days kDay = sys_days(std::chrono::year(2026) / 11 / 20);
const sys_seconds kNoon = kDay + 12h;

// --- The fullest minute

TEST(VolumeMeter, FindsTheFullestSixtySecondsWhereverTheyLie) {
  VolumeMeter meter;
  EXPECT_FALSE(meter.peak(kDay));
  for (int i = 0; i < 30; ++i) meter.add(kNoon + 45s + std::chrono::seconds(i), 100);
  EXPECT_EQ(meter.peak(kDay), (VolumePeak{30, 3000})) << "across the turn of a minute";
  meter.add(kNoon + 45s + 60s, 100);
  EXPECT_EQ(meter.peak(kDay)->requests, 30U) << "a minute after the first";
  meter.add(kNoon + 45s + 59s, 100);
  EXPECT_EQ(meter.peak(kDay)->requests, 31U);
}

TEST(VolumeMeter, CountsARequestWhereItBeganHoweverLateItIsTold) {
  VolumeMeter meter;
  for (int i = 0; i < 10; ++i) {
    meter.add(kNoon + 300s, 1);
    meter.add(kNoon, 1);
  }
  EXPECT_EQ(meter.peak(kDay)->requests, 10U);
}

TEST(VolumeMeter, ForgetsAPeakAfterSevenDays) {
  VolumeMeter meter;
  for (int i = 0; i < 5; ++i) meter.add(kNoon, 10);
  meter.add(kNoon + 24h, 10);
  EXPECT_EQ(meter.peak(kDay + std::chrono::days(6))->requests, 5U);
  EXPECT_EQ(meter.peak(kDay + std::chrono::days(7))->requests, 1U);
  EXPECT_FALSE(meter.peak(kDay + std::chrono::days(8)));
}

TEST(VolumeMeter, SurvivesAClockThatGoesBack) {
  VolumeMeter meter;
  for (int i = 0; i < 5; ++i) meter.add(kNoon, 10);
  meter.add(kNoon - 48h, 10);
  meter.add(sys_seconds(-5s), 10);
  EXPECT_EQ(meter.peak(kDay)->requests, 5U);
}

// --- What it would ask of the candidate

metrics::Usage usage(std::int64_t input, std::int64_t output) {
  metrics::Usage made;
  made.input = input;
  made.output = output;
  return made;
}

constexpr metrics::QuotaRule kRule{.output_burn_down = 5, .max_output_tokens = 4096};

class Volumes : public testing::Test {
 protected:
  void served(const metrics::Usage& used, std::optional<std::uint64_t> max_output,
              bool by_candidate = false) {
    book->note("r", {.by_candidate = by_candidate,
                     .usage = used,
                     .max_output = max_output,
                     .rule = kRule,
                     .begun = VolumeBook::Clock::now()});
  }
  void restart() {
    book.reset();
    book = std::make_unique<VolumeBook>(directory.path().string());
  }

  ScratchDirectory directory;
  std::unique_ptr<VolumeBook> book = std::make_unique<VolumeBook>(directory.path().string());
};

TEST_F(Volumes, CountTheLargerOfWhatIsReservedAndWhatIsBurned) {
  served(usage(100, 10), 500);
  EXPECT_EQ(book->peak("r"), (VolumePeak{1, 600})) << "reserved";
  served(usage(100, 400), 500);
  EXPECT_EQ(book->peak("r")->tokens, 600U + 2100U) << "five for one";
  served(usage(100, 10), std::nullopt);
  EXPECT_EQ(book->peak("r")->tokens, 2700U + 4196U) << "as much as the model may answer";
  served({}, 0);
  EXPECT_EQ(book->peak("r")->tokens, 6896U + 100U) << "an untold input is the mean of the others";
}

TEST_F(Volumes, CountThePrimarysInputInTheCandidatesTokens) {
  book->note_pair("r", 1000, 1300);
  served(usage(100, 0), 0);
  EXPECT_EQ(book->peak("r")->tokens, 130U);
  served(usage(130, 0), 0, true);
  EXPECT_EQ(book->peak("r")->tokens, 260U) << "the candidate's own are counted already";
}

TEST_F(Volumes, AreKeptThroughARestartUnlessAnotherRuleHolds) {
  served(usage(100, 10), 500);
  restart();
  EXPECT_EQ(book->peak("r"), (VolumePeak{1, 600}));
  EXPECT_FALSE(book->peak("another"));
  book->note("r", {.by_candidate = false,
                   .usage = usage(10, 0),
                   .max_output = 0,
                   .rule = {.output_burn_down = 1, .max_output_tokens = 1},
                   .begun = VolumeBook::Clock::now()});
  EXPECT_EQ(book->peak("r"), (VolumePeak{1, 10}));
}

TEST_F(Volumes, SetAsideWhatIsNoVolume) {
  const auto file = directory.path() / "volume-r.json";
  std::ofstream(file) << R"({"version": 1, "days": [{"day": "soon"}]})";
  EXPECT_FALSE(book->peak("r"));
  EXPECT_TRUE(std::filesystem::exists(file.string() + ".damaged"));
}

// --- Against the quota

routing::RouteConfig staged(std::optional<std::uint64_t> requests,
                            std::optional<std::uint64_t> tokens) {
  routing::RouteConfig route;
  route.name = "r";
  route.candidate.emplace();
  route.candidate->quota.requests_per_minute = requests;
  route.candidate->quota.tokens_per_minute = tokens;
  route.shadow.percent = {1'000};
  route.shadow.control = {.automatic = false, .percent = {5'000}};
  route.canary.stages = {{.percent = {1'000}}, {.percent = {5'000}}, {.percent = {10'000}}};
  return route;
}

TEST(StageVolume, AddsTheCopiesToWhatIsServed) {
  const auto stages = stages_against_quota(staged(600, 70'000), VolumePeak{1'000, 100'000});
  ASSERT_EQ(stages.size(), 3U);
  EXPECT_EQ(stages[0].asked.requests, 195U) << "100 served, 90 copies, 5 controls";
  EXPECT_TRUE(stages[0].fits);
  EXPECT_EQ(stages[1].asked, (VolumePeak{575, 57'500}));
  EXPECT_TRUE(stages[1].fits);
  EXPECT_EQ(stages[2].asked, (VolumePeak{1'050, 105'000}));
  EXPECT_FALSE(stages[2].fits);
  EXPECT_EQ(stages[2].text,
            "does not fit: 100 % would ask up to 1050 requests and 105000 tokens a minute of the "
            "candidate, with the copies; its quota is 600 requests and 70000 tokens");
}

TEST(StageVolume, TakesNoMoreCopiesThanTheirBudgetAllows) {
  routing::RouteConfig route = staged(120, std::nullopt);
  route.shadow.budget.requests_per_minute = 20;
  EXPECT_THAT(refused_stages(route, VolumePeak{1'000, 0}),
              testing::ElementsAre("", HasSubstr("520 requests a minute"), testing::_));
}

TEST(StageVolume, OfATrafficThatNobodyMeasuredFitsNowhere) {
  const auto refused = refused_stages(staged(600, {}), std::nullopt);
  ASSERT_EQ(refused.size(), 3U);
  EXPECT_THAT(refused[0], HasSubstr("no request of the last seven days"));
  EXPECT_TRUE(refused_stages(staged({}, {}), std::nullopt).empty()) << "without a quota all fits";
}

TEST(StageVolume, BeginsNoStageByAQuotaThatNobodyReadYet) {
  routing::RouteConfig route = staged({}, {});
  route.candidate->quota.service_quotas.emplace();
  EXPECT_THAT(
      refused_stages(route, VolumePeak{1, 1}, {.asked = true}),
      testing::Each(HasSubstr("Service Quotas do not tell its requests and tokens a minute: "
                              "they have not been read")));
  QuotaReading read{
      .asked = true, .requests_per_minute = 600, .tokens_per_minute = 600, .problem = ""};
  EXPECT_THAT(refused_stages(route, VolumePeak{1'000, 1}, read),
              testing::ElementsAre("", "", HasSubstr("its quota is 600 requests and 600 tokens")));
  read.problem = "Service Quotas answered 500";
  EXPECT_EQ(refused_stages(route, VolumePeak{1'000, 1}, read)[0], "")
      << "what was read before holds";
  route.candidate->quota.requests_per_minute = 5;
  EXPECT_THAT(refused_stages(route, VolumePeak{1'000, 1}, read)[0], HasSubstr("is 5 requests"))
      << "the smaller of what is read and what is given holds";
}

TEST(StageVolume, BeginsNoStageByAQuotaOfWhichOnlyOneFigureWasFoundUntilTheOtherIsGiven) {
  routing::RouteConfig route = staged({}, {});
  route.candidate->quota.service_quotas.emplace();
  const QuotaReading read{.asked = true, .tokens_per_minute = 600, .problem = ""};
  const std::string unknown =
      "Service Quotas do not tell its requests a minute: say quota.requests_per_minute beside "
      "`from: service_quotas`";
  EXPECT_THAT(refused_stages(route, VolumePeak{1, 1}, read), testing::Each(HasSubstr(unknown)));
  EXPECT_EQ(describe_volume(route, VolumePeak{1, 1}, read)["quota"]["problem"], unknown);
  route.candidate->quota.requests_per_minute = 1'000;
  EXPECT_THAT(refused_stages(route, VolumePeak{1, 1}, read), testing::Each(""));
  EXPECT_TRUE(describe_volume(route, VolumePeak{1, 1}, read)["quota"]["problem"].is_null());
}

TEST(StageVolume, OfARouteIsAskedByItsName) {
  routing::Config config;
  config.routes = {staged({}, 1'000)};
  config.routes[0].candidate->quota.service_quotas.emplace();
  const VolumeSource volumes = [](auto) { return VolumePeak{10, 1}; };
  EXPECT_THAT(refused_stages(config, "r", volumes,
                             [](const auto&, const auto&) { return QuotaReading{.asked = true}; }),
              testing::Each(HasSubstr("not been read")));
  const QuotaSource quotas = [](const auto&, const auto&) {
    return QuotaReading{.asked = true, .requests_per_minute = 1'000, .problem = ""};
  };
  EXPECT_THAT(refused_stages(config, "r", volumes, quotas), testing::Each(""));
  EXPECT_TRUE(refused_stages(config, "another", volumes, quotas).empty());
  const auto told =
      describe_volume(config.routes[0], VolumePeak{10, 1}, quotas(config, config.routes[0]));
  EXPECT_EQ(told["quota"]["from"], "service_quotas");
  EXPECT_EQ(told["quota"]["requests_per_minute"], 1'000);
  EXPECT_TRUE(told["quota"]["problem"].is_null());
}

// A route names its upstream by its place. While a config is being replaced there are two: what one
// counts as its second may be another upstream in the other, or none.
TEST(StageVolume, HoldsARouteAgainstTheQuotaOfItsOwnConfigsUpstream) {
  routing::Config of_two;
  of_two.upstreams.resize(2);
  of_two.upstreams[1].name = "next";
  of_two.routes = {staged({}, {})};
  of_two.routes[0].candidate->quota.service_quotas.emplace();
  of_two.routes[0].candidate->upstream = 1;
  routing::Config of_three = of_two;
  of_three.upstreams.insert(of_three.upstreams.begin(), routing::UpstreamConfig{});
  of_three.routes[0].candidate->upstream = 2;
  std::vector<std::string> asked;
  const QuotaSource quotas = [&](const routing::Config& config, const routing::RouteConfig& route) {
    asked.push_back(config.upstreams.at(route.candidate->upstream).name);
    return QuotaReading{.asked = true};
  };
  const VolumeSource volumes = [](auto) { return VolumePeak{10, 1}; };
  for (const routing::Config* config : {&of_two, &of_three}) {
    refused_stages(*config, "r", volumes, quotas);
    volume_exposition(*config, volumes, quotas);
  }
  EXPECT_THAT(asked, testing::ElementsAre("next", "next", "next", "next"));
}

TEST(StageVolume, IsToldInJsonAndMetrics) {
  routing::Config config;
  config.routes = {staged(600, {})};
  const auto told = describe_volume(config.routes[0], VolumePeak{1'000, 5});
  EXPECT_EQ(told["peak"]["requests_per_minute"], 1'000);
  EXPECT_EQ(told["quota"]["requests_per_minute"], 600);
  EXPECT_TRUE(told["quota"]["tokens_per_minute"].is_null());
  EXPECT_EQ(told["stages"][2]["fits"], false);
  const std::string page = volume_exposition(config, [](auto) { return VolumePeak{1'000, 5}; });
  EXPECT_THAT(page, HasSubstr("understudy_volume_peak{route=\"r\",unit=\"requests\"} 1000\n"));
  EXPECT_THAT(page, HasSubstr("understudy_volume_quota{route=\"r\",unit=\"requests\"} 600\n"));
  EXPECT_THAT(page, HasSubstr("understudy_volume_stage_fits{route=\"r\",percent=\"100\"} 0\n"));
  EXPECT_TRUE(describe_volume({}, std::nullopt).is_null());
}

}  // namespace
}  // namespace understudy::proxy

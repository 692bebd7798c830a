#include "metrics/evidence/alarms_json.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "metrics/evidence/evidence_files.h"

namespace understudy::metrics {
namespace {

constexpr std::chrono::system_clock::time_point kMorning{std::chrono::seconds{1'790'006'400}};
const std::size_t kRefusal = *routing::gate_of("refusal");
const std::size_t kEmpty = *routing::gate_of("empty");

RouteEvidence two_families() {
  RouteEvidence evidence("an experiment", kMorning);
  for (const char* family : {"letters", "invoices"})
    evidence.record_pair(family, {{}, {}, {}}, kMorning);
  return evidence;
}

RouteEvidence alarmed() {
  RouteEvidence evidence = two_families();
  evidence.latch_pooled(kRefusal, {Process::hour, 497'223}, 0.0);
  evidence.latch("invoices", kEmpty, {Process::stage, 2}, 0.01);
  evidence.latch_quantile(0, 1, 0.10);
  return evidence;
}

// With counts as they are without alarms, after the file's alarms were taken up.
RouteEvidence taken_up(const RouteEvidence& alarms) {
  RouteEvidence evidence = two_families();
  evidence.latch_as(alarms);
  return evidence;
}

TEST(Alarms, ComeBackAsTheyWere) {
  const RouteEvidence before = alarmed();
  EXPECT_TRUE(any_alarm(before));
  const auto read = alarms_from_json(alarms_to_json_text(before));
  ASSERT_TRUE(std::holds_alternative<RouteEvidence>(read)) << std::get<EvidenceProblem>(read).what;
  const RouteEvidence& alarms = std::get<RouteEvidence>(read);
  EXPECT_EQ(alarms.experiment(), "an experiment");
  EXPECT_EQ(alarms.pooled().pairs, 0u) << "counts are not among them";
  const RouteEvidence after = taken_up(alarms);
  EXPECT_EQ(after.pooled(), before.pooled());
  EXPECT_EQ(after.families(), before.families());
  EXPECT_EQ(after.quantile_alarms(), before.quantile_alarms());
}

TEST(Alarms, AreNoneWhereNothingAlarmed) {
  EXPECT_FALSE(any_alarm(two_families()));
  const auto read = alarms_from_json(alarms_to_json_text(two_families()));
  EXPECT_FALSE(any_alarm(taken_up(std::get<RouteEvidence>(read))));
}

TEST(Alarms, AreRefusedWholeWhereAnythingIsBroken) {
  const auto good = nlohmann::json::parse(alarms_to_json_text(alarmed()));
  const auto is_refused = [](const nlohmann::json& json) {
    return std::holds_alternative<EvidenceProblem>(alarms_from_json(json.dump()));
  };
  ASSERT_FALSE(is_refused(good));
  for (const char* key : {"version", "experiment", "all", "families", "quantiles"}) {
    auto less = good;
    less.erase(key);
    EXPECT_TRUE(is_refused(less)) << key;
  }
  auto broken = good;
  broken["version"] = 2;
  EXPECT_TRUE(is_refused(broken));
  broken = good;
  broken["all"][0]["signal"] = "nonsense";
  EXPECT_TRUE(is_refused(broken));
  broken = good;
  broken["all"][0]["begin"] = std::int64_t{1} << 40;
  EXPECT_TRUE(is_refused(broken));
  broken = good;
  broken["families"][std::string(300, 'x')] = nlohmann::json::array();
  EXPECT_TRUE(is_refused(broken));
  EXPECT_TRUE(std::holds_alternative<EvidenceProblem>(alarms_from_json("[[[[")));
}

class FleetAlarmFiles : public testing::Test {
 protected:
  FleetAlarmFiles()
      : directory(std::filesystem::path(testing::TempDir()) /
                  (std::string("fleet-alarms-") +
                   testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(directory);
  }
  ~FleetAlarmFiles() override { std::filesystem::remove_all(directory); }

  std::filesystem::path directory;
};

TEST_F(FleetAlarmFiles, KeepThemByTheExperiment) {
  EvidenceFiles files(directory);
  EXPECT_FALSE(files.load_fleet_alarms("route", "an experiment").alarms);
  EXPECT_EQ(files.save_fleet_alarms("route", alarms_to_json_text(alarmed())), "");
  EXPECT_TRUE(files.load_fleet_alarms("route", "an experiment").alarms);
  const auto other = files.load_fleet_alarms("route", "another one");
  EXPECT_FALSE(other.alarms);
  EXPECT_EQ(other.problem, "") << "that is no damage";
}

TEST_F(FleetAlarmFiles, SetADamagedOneAside) {
  EvidenceFiles files(directory);
  ASSERT_EQ(files.save_fleet_alarms("route", "{\"version\": 1, "), "");
  const auto loaded = files.load_fleet_alarms("route", "an experiment");
  EXPECT_FALSE(loaded.alarms);
  EXPECT_NE(loaded.problem.find("fleet-alarms-route.json was set aside as .damaged"),
            std::string::npos)
      << loaded.problem;
  EXPECT_TRUE(std::filesystem::exists(directory / "fleet-alarms-route.json.damaged"));
  EXPECT_FALSE(std::filesystem::exists(directory / "fleet-alarms-route.json"));
}

}  // namespace
}  // namespace understudy::metrics

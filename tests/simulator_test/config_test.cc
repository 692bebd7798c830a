// The config file: what is read, and how problems are told.

#include <gtest/gtest.h>

#include "tests/simulator/config_loader.h"

namespace understudy::simulator {
namespace {

TEST(SimulatorConfig, ShippedFileIsGood) {
  const LoadResult loaded =
      load_config_file(std::string{UNDERSTUDY_SOURCE_DIR} + "/deploy/simulator.yaml");
  EXPECT_TRUE(loaded.problems.empty()) << loaded.problems.front();
  EXPECT_GE(loaded.config.models.size(), 5u);
  EXPECT_EQ(loaded.config.auth.mode, AuthMode::any);
  EXPECT_TRUE(loaded.config.models.front().inference_profile_only);
  EXPECT_DOUBLE_EQ(loaded.config.models.front().first_token_ms.sigma, 0.3);
}

TEST(SimulatorConfig, TellsEveryProblemWithPlaceAndKey) {
  const LoadResult loaded = load_config(
      "listen: nowhere\n"
      "models:\n"
      "  - {id: a, famly: x, latency: {first_token_ms: -1}}\n"
      "  - {family: foo}\n"
      "  - {id: b, fault: explode, reject_parameters: [colour], errors: {throttle_percent: 101}}\n"
      "seed: 1\n"
      "seed: 2\n",
      "s.yaml");
  const std::vector<std::string> expected{
      "s.yaml:1:9: listen: must be ADDRESS:PORT, got 'nowhere'",
      "s.yaml:3:13: models[0].famly: unknown key",
      "s.yaml:3:49: models[0].latency.first_token_ms: must be a number",
      "s.yaml:4:14: models[1].family: must be one of anthropic, nova",
      "s.yaml:4:5: models[1]: id or ids is needed",
      "s.yaml:5:20: models[2].fault: must be one of none, hang",
      "s.yaml:5:48: models[2].reject_parameters: unknown parameter 'colour'",
      "s.yaml:5:85: models[2].errors.throttle_percent: must be a number from 0 to 100",
      "s.yaml:7:1: seed: is given twice"};
  ASSERT_EQ(loaded.problems.size(), expected.size()) << ::testing::PrintToString(loaded.problems);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(loaded.problems[i].starts_with(expected[i])) << loaded.problems[i];
  }
}

TEST(SimulatorConfig, RefusesWhatIsNoYamlNoMappingOrNoFile) {
  EXPECT_EQ(load_config("a: [", "s.yaml").problems.size(), 1u);
  EXPECT_EQ(load_config("- a", "s.yaml").problems.front(), "s.yaml:1:1: must be a mapping");
  EXPECT_EQ(load_config("seed: 1", "s.yaml").problems.front(),
            "s.yaml:1:1: models: at least one model is needed");
  EXPECT_EQ(load_config_file("/nonexistent.yaml").problems.front(),
            "/nonexistent.yaml: cannot be read");
  EXPECT_EQ(load_config_file("/").problems.front(), "/: cannot be read");
}

}  // namespace
}  // namespace understudy::simulator

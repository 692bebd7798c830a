// `understudy verdict` over the evidence files of several proxies.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "metrics/evidence/evidence_json.h"
#include "proxy/commands/commands.h"
#include "routing/config_loader.h"
#include "routing/experiment.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using metrics::RouteEvidence;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing_support::ScratchDirectory;

const std::string kConfig = R"(
listeners: [{address: "127.0.0.1:0"}]
upstreams:
  east: {endpoint: "http://127.0.0.1:1", region: us-east-1, credentials: {source: none}}
routes:
  - name: sonnet
    match: {models: ["anthropic.*"]}
    primary: {upstream: east}
    candidate: {upstream: east, model: us.anthropic.claude-sonnet-5}
)";

class VerdictCommand : public testing::Test {
 protected:
  // What one proxy saw: `pairs` pairs, the candidate at half of the price, and one refused request.
  RouteEvidence evidence(int pairs) const {
    const auto loaded = routing::load_config_file(config_);
    return evidence(pairs, routing::experiment_id(*loaded.config, loaded.config->routes[0]));
  }
  static RouteEvidence evidence(int pairs, const std::string& experiment) {
    RouteEvidence made(experiment, {});
    metrics::Observation served, other;
    served.answer.text = other.answer.text = "as long";
    served.answer.parsed = other.answer.parsed = true;
    served.usage.input = other.usage.input = served.usage.output = other.usage.output = 10;
    served.total = other.total = std::chrono::milliseconds(100);
    other.variant = routing::Variant::candidate;
    const metrics::PairCost cost{.primary = {.input = 0.002},
                                 .primary_at_candidate_prices = {.input = 0.001},
                                 .candidate = {.input = 0.001},
                                 .prices_as_of = "2026-11-20"};
    const metrics::Comparison same;
    for (int i = 0; i < pairs; ++i) {
      made.record_pair("support",
                       {.comparison = same, .served = served, .other = other, .cost = &cost}, {});
    }
    made.record_validation_error("support", "`temperature` is deprecated for this model.");
    made.record_traffic(5'000, std::chrono::hours(1), {});
    return made;
  }
  std::string save(const std::string& directory, const RouteEvidence& evidence) const {
    std::filesystem::create_directories(files_.path() / directory);
    return files_.write(directory + "/evidence-sonnet.json", metrics::to_json_text(evidence));
  }
  int run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "verdict");
    if (std::ranges::find(arguments, "--config") == arguments.end())
      arguments.insert(arguments.end(), {"--config", config_});
    std::ostringstream out, err;
    const std::vector<std::string_view> views(arguments.begin(), arguments.end());
    const int status = run_command_line(views, out, err);
    out_ = out.str();
    err_ = err.str();
    return status;
  }

  ScratchDirectory files_;
  const std::string config_ = files_.write("config.yaml", kConfig);
  std::string out_, err_;
};

TEST_F(VerdictCommand, AddsUpTheMoneyAndTheMessagesOfAFleet) {
  const std::string files = save("a", evidence(30)) + "," + save("b", evidence(10));
  EXPECT_EQ(run({"--evidence", files}), kExitNotKnown) << err_;
  EXPECT_THAT(out_, HasSubstr("sonnet: keep_shadowing\n"));
  EXPECT_THAT(out_,
              HasSubstr("1,000 requests cost $2.00 now and $1.00 with the candidate (-50.0 %)"));
  EXPECT_THAT(out_, HasSubstr("Prices of 2026-11-20, 40 pairs."));
  EXPECT_THAT(out_, HasSubstr("(7300000 requests)")) << "both proxies' requests of the same hour";
  EXPECT_THAT(out_, HasSubstr("refuses requests as invalid, 2 of 40 pairs: \"`temperature`"));

  ASSERT_EQ(run({"--evidence", files, "--json"}), kExitNotKnown);
  const json route = json::parse(out_)["routes"][0];
  EXPECT_EQ(route["candidate"]["model"], "us.anthropic.claude-sonnet-5");
  EXPECT_EQ(route["cost"]["priced_pairs"], 40);
  EXPECT_EQ(route["validation_errors"]["count"], 2);
  EXPECT_EQ(route["latency"]["primary"]["pairs"], 40);
  EXPECT_TRUE(route["parameters"]["gates"].contains("refusal"));
}

TEST_F(VerdictCommand, NamesSafeGatesOnOneLine) {
  ASSERT_EQ(run({"--evidence", save("a", evidence(2'000))}), kExitNotKnown) << err_;
  EXPECT_THAT(out_, HasSubstr("  safe      validation error, error class, refusal"));
  EXPECT_THAT(out_, HasSubstr("  no pairs  "));
  EXPECT_THAT(out_, HasSubstr("  missing   "));
}

TEST_F(VerdictCommand, DoesNotAddUpWhatIsNotTheSameExperiment) {
  EXPECT_EQ(run({"--evidence", save("a", evidence(3)) + "," + save("b", evidence(3, "two"))}),
            kExitNotKnown);
  EXPECT_THAT(err_, HasSubstr("cannot be added up"));
  EXPECT_THAT(out_, Not(HasSubstr("sonnet")));
}

TEST_F(VerdictCommand, RefusesEvidenceOfAnExperimentThatIsNotTheConfigs) {
  EXPECT_EQ(run({"--evidence", save("a", evidence(3, "another"))}), kExitNotKnown);
  EXPECT_THAT(err_, HasSubstr("than the config does"));
}

TEST_F(VerdictCommand, RefusesEvidenceOfARouteThatTheConfigDoesNotHave) {
  const auto file = files_.write("evidence-sonet.json", metrics::to_json_text(evidence(3)));
  EXPECT_EQ(run({"--evidence", file}), kExitNotKnown);
  EXPECT_THAT(err_, HasSubstr("the config has no route sonet"));
}

TEST_F(VerdictCommand, JudgesRoutesWithoutEvidenceToo) {
  const std::string none = files_.write("two.yaml", kConfig + R"(  - name: unseen
    match: {models: ["amazon.*"]}
    primary: {upstream: east}
    candidate: {upstream: east, model: amazon.nova-2-lite-v1:0}
)");
  EXPECT_EQ(run({"--evidence", save("a", evidence(3)), "--config", none}), kExitNotKnown) << err_;
  EXPECT_THAT(out_, HasSubstr("unseen: keep_shadowing\n"));
}

TEST_F(VerdictCommand, SaysWhichFileIsNoEvidence) {
  EXPECT_EQ(run({"--evidence", files_.write("evidence-sonnet.json", "{}")}), kExitNotKnown);
  EXPECT_THAT(err_, HasSubstr("evidence-sonnet.json: it is no evidence"));
}

}  // namespace
}  // namespace understudy::proxy

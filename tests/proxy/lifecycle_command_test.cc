// `understudy lifecycle` as people and pipelines meet it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/commands/commands.h"
#include "proxy/commands/text_table.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing_support::FakeBedrock;
using testing_support::ScratchDirectory;

struct Ran {
  int status = 0;
  std::string out, err;
};

class LifecycleCommand : public testing::Test {
 protected:
  // With a model of made-up dates, so that no real day changes what is seen.
  Ran run(const std::string& end_of_life, const std::vector<std::string>& more = {}) const {
    const std::string file = directory.write(
        "config.yaml",
        "listeners: [{address: 127.0.0.1:0}]\nupstreams:\n  here: {endpoint: "
        "\"http://127.0.0.1:9\", region: r, credentials: {source: none}}\nroutes:\n  - name: "
        "sonnet\n    match: {models: [\"acme.old-v1\"]}\n    primary: {upstream: here, model: "
        "acme.old-v1}\n    candidate: {upstream: here, model: acme.new-v1}\nlifecycle:\n  models:\n"
        "    acme.old-v1: {launch: 2020-01-02, legacy: 2021-03-04, end_of_life: " +
            end_of_life + ", replacement: acme.new-v1}\n");
    std::vector<std::string> all{"lifecycle", "--config", file};
    all.insert(all.end(), more.begin(), more.end());
    const std::vector<std::string_view> arguments(all.begin(), all.end());
    std::ostringstream out, err;
    const int status = run_command_line(arguments, out, err);
    return {status, out.str(), err.str()};
  }
  static std::string url(const FakeBedrock& proxy) {
    return "http://127.0.0.1:" + std::to_string(proxy.port());
  }
  static json seen_model(const std::string& name) {
    return {{"model", name}, {"state", "unknown"}, {"seen", true}, {"remarks", {"is\x1b[31mred"}}};
  }

  ScratchDirectory directory;
};

TEST_F(LifecycleCommand, PrintsEveryConfiguredModelWithItsStateAndDates) {
  const Ran ran = run("2999-01-01");
  EXPECT_EQ(ran.status, kExitGood) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("MODEL"));
  EXPECT_THAT(
      ran.out,
      ContainsRegex("acme.old-v1 +legacy +2021-03-04 +- +2999-01-01 +[0-9]+ +acme.new-v1\n"));
  EXPECT_THAT(ran.out, ContainsRegex("acme.new-v1 +unknown +- +- +- +- +-\n"));
  EXPECT_THAT(ran.out, HasSubstr("acme.old-v1 is legacy"));
  EXPECT_THAT(ran.out, HasSubstr("Dates as of "));
}

TEST_F(LifecycleCommand, SaysNoWhereAModelHasEnded) {
  const Ran ran = run("2022-05-06");
  EXPECT_EQ(ran.status, kExitNegative);
  EXPECT_THAT(ran.out, ContainsRegex("acme.old-v1 +ended .* 2022-05-06 +-[0-9]+ "));
  EXPECT_THAT(ran.out, HasSubstr("its replacement is acme.new-v1"));
}

TEST_F(LifecycleCommand, TellsPipelinesTheSame) {
  const Ran ran = run("2022-05-06", {"--json"});
  EXPECT_EQ(ran.status, kExitNegative);
  const json report = json::parse(ran.out);
  const json& old = report["models"][0];
  EXPECT_EQ(old["model"], "acme.old-v1");
  EXPECT_EQ(old["state"], "ended");
  EXPECT_EQ(old["end_of_life"], "2022-05-06");
  EXPECT_LT(old["days_left"], 0);
  EXPECT_TRUE(old["pressing"]);
  EXPECT_FALSE(old["seen"]);
}

TEST_F(LifecycleCommand, AddsWhatARunningProxyWasAskedFor) {
  json answer = {{"models", {seen_model("other.model-v1")}}};
  answer["models"][0]["gone"] = "ended";
  const auto proxy = FakeBedrock::replies(answer.dump());
  const Ran ran = run("2999-01-01", {"--admin", url(*proxy)});
  EXPECT_EQ(ran.status, kExitNegative) << "one of them is gone";
  EXPECT_THAT(ran.out, ContainsRegex("other.model-v1 +unknown"));
  EXPECT_THAT(ran.out, HasSubstr("other.model-v1 is gone, says its upstream (ended)"));
  EXPECT_EQ(proxy->request(0).target(), "/api/lifecycle");
}

TEST_F(LifecycleCommand, LetsNoClientsModelNameCommandTheTerminal) {
  const std::string hostile =
      "x\x1b]0;owned\x07\x1b[2J\xc2\x9b"
      "31m\r\n\x7f";
  const auto proxy = FakeBedrock::replies(json{{"models", {seen_model(hostile)}}}.dump());
  for (const std::vector<std::string>& form :
       {std::vector<std::string>{"--admin", url(*proxy)},
        std::vector<std::string>{"--admin", url(*proxy), "--json"}}) {
    const Ran ran = run("2999-01-01", form);
    EXPECT_THAT(ran.out, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\x07")),
                               Not(HasSubstr("\xc2\x9b")), Not(HasSubstr("\r"))));
    EXPECT_THAT(ran.out, HasSubstr("]0;owned")) << "it is shown all the same";
  }
}

TEST_F(LifecycleCommand, SaysWhereTheProxyCannotBeAsked) {
  EXPECT_EQ(run("2999-01-01",
                {"--admin", "http://127.0.0.1:" + std::to_string(testing_support::refusing_port())})
                .status,
            kExitNotKnown);
  const auto nonsense = FakeBedrock::replies("{\"models\": [1]}");
  const Ran ran = run("2999-01-01", {"--admin", url(*nonsense)});
  EXPECT_EQ(ran.status, kExitNotKnown);
  EXPECT_THAT(ran.err, HasSubstr("what it answers is no lifecycle"));
}

TEST(Printable, LeavesTextAloneAndTakesControlCharacters) {
  EXPECT_EQ(printable("anthropic.claude-sonnet-4-5"), "anthropic.claude-sonnet-4-5");
  EXPECT_EQ(printable("\xc3\xa9t\xc3\xa9 \xe2\x82\xac"), "\xc3\xa9t\xc3\xa9 \xe2\x82\xac");
  EXPECT_EQ(printable("a\x1b[0m\nb\x7f\xc2\x85\xc2\xa0"), "a?[0m?b??\xc2\xa0");
  EXPECT_EQ(printable("\xc2"), "\xc2");
}

}  // namespace
}  // namespace understudy::proxy

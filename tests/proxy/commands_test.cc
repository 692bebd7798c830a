#include "proxy/commands/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::StartsWith;

struct Ran {
  int status = 0;
  std::string out;
  std::string err;
};

Ran run(const std::vector<std::string_view>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  const int status = run_command_line(arguments, out, err);
  return {status, out.str(), err.str()};
}

TEST(CommandLine, ExplainsItselfAndItsCommands) {
  for (const auto& arguments : std::vector<std::vector<std::string_view>>{
           {"--help"}, {"-h"}, {"help"}, {"help", "--help"}}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.status, kExitGood);
    EXPECT_THAT(ran.out, HasSubstr("serve "));
    EXPECT_THAT(ran.out, HasSubstr("check "));
    EXPECT_THAT(ran.err, IsEmpty());
  }
  for (const std::string_view command : {"serve", "check"}) {
    const Ran by_option = run({command, "--help"});
    EXPECT_EQ(by_option.status, kExitGood);
    EXPECT_THAT(by_option.out,
                StartsWith("Usage: understudy " + std::string(command) + " --config FILE"));
    EXPECT_THAT(by_option.out, HasSubstr("Example:\n"));
    EXPECT_EQ(run({"help", command}).out, by_option.out);
    EXPECT_EQ(run({command, "--config", "x", "-h"}).out, by_option.out);
  }
}

// A script whose variable is empty must not believe that it rolled back.
TEST(CommandLine, AnOrderToNobodyIsAUsageProblem) {
  for (const std::string_view nobody : {"", ",", ",,"}) {
    const Ran ran = run({"rollback", "sonnet", "--admin", nobody});
    EXPECT_EQ(ran.status, kExitUsage) << nobody;
    EXPECT_THAT(ran.err, HasSubstr("nobody was told"));
  }
}

// Who is told nothing may serve on: an address that is none is no "not reached" among others.
TEST(CommandLine, AnOrderToNoAddressIsAUsageProblem) {
  const Ran ran = run({"rollback", "sonnet", "--admin", "127.0.0.1:9901"});
  EXPECT_EQ(ran.status, kExitUsage);
  EXPECT_THAT(ran.err, HasSubstr("wants an address like http://127.0.0.1:9901: nobody was told"));
  const Ran among = run({"rollback", "sonnet", "--admin", "127.0.0.1:9901,http://127.0.0.1:9"});
  EXPECT_EQ(among.status, kExitNotKnown) << "the other one is told";
  EXPECT_THAT(among.err, HasSubstr("NOT REACHED"));
}

TEST(CommandLine, ExplainsItselfInLinesThatFitATerminal) {
  for (const std::string_view command : {"serve", "check", "verdict", "explain", "rollback",
                                         "pause", "resume", "promote", "lifecycle", "help"}) {
    std::istringstream help(run({command, "--help"}).out);
    for (std::string line; std::getline(help, line);) {
      const bool is_usage = line.starts_with("Usage: ");  // one line, to copy
      EXPECT_TRUE(is_usage || line.size() <= 120u) << line;
    }
  }
}

TEST(CommandLine, TellsItsVersion) {
  const Ran ran = run({"--version"});
  EXPECT_EQ(ran.status, kExitGood);
  EXPECT_THAT(ran.out, MatchesRegex("understudy [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(CommandLine, WithoutACommandIsAUsageProblemThatTeaches) {
  const Ran ran = run({});
  EXPECT_EQ(ran.status, kExitUsage);
  EXPECT_THAT(ran.err, HasSubstr("Commands:"));
}

TEST(CommandLine, NamesTheNearestCommandAndOption) {
  struct Case {
    std::vector<std::string_view> arguments;
    std::string_view says;
  };
  for (const Case& one : std::vector<Case>{
           {{"serv"}, "unknown command serv (did you mean serve?)"},
           {{"help", "chekc"}, "(did you mean check?)"},
           {{"serve", "--confg", "x"}, "unknown option --confg (did you mean --config?)"},
           {{"check", "--config"}, "--config needs a value"},
           {{"check"}, "--config FILE is missing"},
           {{"check", "--config", "a", "--config=b"}, "--config is given twice"},
           {{"check", "config.yaml"}, "unexpected argument config.yaml"},
       }) {
    const Ran ran = run(one.arguments);
    EXPECT_EQ(ran.status, kExitUsage);
    EXPECT_THAT(ran.err, HasSubstr(std::string(one.says)));
    EXPECT_THAT(ran.out, IsEmpty());
  }
}

TEST(ParseOptions, TakesBothSpellingsAndFlags) {
  const std::vector<Option> known{{.name = "config", .value = "FILE", .help = ""},
                                  {.name = "json", .value = "", .help = ""}};
  const std::vector<std::string_view> arguments{"--config=a=b", "--json"};
  const auto parsed = parse_options(known, arguments);
  ASSERT_TRUE(std::holds_alternative<Options>(parsed));
  EXPECT_EQ(std::get<Options>(parsed).values.at("config"), "a=b");
  EXPECT_TRUE(std::get<Options>(parsed).values.contains("json"));
  const std::vector<std::string_view> flag_with_value{"--json=yes"};
  EXPECT_TRUE(std::holds_alternative<UsageProblem>(parse_options(known, flag_with_value)));
}

class CheckTest : public testing::Test {
 protected:
  Ran check(const std::string& yaml) {
    directory_.write("config.yaml", yaml);
    return run({"check", "--config", file_});
  }

  static std::string config_with(const std::string& candidate_and_shadow) {
    return "listeners: [{address: 127.0.0.1:8080}]\n"
           "upstreams:\n"
           "  east: {endpoint: \"http://127.0.0.1:9000\", region: us-east-1, credentials: {source: "
           "none}}\n"
           "routes:\n"
           "  - name: sonnet\n"
           "    match: {models: [\"anthropic.claude-sonnet-4-5-*\"]}\n"
           "    primary: {upstream: east}\n" +
           candidate_and_shadow + "default_route: {upstream: east}\n";
  }

  testing_support::ScratchDirectory directory_;
  const std::string file_ = (directory_ / "config.yaml").string();
};

TEST_F(CheckTest, PrintsTheEffectiveRoutes) {
  const Ran ran =
      check(config_with("    candidate: {upstream: east, model: anthropic.claude-x}\n    shadow: "
                        "{percent: 12.5}\n    canary: {percent: 1}\n"));
  EXPECT_EQ(ran.status, kExitGood) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("listens on  http://127.0.0.1:8080"));
  EXPECT_THAT(ran.out,
              testing::ContainsRegex("sonnet +anthropic.claude-sonnet-4-5-\\* +as asked @ east +"
                                     "anthropic.claude-x @ east +12.5 % .* 1 %"));
  EXPECT_THAT(ran.out, HasSubstr("everything else"));
}

TEST_F(CheckTest, PrintsWhatTheConfigSaysInItsOwnWords) {
  const Ran ran = check(
      "listeners: [{address: \"[::1]:8080\", base_path: /b}]\n"
      "admin: {address: \"[::1]:9901\", read_only: {address: 127.0.0.1:9902}}\n"
      "upstreams: {east: {endpoint: \"http://127.0.0.1:9000\", credentials: {source: none}}}\n"
      "routes:\n"
      "  - {name: gpt, match: {models: [g], operations: [ChatCompletions, Responses]}, primary: "
      "{upstream: east}}\n"
      "  - {name: rest, match: {paths: [\"/v1/*\"], callers: [me]}, primary: {upstream: east}}\n");
  EXPECT_EQ(ran.status, kExitGood) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("listens on  http://[::1]:8080/b\n"));
  EXPECT_THAT(ran.out, HasSubstr("admin on    http://[::1]:9901\n"));
  EXPECT_THAT(ran.out, HasSubstr("read-only   http://127.0.0.1:9902 (/metrics, "));
  EXPECT_THAT(ran.out, HasSubstr("g; ChatCompletions, Responses "));
  EXPECT_THAT(ran.out, HasSubstr("paths /v1/*; callers me "));
}

// Elsewhere the credentials of a config are rarely there; where it is to run they must be.
TEST_F(CheckTest, CountsMissingCredentialsOnlyWhereTheyMatter) {
  const std::string yaml =
      "listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: east}\nupstreams:\n"
      "  east: {endpoint: \"http://127.0.0.1:9000\", credentials: {source: bearer, token_env: "
      "UNDERSTUDY_TEST_NOT_SET}}\n";
  const Ran anywhere = check(yaml);
  EXPECT_EQ(anywhere.status, kExitGood) << anywhere.err;
  EXPECT_THAT(anywhere.out, HasSubstr("credentials of east: none here: "));
  const Ran here = run({"check", "--config", file_, "--here"});
  EXPECT_EQ(here.status, kExitBadConfig);
  EXPECT_THAT(here.err, HasSubstr("credentials are missing here; `serve` would not start"));
  EXPECT_EQ(check(config_with("")).status, kExitGood);
  EXPECT_EQ(run({"check", "--config", file_, "--here"}).status, kExitGood);
}

TEST_F(CheckTest, WarnsOfPlacesThatCannotBeWritten) {
  const std::string file = directory_.write("file", "x");
  const std::string empty = directory_.write("secret", "\n");
  const auto with = [&](const std::string& more) { return check(config_with("") + more); };
  const Ran taken = with("state: {directory: " + file + "/state}\n");
  EXPECT_EQ(taken.status, kExitGood) << "traffic goes on without";
  EXPECT_THAT(taken.err, HasSubstr("warning: state.directory: nothing can be written to " + file +
                                   "/state: " + file + " is no directory"));
  EXPECT_THAT(with("records: {directory: /proc/y}\n").err,
              HasSubstr("warning: records.directory: nothing can be written to /proc/y: /proc "));
  EXPECT_THAT(
      with("events: {webhook: {url: \"http://127.0.0.1:9/x\", secret_file: " + empty + "}}\n").err,
      HasSubstr("warning: events.webhook.secret_file: " + empty + " is empty"));
  EXPECT_THAT(with("state: {directory: not/there/yet}\nrecords: {directory: records}\n").err,
              IsEmpty());
}

TEST_F(CheckTest, TellsWhatIsWrongWithAFileOfPricesInWords) {
  const std::string prices = directory_.write("prices.json", "{x");
  const Ran ran = check(config_with("") + "prices_file: " + prices + "\n");
  EXPECT_EQ(ran.status, kExitBadConfig);
  EXPECT_THAT(ran.err, HasSubstr("prices_file: " + prices + ": parse error at line 1, column 2"));
}

TEST_F(CheckTest, SaysWhereACandidatesQuotaComesFrom) {
  const auto with = [&](const std::string& quota) {
    return check(config_with("    candidate: {upstream: east, model: anthropic.claude-x, quota: {" +
                             quota + "}}\n"))
        .out;
  };
  EXPECT_THAT(with("requests_per_minute: 600"),
              HasSubstr("sonnet: the candidate's quota is 600 requests a minute; a stage"));
  EXPECT_THAT(with("from: service_quotas, part: 50, tokens_per_minute: 7000"),
              HasSubstr("is 7000 tokens a minute, 50 % of what Service Quotas say (asked every "
                        "1h); a stage"));
}

TEST_F(CheckTest, TellsEveryProblemWithItsPlace) {
  const Ran ran =
      check(config_with("    candidate: {upstream: west, model: x}\n    shadow: {percent: 150}\n"));
  EXPECT_EQ(ran.status, kExitBadConfig);
  EXPECT_THAT(ran.err, HasSubstr(file_ + ":8:"));
  EXPECT_THAT(ran.err, HasSubstr(file_ + ":9:"));
  EXPECT_THAT(ran.err, HasSubstr("routes[0].shadow.percent: "));
  EXPECT_THAT(ran.err, HasSubstr("this config would not take effect"));
  EXPECT_THAT(ran.out, IsEmpty());
}

TEST_F(CheckTest, RefusesADollarBudgetOnAModelWithoutAPrice) {
  const std::string shadow = "    shadow: {percent: 1, budget: {usd_per_day: 5}}\n";
  const Ran ran = check(
      config_with("    candidate: {upstream: east, model: nobody.unheard-of-v1:0}\n" + shadow));
  EXPECT_EQ(ran.status, kExitBadConfig);
  EXPECT_THAT(
      ran.err,
      HasSubstr(
          "routes.sonnet.shadow.budget.usd_per_day: there is no price for nobody.unheard-of-v1:0"));
  EXPECT_EQ(
      check(config_with("    candidate: {upstream: east, model: amazon.nova-lite-v1:0}\n" + shadow))
          .status,
      kExitGood);
}

TEST_F(CheckTest, WarnsWhereABudgetMayMeetAModelWithoutAPrice) {
  const Ran ran = check(config_with(
      "    candidate: {upstream: east}\n    shadow: {percent: 1, budget: {usd_per_day: 5}}\n"));
  EXPECT_EQ(ran.status, kExitGood) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("warning: routes.sonnet.shadow.budget.usd_per_day"));
}

TEST_F(CheckTest, RefusesATrustAnchorThatIsNoCertificate) {
  const std::string anchor = directory_.write("ca.pem", "no certificate");
  const Ran ran = check(
      "listeners: [{address: 127.0.0.1:8080}]\nupstreams:\n  east: {endpoint: "
      "\"https://127.0.0.1:9000\", region: us-east-1, credentials: {source: none}, ca_file: " +
      anchor + "}\ndefault_route: {upstream: east}\n");
  EXPECT_EQ(ran.status, kExitBadConfig) << ran.out;
  EXPECT_THAT(ran.err, HasSubstr("upstreams.east.ca_file: "));
}

TEST_F(CheckTest, TellsThatAFileIsMissing) {
  const Ran ran = run({"check", "--config", "/nonexistent/config.yaml"});
  EXPECT_EQ(ran.status, kExitBadConfig);
  EXPECT_THAT(ran.err, HasSubstr("/nonexistent/config.yaml"));
}

TEST_F(CheckTest, TellsWhatWouldChangeOfAnotherConfig) {
  const std::string before =
      config_with("    candidate: {upstream: east, model: a.b}\n    shadow: {percent: 10}\n");
  const std::string other = directory_.write("before.yaml", before);
  const auto against = [&](const std::string& yaml) {
    directory_.write("config.yaml", yaml);
    return run({"check", "--config", file_, "--against", other});
  };
  EXPECT_THAT(against(before).out, HasSubstr("before.yaml: no change"));
  const Ran live = against(
      config_with("    candidate: {upstream: east, model: a.b}\n    shadow: {percent: 5}\n"));
  EXPECT_EQ(live.status, kExitGood) << live.err;
  EXPECT_THAT(live.out, HasSubstr("routes[sonnet].shadow.percent: 10 -> 5\n"));
  const Ran restart = against(before + "threads: {io: 3}\n");
  EXPECT_EQ(restart.status, kExitNegative);
  EXPECT_THAT(restart.out, HasSubstr("threads.io: 0 -> 3   NEEDS A RESTART"));
  EXPECT_THAT(restart.out, HasSubstr("1 change needs a restart"));
  EXPECT_THAT(against(before + "state: {directory: s}\n").out,
              HasSubstr("state.directory: (none) -> s   NEEDS A RESTART"));
  EXPECT_EQ(run({"check", "--config", file_, "--against", "/nonexistent.yaml"}).status,
            kExitNotKnown);
}

TEST(ShippedConfig, PassesTheCheck) {
  const Ran ran = run({"check", "--config", UNDERSTUDY_SOURCE_DIR "/config.yaml"});
  EXPECT_EQ(ran.status, kExitGood) << ran.err;
  // Newer models' ids carry no date; an example has to name one of them.
  std::istringstream warnings(ran.err);
  for (std::string line; std::getline(warnings, line);)
    EXPECT_THAT(line, HasSubstr("carries no date"));
}

std::string explained(const std::string& canary, const std::string& request,
                      const std::string& shadow = "{percent: 100}") {
  const testing_support::ScratchDirectory directory;
  const std::string config = directory.write(
      "config.yaml",
      "listeners: [{address: 127.0.0.1:0}]\nupstreams:\n  here: {endpoint: \"http://127.0.0.1:9\", "
      "region: r, credentials: {source: none}}\nroutes:\n  - name: sonnet\n    match: {models: "
      "[\"a.*\"]}\n    primary: {upstream: here}\n    candidate: {upstream: here, model: b}\n    "
      "shadow: " +
          shadow + "\n    canary: " + canary + "\n");
  const std::string file = directory.write("request.txt", request);
  const Ran ran = run({"explain", "--config", config, "--request", file});
  return ran.out + ran.err;
}

TEST(Explain, TellsRouteBucketAndWhoServes) {
  const std::string request =
      "POST /model/a.b/converse HTTP/1.1\nHost: x\nx-tenant: t1\n\n"
      "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]}";
  const std::string bucket = "bucket [0-9]+ of 10000";
  EXPECT_THAT(explained("{percent: 0}", request),
              MatchesRegex(
                  "request      converse of a.b\nroute        sonnet .routes.0., the first "
                  "that matches.\nserved by    primary: " +
                  bucket + ", by its conversation; the candidate has 0 %\ncopy         yes: .*\n"));
  const std::string staged = explained(
      "{sticky_by: {header: x-tenant}, stages: [{percent: 50}, {percent: 100}]}", request);
  EXPECT_THAT(staged, MatchesRegex(".*served by    candidate from stage [12] .*: " + bucket +
                                   ", by header x-tenant\n.*"));
  EXPECT_THAT(explained("{percent: 0}", "POST /model/z/converse HTTP/1.1\nHost: x\n\n{}"),
              HasSubstr("route        none matches\nserved by    nobody"));
  EXPECT_THAT(explained("{percent: 0}", "no request"), HasSubstr("explain: the request: "));
}

// The proxy draws such a request by an id of its own, which nobody can know beforehand.
TEST(Explain, PromisesNoDrawToARequestWithoutAnId) {
  const std::string line = "POST /model/a.b/converse HTTP/1.1\nHost: x\n";
  EXPECT_THAT(explained("{percent: 0}", line + "\n{}", "{percent: 50}"),
              HasSubstr("copy         drawn anew each time"));
  EXPECT_THAT(explained("{percent: 0}", line + "amz-sdk-invocation-id: 1\n\n{}", "{percent: 50}"),
              MatchesRegex(".*copy         (yes|no): bucket .*"));
  EXPECT_THAT(explained("{percent: 0}", line + "\n{}"),
              HasSubstr("copy         yes: 100 % are copied\n"));
}

TEST(Explain, TellsWhetherARequestMeetsTheDrill) {
  const std::string line = "POST /model/a.b/converse HTTP/1.1\nHost: x\n";
  const auto with_drill = [&](const std::string& share, const std::string& id) {
    return explained(
        "{percent: 0}\n    on_end_of_life: serve_candidate\n    drill: {percent: " + share + "}",
        line + id + "\n{}");
  };
  EXPECT_THAT(with_drill("0.1", ""), HasSubstr("drill        drawn anew each time"));
  EXPECT_THAT(with_drill("100", ""), HasSubstr("drill        yes, "));
  EXPECT_THAT(with_drill("50", "amz-sdk-invocation-id: 1\n"),
              MatchesRegex(".*drill        (yes|no), by its call's id .*; 50 % of what .*"));
  EXPECT_THAT(explained("{percent: 0}", line + "\n{}"), Not(HasSubstr("drill")));
}

}  // namespace
}  // namespace understudy::proxy

// The serve command as a process: what its signals, its config file and its admin port do together.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "proxy/commands/commands.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/plain_client.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/serve_process.h"

namespace understudy::proxy {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using testing_support::PlainClient;
using testing_support::PlainReply;
using testing_support::port_of;
using testing_support::ServeProcess;

class ServeTest : public testing::Test {
 protected:
  ServeTest() { write_config(config("10")); }

  static std::string config(const std::string& shadow_percent, const std::string& more = "") {
    return "listeners: [{address: 127.0.0.1:0}]\n"
           "admin: {address: 127.0.0.1:0}\n"
           "upstreams:\n"
           "  east: {endpoint: \"http://127.0.0.1:9\", region: us-east-1, credentials: {source: "
           "none}}\n"
           "routes:\n"
           "  - name: sonnet\n"
           "    match: {models: [\"a.*\"]}\n"
           "    primary: {upstream: east}\n"
           "    candidate: {upstream: east, model: b}\n"
           "    shadow: {percent: " +
           shadow_percent + "}\nthreads: {io: 1}\ndrain: {lame_duck: 300ms, timeout: 1s}\n" + more;
  }

  std::string file() const { return (directory_ / "config.yaml").string(); }

  // By rename, as deployments do.
  void write_config(const std::string& yaml) const { directory_.write("config.yaml", yaml); }

  void start() {
    process_.emplace(file());
    const json listening = process_->wait_for_event("listening");
    ASSERT_FALSE(listening.is_null());
    proxy_port_ = port_of(listening["addresses"]);
    admin_port_ = port_of(listening["admin"]);
  }

  PlainReply admin(const std::string& method, const std::string& target,
                   const std::string& body = "") const {
    PlainClient client(admin_port_);
    client.send(method + " " + target +
                " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(admin_port_) +
                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.receive();
  }

  json shadow_percent() const {
    return admin("GET", "/api/routes/sonnet").json()["shadow_percent"];
  }

  testing_support::ScratchDirectory directory_;
  std::optional<ServeProcess> process_;
  std::uint16_t proxy_port_ = 0;
  std::uint16_t admin_port_ = 0;
};

TEST_F(ServeTest, ListensAndDrainsOnSigterm) {
  start();
  EXPECT_NO_THROW(PlainClient{proxy_port_});
  EXPECT_EQ(admin("GET", "/readyz").status, 200);
  process_->signal(SIGTERM);
  ASSERT_FALSE(process_->wait_for_event("draining").is_null());
  const PlainReply draining = admin("GET", "/readyz");
  EXPECT_EQ(draining.status, 503);
  EXPECT_EQ(draining.body, "draining\n");
  EXPECT_NO_THROW(PlainClient{proxy_port_}) << "in its lame-duck time it still accepts";
  EXPECT_EQ(process_->wait_for_event("stopped")["all_finished"], true);
  EXPECT_EQ(process_->wait_for_end(), kExitGood);
}

TEST_F(ServeTest, KnowsTheDatesOfAHealthEventAfterARestartToo) {
  std::string yaml = config("10", "state: {directory: state}\n");
  yaml.replace(yaml.find("model: b"), 8, "model: amazon.nova-lite-v1:0");
  write_config(yaml);
  const auto end_of_life = [this] {
    const json told = admin("GET", "/api/lifecycle").json();
    for (const json& model : told["models"])
      if (model["model"] == "amazon.nova-lite-v1:0") return model["end_of_life"];
    return json("the model is not told");
  };
  start();
  EXPECT_TRUE(end_of_life().is_null());
  const PlainReply taken = admin(
      "POST", "/api/lifecycle",
      R"({"source":"aws.health","detail":{"service":"BEDROCK","eventTypeCode":"AWS_BEDROCK_PLANNED_LIFECYCLE_EVENT","startTime":"Fri, 05 Mar 2027 22:00:00 GMT","affectedEntities":[{"entityValue":"amazon.nova-lite-v1:0"}]}})");
  EXPECT_EQ(taken.status, 200) << taken.body;
  EXPECT_EQ(end_of_life(), "2027-03-05");
  process_->signal(SIGTERM);
  EXPECT_EQ(process_->wait_for_end(), kExitGood);
  start();
  EXPECT_EQ(end_of_life(), "2027-03-05");
  EXPECT_THAT(
      admin("GET", "/metrics").body,
      HasSubstr("understudy_model_end_of_life_timestamp_seconds{model=\"amazon.nova-lite\"} "
                "1804204800\n"));
}

int run(const std::vector<std::string_view>& arguments, std::string* said = nullptr) {
  std::ostringstream out, err;
  const int status = run_command_line(arguments, out, err);
  if (said) *said = out.str() + err.str();
  return status;
}

TEST_F(ServeTest, KeepsARollbackThroughReloadAndRestartUntilItIsResumed) {
  const auto with_canary = [](const std::string& canary) {
    std::string text = config("10", "state: {directory: state}\n");
    return text.insert(text.find("    shadow:"), "    canary: {" + canary + "}\n");
  };
  write_config(with_canary("percent: 25"));
  start();
  const auto rollout = [&] { return admin("GET", "/api/routes/sonnet").json()["rollout"]; };
  EXPECT_EQ(rollout()["percent"], 25.0);
  const auto url = [&] { return "http://127.0.0.1:" + std::to_string(admin_port_); };
  std::string said;
  EXPECT_EQ(run({"rollback", "sonnet", "--admin", url()}, &said), kExitGood) << said;
  EXPECT_THAT(said, HasSubstr("the candidate serves 0 %"));
  EXPECT_EQ(run({"rollback", "nobody", "--admin", url()}, &said), kExitNegative);
  EXPECT_THAT(said, HasSubstr("no route with a candidate called nobody"));
  EXPECT_EQ(run({"pause", "sonnet", "--admin", url()}, &said), kExitNegative) << "no stages";
  EXPECT_EQ(run({"rollback", "sonnet", "--admin", url(), "--admin", "http://127.0.0.1:9"}, &said),
            kExitNotKnown)
      << "whoever was not reached may still serve";
  EXPECT_THAT(said, HasSubstr("NOT REACHED"));
  EXPECT_EQ(run({"rollback", "nobody", "--admin", url(), "--admin", "http://127.0.0.1:9"}, &said),
            kExitNotKnown)
      << "a refusal beside it does not hide that";

  EXPECT_EQ(admin("POST", "/api/reload").status, 200);
  EXPECT_EQ(rollout()["state"], "rolled_back");
  EXPECT_THAT(rollout()["cap"].get<std::string>(), HasSubstr("understudy resume sonnet"));
  process_->signal(SIGTERM);
  EXPECT_EQ(process_->wait_for_end(), kExitGood);
  start();
  EXPECT_EQ(rollout()["percent"], 0.0);
  EXPECT_THAT(admin("GET", "/metrics").body,
              HasSubstr("understudy_canary_percent{route=\"sonnet\"} 0\n"));
  EXPECT_EQ(run({"resume", "sonnet", "--admin", url()}), kExitGood);
  EXPECT_EQ(rollout()["percent"], 25.0);
  EXPECT_EQ(admin("POST", "/api/routes/sonnet/rollback").status, 200);
  write_config(with_canary("percent: 5"));
  ASSERT_FALSE(process_->wait_for_event("config_applied").is_null());
  EXPECT_EQ(rollout()["percent"], 5.0) << "another canary section lifts it";
  std::vector<std::string> told;
  const json events = admin("GET", "/api/events").json();
  for (const json& event : events["events"]) {
    if (event["kind"] == "rollout") told.push_back(event["facts"]["from"]);
  }
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.front(), "rolled_back");
}

TEST_F(ServeTest, TellsWhatAConfigWouldChangeOfTheOneThatRuns) {
  const std::string state =
      "sampling_salt: pepper\nstate: {directory: " + directory_.path().string() + "}\n";
  write_config(config("10", state));
  start();
  std::string changed = config("2.5");
  changed.replace(changed.find("io: 1"), 5, "io: 2");
  const std::string next = directory_.write("next.yaml", changed);
  std::ostringstream out, err;
  const std::vector<std::string_view> arguments{"check", "--config", next, "--against"};
  const auto check = [&](const std::string& against) {
    auto all = arguments;
    all.push_back(against);
    return run_command_line(all, out, err);
  };
  EXPECT_EQ(check("http://127.0.0.1:" + std::to_string(admin_port_)), kExitNegative) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("routes[sonnet].shadow.percent: 10 -> 2.5\n"));
  EXPECT_THAT(out.str(), HasSubstr("threads.io: 1 -> 2   NEEDS A RESTART"));
  EXPECT_THAT(out.str(), HasSubstr("sampling_salt: pepper -> understudy"));
  EXPECT_EQ(check("http://127.0.0.1:9"), kExitNotKnown);
}

TEST_F(ServeTest, TellsReloadsAsEventsThatSurviveARestart) {
  const std::string state = "state: {directory: " + directory_.path().string() + "}\n";
  write_config(config("10", state));
  start();
  write_config(config("3", state));
  ASSERT_FALSE(process_->wait_for_event("config_applied").is_null());
  write_config(config("300", state));
  ASSERT_FALSE(process_->wait_for_event("config_problem").is_null());
  const auto newest = [&](const std::string& word) {
    return testing_support::eventually([&] {
      const json events = admin("GET", "/api/events").json()["events"];
      return !events.empty() && events[0]["kind"] == "config" &&
             events[0]["text"].get<std::string>().find(word) != std::string::npos;
    });
  };
  EXPECT_TRUE(newest("refused"));
  process_->signal(SIGTERM);
  EXPECT_EQ(process_->wait_for_end(), kExitGood);
  write_config(config("3", state));
  start();
  const json events = admin("GET", "/api/events").json()["events"];
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["id"], 2);
  EXPECT_THAT(events[1]["text"].get<std::string>(),
              HasSubstr("in force; routes[sonnet].shadow.percent: 10 -> 3"));
}

TEST_F(ServeTest, EndsAtOnceOnASecondSignal) {
  write_config(
      config("10", "").replace(config("10").find("lame_duck: 300ms"), 16, "lame_duck: 60s"));
  start();
  process_->signal(SIGINT);
  ASSERT_FALSE(process_->wait_for_event("draining").is_null());
  const auto begin = std::chrono::steady_clock::now();
  process_->signal(SIGTERM);
  EXPECT_EQ(process_->wait_for_end(), kExitNegative);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST_F(ServeTest, TakesUpAChangedFileAndKeepsItWhenTheNextIsBad) {
  start();
  EXPECT_EQ(shadow_percent(), 10.0);
  write_config(config("0"));
  const json applied = process_->wait_for_event("config_applied");
  ASSERT_FALSE(applied.is_null());
  EXPECT_EQ(applied["changes"], "routes[sonnet].shadow.percent: 10 -> 0");
  // Told once the reload is over, a moment after it is in force.
  EXPECT_TRUE(testing_support::eventually([&] {
    const json last = admin("GET", "/api/config").json()["last_reload"];
    return last.is_object() &&
           last["changes"] == json::array({"routes[sonnet].shadow.percent: 10 -> 0"});
  }));
  EXPECT_EQ(shadow_percent(), 0.0);

  write_config(config("150"));
  const json problem = process_->wait_for_event("config_problem");
  ASSERT_FALSE(problem.is_null());
  EXPECT_THAT(problem["problem"].get<std::string>(), HasSubstr("config.yaml:10:"));
  EXPECT_EQ(shadow_percent(), 0.0);
  EXPECT_EQ(admin("GET", "/api/status").json()["config"]["last_reload"]["result"], "refused");
  const PlainReply refused = admin("POST", "/api/reload");
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.json()["problems"][0].get<std::string>(),
              HasSubstr("routes[0].shadow.percent"));
}

TEST_F(ServeTest, TakesUpAGoodConfigWhenWhatItLackedHasCome) {
  ASSERT_EQ(::setenv("AWS_CONFIG_FILE", (directory_ / "aws").c_str(), 1), 0);
  ASSERT_EQ(::setenv("AWS_SHARED_CREDENTIALS_FILE", (directory_ / "none").c_str(), 1), 0);
  start();
  write_config(config("20", "prices_file: prices.json\n"));
  ASSERT_FALSE(process_->wait_for_event("config_problem").is_null());
  fs::copy_file(fs::path(UNDERSTUDY_SOURCE_DIR) / "metrics/prices.json",
                directory_ / "prices.json");
  ASSERT_FALSE(process_->wait_for_event("config_applied").is_null());
  EXPECT_EQ(shadow_percent(), 20.0);

  std::string late = config("30");
  late.replace(late.find("source: none"), 12, "source: profile, profile: late");
  write_config(late);
  ASSERT_FALSE(process_->wait_for_event("config_problem").is_null());
  EXPECT_EQ(shadow_percent(), 20.0);
  std::ofstream(directory_ / "aws")
      << "[profile late]\naws_access_key_id = A\naws_secret_access_key = s\n";
  ASSERT_FALSE(process_->wait_for_event("config_applied").is_null());
  EXPECT_EQ(shadow_percent(), 30.0);
}

TEST_F(ServeTest, RefusesAReloadThatMovesTheAdminPort) {
  start();
  std::string moved = config("10");
  moved.replace(moved.find("admin: {address: 127.0.0.1:0}"), 29, "admin: {address: 127.0.0.2:0}");
  write_config(moved);
  const json outcome = process_->wait_for_event("config_reload");
  ASSERT_FALSE(outcome.is_null());
  EXPECT_EQ(outcome["result"], "refused");
}

// Evidence, spending and the replica's name stay where they were: they would be of two minds.
TEST_F(ServeTest, RefusesAReloadThatMovesTheState) {
  write_config(config("10", "state: {directory: one}\n"));
  start();
  write_config(config("20", "state: {directory: two}\n"));
  const json outcome = process_->wait_for_event("config_reload");
  ASSERT_FALSE(outcome.is_null());
  EXPECT_EQ(outcome["result"], "refused");
  EXPECT_EQ(shadow_percent(), 10.0);
  EXPECT_FALSE(fs::exists(directory_ / "two"));
}

TEST_F(ServeTest, SaysAtOnceThatItsRecordsCannotBeWritten) {
  const std::string file = directory_.write("file", "x");
  write_config(config("10", "records: {directory: " + file + "}\n"));
  process_.emplace(this->file());
  const json told = process_->wait_for_event("place_unusable");
  ASSERT_FALSE(told.is_null());
  EXPECT_THAT(told["problem"].get<std::string>(), HasSubstr("records.directory: "));
  EXPECT_FALSE(process_->wait_for_event("listening").is_null()) << "traffic goes on without";
}

TEST_F(ServeTest, MakesFewReloadsOfAStormOfSighups) {
  start();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) {
    process_->signal(SIGHUP);
    std::this_thread::sleep_until(begin + i * 1ms);  // 1,000 in a second
  }
  const auto reloads = process_->events_until_quiet("config_reload", 2500ms);
  EXPECT_GE(reloads.size(), 2U) << "the last one is not lost";
  EXPECT_LE(reloads.size(), 3U);
  for (const json& reload : reloads) EXPECT_EQ(reload["result"], "applied");
  EXPECT_EQ(admin("GET", "/healthz").status, 200);
}

TEST_F(ServeTest, DoesNotStartWithABadConfig) {
  write_config(config("150"));
  ServeProcess process(file());
  EXPECT_EQ(process.wait_for_end(), kExitBadConfig);
  EXPECT_THAT(process.rest(), HasSubstr("config.yaml:10:"));
}

TEST_F(ServeTest, TakesAPortThatWasRefusedOnceItIsFree) {
  start();
  std::optional<testing_support::FakeBedrock> holder(
      [](const testing_support::FakeRequest&, testing_support::FakePeer&) {});
  const std::uint16_t port = holder->port();
  std::string moved = config("10");
  moved.replace(moved.find("127.0.0.1:0"), 11, "127.0.0.1:" + std::to_string(port));
  write_config(moved);
  EXPECT_EQ(process_->wait_for_event("config_reload")["result"], "refused");
  holder.reset();
  EXPECT_EQ(process_->wait_for_event("config_reload")["result"], "applied");
  EXPECT_NO_THROW(PlainClient{port});
}

TEST_F(ServeTest, NamesThePortThatItCannotHave) {
  start();
  std::string taken = config("10");
  taken.replace(taken.find("admin: {address: 127.0.0.1:0}"), 29,
                "admin: {address: 127.0.0.1:" + std::to_string(admin_port_) + "}");
  write_config(taken);
  ServeProcess second(file());
  EXPECT_EQ(second.wait_for_end(), kExitNegative);
  EXPECT_THAT(second.rest(), HasSubstr("admin.address: cannot listen on 127.0.0.1:" +
                                       std::to_string(admin_port_)));
}

}  // namespace
}  // namespace understudy::proxy

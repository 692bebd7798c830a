#include "proxy/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "metrics/recorder.h"
#include "proxy/admin_page.h"
#include "proxy/lifecycle_report.h"
#include "routing/day.h"
#include "tests/support/plain_client.h"
#include "tests/support/proxy_under_test.h"

namespace understudy::proxy {
namespace {

using metrics::Leg;
using metrics::Signal;
using nlohmann::json;
using routing::Operation;
using routing::Variant;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using testing_support::PlainClient;
using testing_support::PlainReply;

std::shared_ptr<const Snapshot> example_snapshot(metrics::Recorder& recorder) {
  routing::Config config;
  config.hash = "00000000deadbeef";
  routing::UpstreamConfig upstream;
  upstream.name = "east";
  config.upstreams = {upstream};
  config.default_upstream = 0;
  routing::RouteConfig route;
  route.name = "sonnet-4.5_a";
  route.candidate =
      routing::VariantConfig{.upstream = 0, .model = "us.anthropic.claude-sonnet-5", .rewrite = {}};
  route.shadow.percent = {1025};
  config.routes = {route};
  return std::make_shared<const Snapshot>(
      Snapshot{.routes = routing::RouteTable(std::make_shared<const routing::Config>(config)),
               .upstreams = {},
               .meters = {&recorder.route(route.name)},
               .experiments = {"experiment"},
               .default_meter = &recorder.route("default"),
               .prices = nullptr});
}

routing::AdminConfig on_port(std::uint16_t port) {
  routing::AdminConfig config;
  config.address = {"127.0.0.1", port};
  return config;
}

class AdminTest : public testing::Test {
 protected:
  AdminTest() {
    auto started =
        Admin::start(on_port(0), {.exposition = [this] { return recorder_->render(); },
                                  .snapshot = [this] { return snapshot_; },
                                  .process = [this] { return process_; },
                                  .reload =
                                      [this] {
                                        ++reloads_;
                                        if (may_reload_) may_reload_->get_future().wait();
                                        return reload_outcome_;
                                      },
                                  .evidence = [this](std::string_view) { return evidence_; },
                                  .shadow = [this](auto) { return shadow_; },
                                  .volumes = [this](auto) { return volume_; },
                                  .post_lifecycle = [this](auto body) { return posts_.post(body); },
                                  .refused = [this](auto limit) { recorder_->refused(limit); },
                                  .rollouts = rollouts_,
                                  .events = events_});
    if (!started) throw std::runtime_error(started.error().context);
    admin_ = std::move(*started);
    host_ = "127.0.0.1:" + std::to_string(admin_->port());
  }

  std::string request(const std::string& method, const std::string& target,
                      const std::string& fields = "") const {
    return method + " " + target + " HTTP/1.1\r\nHost: " + host_ + "\r\n" + fields + "\r\n";
  }
  PlainReply ask(const std::string& bytes) const {
    PlainClient client(admin_->port());
    client.send(bytes);
    return client.receive();
  }
  PlainReply get(const std::string& target) const { return ask(request("GET", target)); }
  metrics::RouteMeter& meter() const { return *snapshot_->meters[0]; }

  std::unique_ptr<metrics::Recorder> recorder_ = metrics::make_prometheus_recorder();
  std::shared_ptr<const Snapshot> snapshot_ = example_snapshot(*recorder_);
  ProcessStatus process_{.ready = true,
                         .draining = false,
                         .uptime = std::chrono::seconds(7),
                         .load = {},
                         .last_reload = {}};
  ReloadOutcome reload_outcome_{metrics::ReloadResult::applied, {}};
  std::atomic<int> reloads_ = 0;
  std::optional<std::promise<void>> may_reload_;  // what a reload waits for
  std::shared_ptr<const metrics::RouteEvidence> evidence_;
  std::shared_ptr<ShadowAccount> shadow_ = std::make_shared<ShadowAccount>();
  std::optional<VolumePeak> volume_;
  StateWriter state_writer_;
  EventLog events_;
  LifecyclePosts posts_{events_, state_writer_, "", routing::today};
  RolloutKeeper rollouts_{events_, state_writer_};
  std::unique_ptr<Admin> admin_;
  std::string host_;
};

// It may wait for credentials.
TEST_F(AdminTest, ObeysAndAnswersWhileAReloadIsUnderWay) {
  rollouts_.shares_for(snapshot_->config());
  rollouts_.applied(snapshot_->config());
  may_reload_.emplace();
  auto reload = std::async(std::launch::async, [&] { return ask(request("POST", "/api/reload")); });
  ASSERT_TRUE(testing_support::eventually([&] { return reloads_ == 1; }));
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(ask(request("POST", "/api/routes/sonnet-4.5_a/rollback")).status, 200);
  may_reload_->set_value();
  EXPECT_EQ(reload.get().json()["result"], "applied");
}

TEST_F(AdminTest, GivesOrdersToRolloutsByPostOnly) {
  const std::string route = "/api/routes/sonnet-4.5_a";
  rollouts_.shares_for(snapshot_->config());
  rollouts_.applied(snapshot_->config());
  EXPECT_EQ(get(route + "/rollback").status, 405);
  EXPECT_EQ(ask(request("POST", route + "/rollback", "Origin: http://evil.example\r\n")).status,
            403);
  EXPECT_EQ(rollouts_.rollbacks().size(), 0u);
  const PlainReply done = ask(request("POST", route + "/rollback"));
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.json()["rollout"]["state"], "rolled_back");
  const PlainReply refused = ask(request("POST", route + "/promote"));
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.json()["error"].get<std::string>(), HasSubstr("has no stages"));
  EXPECT_EQ(ask(request("POST", "/api/routes/nobody/rollback")).status, 404);
  EXPECT_EQ(get(route).json()["rollout"]["reason"], "manual");
  EXPECT_EQ(get(route).json()["way_back"]["ready"], false) << "the primary was never asked";
  EXPECT_EQ(get("/api/events").json()["events"][0]["facts"]["to"], "rolled_back");
  EXPECT_THAT(
      get("/metrics").body,
      HasSubstr("understudy_rollbacks_total{route=\"sonnet-4.5_a\",reason=\"manual\"} 1\n"));
}

TEST_F(AdminTest, ServesMetricsAndHealth) {
  meter().request(Operation::converse, Variant::primary, Leg::served, 200,
                  std::chrono::milliseconds(5));
  const PlainReply metrics = get("/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_THAT(metrics.head, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("understudy_requests_total{"));
  EXPECT_EQ(get("/healthz").status, 200);
}

TEST_F(AdminTest, IsReadyOnlyBetweenStartAndDrain) {
  EXPECT_EQ(get("/readyz").status, 200);
  process_.ready = false;
  EXPECT_EQ(get("/readyz").body, "starting\n");
  process_.draining = true;
  const PlainReply draining = get("/readyz");
  EXPECT_EQ(draining.status, 503);
  EXPECT_EQ(draining.body, "draining\n");
  EXPECT_EQ(get("/healthz").status, 200) << "a draining process is alive";
}

TEST_F(AdminTest, KeepsTheConnectionForFurtherRequests) {
  PlainClient client(admin_->port());
  for (int i = 0; i < 20; ++i) {
    client.send(request("GET", "/healthz"));
    EXPECT_EQ(client.receive().status, 200);
  }
  client.send(request("GET", "/healthz", "Connection: close\r\n"));
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_TRUE(client.peer_closed());
}

TEST_F(AdminTest, ServesAPageThatMayLoadNothingFromElsewhere) {
  const PlainReply page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.head, HasSubstr("text/html"));
  EXPECT_THAT(page.head,
              HasSubstr("Content-Security-Policy: default-src 'none'; script-src 'nonce-"));
  EXPECT_THAT(page.body, StartsWith("<!doctype html>"));
  for (const char* outside :
       {"http://", "https://", " src=", " href=\"h", "innerHTML", "{nonce}"}) {
    EXPECT_THAT(page.body, Not(HasSubstr(outside)));
  }
  EXPECT_NE(make_admin_page().html, make_admin_page().html) << "a nonce is used once";
}

TEST_F(AdminTest, DescribesARouteByTheFieldNamesOthersRelyOn) {
  meter().eligible();
  meter().compared({.findings = {{.signal = Signal::error_class,
                                  .diverges = true,
                                  .served_bad = false,
                                  .other_bad = true},
                                 {.signal = Signal::verbosity, .diverges = false, .value = 0.0}}});
  for (int i = 0; i < 3; ++i) meter().eligible();
  meter().skipped(routing::SkipReason::not_sampled);
  meter().dropped(metrics::DropReason::breaker);
  meter().failed(metrics::FailReason::timeout);
  for (int i = 0; i < 4; ++i) {
    meter().request(Operation::converse, Variant::primary, Leg::served, 200,
                    std::chrono::milliseconds(100));
  }
  meter().request(Operation::converse, Variant::candidate, Leg::shadow, 429,
                  std::chrono::milliseconds(20));

  const json route = get("/api/routes/sonnet-4.5_a").json();
  EXPECT_EQ(route["name"], "sonnet-4.5_a");
  EXPECT_EQ(route["primary"], json({{"upstream", "east"}, {"model", nullptr}}));
  EXPECT_EQ(route["candidate"],
            json({{"upstream", "east"}, {"model", "us.anthropic.claude-sonnet-5"}}));
  EXPECT_EQ(route["shadow_percent"], 10.25);
  EXPECT_EQ(route["canary_percent"], 0.0);
  EXPECT_EQ(route["verdict"], "keep_shadowing");
  const json& counts = route["counts"];
  EXPECT_EQ(counts["eligible"], 4);
  EXPECT_EQ(counts["compared"], 1);
  EXPECT_EQ(counts["skipped"]["not_sampled"], 1);
  EXPECT_EQ(counts["dropped"]["breaker"], 1);
  EXPECT_EQ(counts["failed"]["timeout"], 1);
  EXPECT_EQ(route["served"]["primary"], 4);
  EXPECT_EQ(route["served"]["candidate_percent"], 0.0);
  EXPECT_EQ(route["served"]["shadowed_percent"], 75.0);

  ASSERT_EQ(route["reasons"].size(), metrics::kSignals.size() + 1)
      << "gates, information and the number of tool calls";
  EXPECT_EQ(route["reasons"][0]["state"], "open");
  EXPECT_EQ(route["reasons"].back()["state"], "info");
  for (const json& reason : route["reasons"]) {
    EXPECT_EQ(reason["family"], "all");
    for (const char* field :
         {"text", "pairs", "primary_rate", "candidate_rate", "difference", "interval"}) {
      EXPECT_TRUE(reason.contains(field)) << field;
    }
  }
  EXPECT_FALSE(route["verdict_text"].get<std::string>().empty());
  EXPECT_EQ(route["coverage"]["pairs"], 0);
  EXPECT_FALSE(route["missing"].empty());
  EXPECT_TRUE(route["cost"]["per_1000_requests"].is_null()) << "unknown, not zero";
  EXPECT_TRUE(route["cost"]["monthly"].is_null());
  EXPECT_EQ(route["validation_errors"]["count"], 0);
  EXPECT_EQ(route["parameters"]["gates"]["refusal"]["margin"], 0.01);
}

TEST_F(AdminTest, TellsWhatTheCandidateCostsAndSays) {
  metrics::RouteEvidence evidence("experiment", {});
  metrics::Observation served, other;
  served.answer.text = other.answer.text = "as long";
  served.answer.parsed = other.answer.parsed = true;
  served.usage.input = other.usage.input = served.usage.output = other.usage.output = 10;
  served.total = std::chrono::milliseconds(100);
  other.total = std::chrono::milliseconds(200);
  other.variant = Variant::candidate;
  const metrics::PairCost cost{.primary = {.input = 2.0},
                               .primary_at_candidate_prices = {.input = 1.0},
                               .candidate = {.input = 1.0},
                               .prices_as_of = "2026-11-20"};
  const metrics::Comparison same;
  for (int i = 0; i < 10; ++i) {
    evidence.record_pair("support",
                         {.comparison = same, .served = served, .other = other, .cost = &cost}, {});
  }
  evidence.record_validation_error("support", "this is not <b>permitted</b>");
  evidence.record_traffic(1'000, std::chrono::hours(1), {});
  evidence_ = std::make_shared<const metrics::RouteEvidence>(evidence);
  const json route = get("/api/routes/sonnet-4.5_a").json();
  EXPECT_EQ(route["cost"]["prices_as_of"], "2026-11-20");
  EXPECT_EQ(route["cost"]["per_1000_requests"]["primary_usd"], 2000.0);
  EXPECT_EQ(route["cost"]["per_1000_requests"]["difference_percent"], -50.0);
  EXPECT_EQ(route["cost"]["decomposition"]["price_usd"], -1000.0);
  EXPECT_EQ(route["cost"]["tokenizer_factor"]["input"], 1.0);
  EXPECT_EQ(route["cost"]["monthly"]["requests"], 730'000.0);
  EXPECT_EQ(route["validation_errors"]["count"], 1);
  EXPECT_EQ(route["validation_errors"]["messages"][0]["message"], "this is not <b>permitted</b>");
  EXPECT_EQ(route["validation_errors"]["messages"][0]["families"], json({"support"}));
  EXPECT_EQ(route["latency"]["candidate"]["pairs"], 10);
  EXPECT_NEAR(route["latency"]["candidate"]["p50"]["seconds"], 0.2, 0.01);
  EXPECT_TRUE(route["first_token"]["primary"]["p50"]["seconds"].is_null());
}

TEST_F(AdminTest, JudgesTheEvidenceOfARoute) {
  metrics::RouteEvidence evidence("experiment", {});
  metrics::Observation served, other;
  served.answer.parsed = other.answer.parsed = true;
  other.variant = Variant::candidate;
  metrics::Finding refusal;
  refusal.signal = Signal::refusal;
  refusal.other_bad = refusal.diverges = true;
  const metrics::Comparison refuses{.findings = {refusal}};
  for (int i = 0; i < 50; ++i) {
    evidence.record_pair("support",
                         {.comparison = refuses,
                          .served = served,
                          .other = other,
                          .exchange_id = "exchange-" + std::to_string(i)},
                         std::chrono::system_clock::time_point(std::chrono::seconds(i)));
  }
  evidence_ = std::make_shared<const metrics::RouteEvidence>(evidence);
  const json route = get("/api/routes/sonnet-4.5_a").json();
  EXPECT_EQ(route["verdict"], "roll_back");
  EXPECT_EQ(route["coverage"]["pairs"], 50);
  const json& first = route["reasons"][0];
  EXPECT_EQ(first["signal"], "refusal");
  EXPECT_EQ(first["state"], "alarm");
  EXPECT_EQ(first["primary_rate"], 0.0);
  EXPECT_EQ(first["candidate_rate"], 1.0);
  EXPECT_EQ(first["difference"], 1.0);
  ASSERT_EQ(route["examples"].size(), 3u);
  EXPECT_EQ(route["examples"][0]["exchange_id"], "exchange-49") << "the latest of equal ones";
  EXPECT_EQ(route["examples"][0]["signal"], "refusal");
  EXPECT_TRUE(route["examples"][0]["text"].is_null()) << "nothing is recorded here";
  EXPECT_THAT(get("/metrics").body, HasSubstr("understudy_verdict{route=\"sonnet-4.5_a\","
                                              "verdict=\"roll_back\"} 1"));
  EXPECT_EQ(get("/api/routes/sonnet-4.5_a/evidence").json()["experiment"], "experiment");
}

TEST_F(AdminTest, HasNoEvidenceOfARouteWithoutPairs) {
  EXPECT_EQ(get("/api/routes/sonnet-4.5_a/evidence").status, 404);
}

TEST_F(AdminTest, HoldsARelativeSignalAgainstTheNoiseOfTheControlLegs) {
  const auto reason = [this] {
    const json route = get("/api/routes/sonnet-4.5_a").json();
    for (const json& one : route["reasons"]) {
      if (one["signal"] == "containment") return one;
    }
    return json();
  };
  const auto pair = [](bool diverges) {
    return metrics::Comparison{
        .findings = {{.signal = Signal::containment, .diverges = diverges, .value = 0.5}}};
  };
  for (int i = 0; i < 10; ++i) meter().compared(pair(i < 4));
  EXPECT_TRUE(reason()["primary_rate"].is_null()) << "an unmeasured noise is unknown, not zero";
  EXPECT_TRUE(reason()["interval"].is_null());
  EXPECT_EQ(reason()["candidate_rate"], 0.4);
  for (int i = 0; i < 10; ++i) meter().control_compared(pair(i < 1));
  EXPECT_EQ(reason()["primary_rate"], 0.1);
  EXPECT_NEAR(reason()["difference"], 0.3, 1e-12);
  EXPECT_EQ(reason()["control_pairs"], 10);
}

TEST_F(AdminTest, SummarisesLatencyTokensAndCost) {
  meter().request(Operation::converse, Variant::primary, Leg::served, 200,
                  std::chrono::milliseconds(100));
  metrics::Observation seen;
  seen.operation = Operation::converse;
  seen.usage.input = 11;
  seen.usage.output = 22;
  seen.cost_usd = 0.25;
  meter().answer(seen);
  const json status = get("/api/status").json();
  EXPECT_EQ(status["ready"], true);
  EXPECT_EQ(status["uptime_seconds"], 7);
  EXPECT_EQ(status["config"]["hash"], "00000000deadbeef");
  EXPECT_EQ(status["default_route"]["upstream"], "east");
  const json measured = status["routes"][0]["measured"];
  ASSERT_EQ(measured.size(), 1U);
  EXPECT_EQ(measured[0]["variant"], "primary");
  EXPECT_EQ(measured[0]["leg"], "served");
  EXPECT_EQ(measured[0]["tokens"]["input"], 11.0);
  EXPECT_EQ(measured[0]["tokens"]["output"], 22.0);
  EXPECT_EQ(measured[0]["cost_usd"], 0.25);
  EXPECT_NEAR(measured[0]["latency_seconds"]["mean"], 0.1, 1e-6);
  EXPECT_FALSE(measured[0]["latency_seconds"]["p95"].is_null());
}

TEST_F(AdminTest, ListsAllRoutes) {
  const json routes = get("/api/routes").json()["routes"];
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes[0], get("/api/routes/sonnet-4.5_a").json());
}

TEST_F(AdminTest, ReloadsAndTellsTheOutcome) {
  const PlainReply applied = ask(request("POST", "/api/reload", "Content-Length: 0\r\n"));
  EXPECT_EQ(applied.status, 200);
  EXPECT_EQ(applied.json(),
            json({{"result", "applied"}, {"problems", json::array()}, {"changes", json::array()}}));
  reload_outcome_ = {metrics::ReloadResult::refused, {"config.yaml:1:2: routes: \xff odd"}};
  const PlainReply refused = ask(request("POST", "/api/reload"));
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.json()["problems"][0].get<std::string>(),
              StartsWith("config.yaml:1:2: routes:"));
  EXPECT_EQ(reloads_, 2);
}

TEST_F(AdminTest, RefusesOtherMethodsAndPathsAsJson) {
  const PlainReply wrong_method = ask(request("DELETE", "/api/status"));
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_THAT(wrong_method.head, HasSubstr("Allow: GET"));
  EXPECT_TRUE(wrong_method.json().contains("error"));
  const PlainReply get_reload = get("/api/reload");
  EXPECT_EQ(get_reload.status, 405);
  EXPECT_THAT(get_reload.head, HasSubstr("Allow: POST"));
  for (const char* target : {"/nothing", "/api/routes/unknown", "/api/routes/",
                             "/api/routes/../status", "/metrics/", "*"}) {
    const PlainReply unknown = get(target);
    EXPECT_EQ(unknown.status, 404) << target;
    EXPECT_TRUE(unknown.json().contains("error"));
  }
  EXPECT_EQ(get("/healthz?verbose").status, 200) << "a query changes nothing";
}

TEST_F(AdminTest, AnswersOnlyToLoopbackNamesWithItsPort) {
  const std::string port = std::to_string(admin_->port());
  const auto status_for = [this](const std::string& host_fields) {
    return ask("GET /healthz HTTP/1.1\r\n" + host_fields + "\r\n").status;
  };
  for (const char* name : {"127.0.0.1", "localhost", "LocalHost", "[::1]", "127.1.2.3"}) {
    EXPECT_EQ(status_for("Host: " + std::string(name) + ":" + port + "\r\n"), 200) << name;
  }
  for (const char* name : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "127.1", "127.0.0.256", "127.0.0.1.", "10.0.0.1", "127.0.0.-1", ""}) {
    EXPECT_EQ(status_for("Host: " + std::string(name) + ":" + port + "\r\n"), 403) << name;
  }
  EXPECT_EQ(status_for(""), 403) << "no Host at all";
  EXPECT_EQ(status_for("Host: 127.0.0.1\r\n"), 403) << "the port is missing";
  EXPECT_EQ(status_for("Host: 127.0.0.1:1\r\n"), 403) << "another port";
  EXPECT_EQ(status_for("Host: " + host_ + "\r\nHost: " + host_ + "\r\n"), 403) << "two Hosts";
}

TEST_F(AdminTest, TakesAPostFromItsOwnPageAlone) {
  const auto status_for = [this](const std::string& origin) {
    return ask(request("POST", "/api/reload", "Origin: " + origin + "\r\n")).status;
  };
  EXPECT_EQ(status_for("http://" + host_), 200);
  for (const std::string& origin : std::vector<std::string>{
           "http://evil.example", "null", "https://" + host_, "http://127.0.0.1:1", ""}) {
    EXPECT_EQ(status_for(origin), 403) << origin;
  }
  EXPECT_EQ(reloads_, 1);
}

TEST_F(AdminTest, BoundsHeadersAndBodies) {
  EXPECT_EQ(ask(request("GET", "/healthz", "X: " + std::string(17 << 10, 'x') + "\r\n")).status,
            431);
  EXPECT_EQ(ask(request("POST", "/api/reload", "Content-Length: 70000\r\n")).status, 413);
  EXPECT_EQ(ask("nonsense\r\n\r\n").status, 400);
  EXPECT_EQ(reloads_, 0);
}

TEST_F(AdminTest, TakesAHealthEventByPostFromNoOtherSite) {
  const std::string event =
      R"({"source":"aws.health","detail":{"service":"BEDROCK","eventTypeCode":"AWS_BEDROCK_PLANNED_LIFECYCLE_EVENT","startTime":"2027-03-05T00:00:00Z","affectedEntities":[{"entityValue":"amazon.nova-lite-v1:0"}]}})";
  const auto post = [&](const std::string& body, const std::string& fields = "") {
    return ask(request("POST", "/api/lifecycle",
                       fields + "Content-Length: " + std::to_string(body.size()) + "\r\n") +
               body);
  };
  EXPECT_EQ(post(event, "Origin: http://evil.example\r\n").status, 403);
  EXPECT_TRUE(events_.recent().empty());
  const PlainReply taken = post(event);
  EXPECT_EQ(taken.status, 200);
  EXPECT_EQ(taken.json()["models"][0]["end_of_life"], "2027-03-05");
  EXPECT_EQ(get("/api/events").json()["events"][0]["kind"], "lifecycle");
  const PlainReply refused = post(R"({"source":"somebody"})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.json()["error"].get<std::string>(), HasSubstr("source: must be aws.health"));
  EXPECT_EQ(ask(request("PUT", "/api/lifecycle")).status, 405);
}

TEST_F(AdminTest, KeepsAtMostSixtyFourConnections) {
  std::vector<std::unique_ptr<PlainClient>> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(std::make_unique<PlainClient>(admin_->port()));
    clients.back()->send(request("GET", "/healthz"));
    ASSERT_EQ(clients.back()->receive().status, 200);
  }
  EXPECT_TRUE(PlainClient(admin_->port()).peer_closed());
  clients.pop_back();
  // The place is free once the admin has seen the close; each try is another round through its
  // loop.
  int status = 0;
  for (int tries = 0; tries < 500 && status != 200; ++tries) status = get("/healthz").status;
  EXPECT_EQ(status, 200);
}

TEST(Admin, NamesTheAddressThatItCannotHave) {
  EventLog events;
  StateWriter state_writer;
  RolloutKeeper rollouts(events, state_writer);
  const AdminSources nobody_asks{.exposition = {},
                                 .snapshot = {},
                                 .process = {},
                                 .reload = {},
                                 .evidence = {},
                                 .shadow = {},
                                 .volumes = {},
                                 .post_lifecycle = {},
                                 .refused = {},
                                 .rollouts = rollouts,
                                 .events = events};
  const auto first = Admin::start(on_port(0), nobody_asks);
  ASSERT_TRUE(first);
  const std::uint16_t taken = (*first)->port();
  const auto second = Admin::start(on_port(taken), nobody_asks);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().context,
              HasSubstr("admin.address: cannot listen on 127.0.0.1:" + std::to_string(taken)));
}

}  // namespace
}  // namespace understudy::proxy

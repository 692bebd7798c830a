// The second wire through the proxy: requests whose body names the model, answers as JSON or as
// server-sent events.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/simulator/simulator.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using nlohmann::json;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// --- Against the simulator: the books balance and the pairs are compared

constexpr const char* kModels = R"(
seed: 7
deterministic: true
log: {requests: 1000, bodies: true}
auth:
  mode: any
  service: bedrock-mantle
  keys: [{access_key_id: AKIDPRIMARY, secret_access_key: secret}]
models:
  - {id: anthropic.claude-a, family: anthropic}
  - {id: anthropic.claude-b, family: anthropic}
)";

constexpr const char* kSigned =
    "source: static, access_key_id: AKIDPRIMARY, secret_access_key: secret";
constexpr const char* kMantle = ", signing_service: bedrock-mantle";

struct Api {
  const char* path;
  const char* body;  // all that stands before the members that a test adds
};
constexpr Api kMessages{"/anthropic/v1/messages",
                        R"({"model":"anthropic.claude-a","max_tokens":300,"messages":[)"
                        R"({"role":"user","content":"Why is the sky blue?"}])"};
constexpr Api kChat{"/openai/v1/chat/completions",
                    R"({"messages":[{"role":"user","content":"Why is the sky blue?"}],)"
                    R"("model":"anthropic.claude-a")"};
constexpr Api kResponses{"/v1/responses", R"({"model":"anthropic.claude-a","input":"Why?")"};
constexpr Api kApis[]{kMessages, kChat, kResponses};

class SecondWire : public testing::Test {
 protected:
  void SetUp() override { simulator_ = simulator::Simulator::start(kModels); }

  void launch(ProxySetup setup = {}) {
    setup.primary_port = setup.candidate_port = simulator_->port();
    setup.candidate_model = "anthropic.claude-b";
    setup.primary_credentials = setup.candidate_credentials = kSigned;
    setup.primary_more = setup.candidate_more = kMantle;
    proxy_ = std::make_unique<ProxyUnderTest>(setup);
    client_ = std::make_unique<RawClient>(proxy_->port());
  }

  // The body that the n-th request had that asked for that model.
  std::string body_asked_of(std::string_view model) const {
    for (const auto& request : simulator_->requests(0)) {
      if (request.model == model) return request.body;
    }
    return {};
  }

  std::unique_ptr<simulator::Simulator> simulator_;
  std::unique_ptr<ProxyUnderTest> proxy_;
  std::unique_ptr<RawClient> client_;
};

TEST_F(SecondWire, ComparesEveryApiPlainAndStreamed) {
  launch();
  std::uint64_t asked = 0;
  for (const Api& api : kApis) {
    for (const char* more : {"}", R"(,"stream":true,"stream_options":{"include_usage":true}})"}) {
      const Answer got = client_->ask(post(api.path, std::string(api.body) + more));
      EXPECT_EQ(got.status, 200) << got.body;
      EXPECT_EQ(got.end, Answer::End::complete);
      EXPECT_EQ(got.field("x-understudy-variant"), "primary");
      EXPECT_THAT(got.field("content-type"),
                  StartsWith(more[0] == ',' ? "text/event-stream" : "application/json"));
      ++asked;
    }
  }
  ASSERT_TRUE(proxy_->books_balance(asked)) << proxy_->books();
  EXPECT_EQ(proxy_->counts().compared, asked) << proxy_->books();
  for (const char* operation : {"messages", "chat_completions", "responses"}) {
    EXPECT_EQ(proxy_->value("requests_total", {{"operation", operation}, {"leg", "served"}}), 2);
    EXPECT_EQ(proxy_->value("requests_total", {{"operation", operation}, {"leg", "shadow"}}), 2);
    EXPECT_EQ(proxy_->value("time_to_first_token_seconds_count",
                            {{"operation", operation}, {"leg", "served"}}),
              1)
        << operation;
  }
  EXPECT_EQ(proxy_->value("usage_missing_total"), 0);
  EXPECT_GT(proxy_->value("tokens_total", {{"variant", "candidate"}, {"type", "output"}}), 0);
}

// A `bedrock-runtime` endpoint speaks the second wire as well, and is signed for as `bedrock`: the
// simulator checks that, and refuses what is signed for the other service.
TEST(SecondWireOnTheRuntimeEndpoint, IsSignedForBedrock) {
  std::string config = kModels;
  config.replace(config.find("mode: any"), 9, "mode: sigv4");
  config.replace(config.find("bedrock-mantle"), 14, "bedrock");
  const auto runtime = simulator::Simulator::start(config);
  ProxySetup setup{.primary_port = runtime->port(),
                   .candidate_port = runtime->port(),
                   .candidate_model = "anthropic.claude-b",
                   .primary_credentials = kSigned,
                   .candidate_credentials = kSigned};
  ProxyUnderTest proxy(setup);
  RawClient client(proxy.port());
  std::uint64_t asked = 0;
  for (const Api& api : {kMessages, kChat, Api{"/openai/v1/responses", kResponses.body}}) {
    for (const char* more : {"}", R"(,"stream":true})"}) {
      const Answer got = client.ask(post(api.path, std::string(api.body) + more));
      EXPECT_EQ(got.status, 200) << api.path << ": " << got.body;
      EXPECT_EQ(got.end, Answer::End::complete);
      ++asked;
    }
  }
  ASSERT_TRUE(proxy.books_balance(asked)) << proxy.books();
  EXPECT_EQ(proxy.counts().compared, asked) << proxy.books();
  EXPECT_EQ(runtime->counts().requests, 2 * asked);

  setup.primary_more = kMantle;
  ASSERT_TRUE(proxy.apply(setup));
  const Answer refused = client.ask(post(kChat.path, std::string(kChat.body) + "}"));
  EXPECT_EQ(refused.status, 403) << refused.body;
  EXPECT_FALSE(refused.has("x-understudy-error")) << "it is the upstream's own";
}

TEST_F(SecondWire, RelaysTheSameBytesAsTheUpstreamSends) {
  launch();
  RawClient direct(simulator_->port());
  const auto unsigned_setup = simulator::Simulator::start(
      "deterministic: true\nmodels: [{id: anthropic.claude-a}, {id: anthropic.claude-b}]");
  ProxySetup setup;
  setup.primary_port = setup.candidate_port = unsigned_setup->port();
  ProxyUnderTest proxy(setup);
  RawClient through(proxy.port()), straight(unsigned_setup->port());
  for (const Api& api : kApis) {
    for (const char* more : {"}", R"(,"stream":true})"}) {
      const std::string request = post(api.path, std::string(api.body) + more);
      EXPECT_EQ(through.ask(request).body, straight.ask(request).body) << api.path << more;
    }
  }
}

TEST_F(SecondWire, AsksTheCandidateUnderItsOwnNameAndLeavesTheRestOfTheBodyAlone) {
  launch();
  const std::string body =
      R"({ "messages":[{"role":"user","content":"model anthropic.claude-a"}], )"
      R"("model" : "anthropic.claude-a","max_completion_tokens":2e2 })";
  EXPECT_EQ(client_->ask(post(kChat.path, body)).status, 200);
  ASSERT_TRUE(proxy_->books_balance(1));
  EXPECT_EQ(body_asked_of("anthropic.claude-a"), body);
  std::string wanted = body;
  wanted.replace(wanted.rfind("anthropic.claude-a"), 18, "anthropic.claude-b");
  EXPECT_EQ(body_asked_of("anthropic.claude-b"), wanted);
}

TEST_F(SecondWire, ServesTheCandidateUnderItsOwnName) {
  launch({.canary = "percent: 100"});
  const Answer got = client_->ask(post(kMessages.path, std::string(kMessages.body) + "}"));
  EXPECT_EQ(got.status, 200) << got.body;
  EXPECT_EQ(got.field("x-understudy-variant"), "candidate");
  EXPECT_EQ(json::parse(got.body)["model"], "claude-b");
}

TEST_F(SecondWire, AppliesTheCandidatesRulesAsWell) {
  launch({.rewrite = "[{operations: [ChatCompletions], json_patch: [{op: add, path: "
                     "/stream_options, value: {include_usage: true}}]}]"});
  client_->ask(post(kChat.path, std::string(kChat.body) + R"(,"stream":true})"));
  ASSERT_TRUE(proxy_->books_balance(1));
  const json asked = json::parse(body_asked_of("anthropic.claude-b"));
  EXPECT_EQ(asked["stream_options"]["include_usage"], true);
  EXPECT_EQ(asked["model"], "anthropic.claude-b");
  // Only the copy's stream says what it used.
  EXPECT_EQ(proxy_->value("usage_missing_total", {{"leg", "served"}}), 1);
  EXPECT_EQ(proxy_->value("usage_missing_total", {{"leg", "shadow"}}), 0);
}

TEST_F(SecondWire, CopiesARetriedCallOnceAndAFailedOneWhenItSucceeds) {
  launch({.shadow = "percent: 100, breaker: {consecutive_failures: 1000, min_requests: 1000}"});
  const auto attempt = [&](const char* more, int retry, std::string_view fields = "") {
    return client_
        ->ask(post(
            kChat.path, std::string(kChat.body) + more,
            "x-stainless-retry-count: " + std::to_string(retry) + "\r\n" + std::string(fields)))
        .status;
  };
  EXPECT_EQ(attempt(R"(,"user":"a"})", 0, "x-sim-status: 500\r\n"), 500);  // failed: no copy
  EXPECT_EQ(attempt(R"(,"user":"a"})", 1), 200);                           // its second try: copied
  EXPECT_EQ(attempt(R"(,"user":"a"})", 2), 200);                           // tried once more
  EXPECT_EQ(attempt(R"(,"user":"b"})", 0), 200);
  EXPECT_EQ(attempt(R"(,"user":"b"})", 0), 200);  // the same bytes in a call of their own
  EXPECT_EQ(attempt(R"(,"user":"b"})", 1), 200);
  ASSERT_TRUE(proxy_->books_balance(6)) << proxy_->books();
  const auto counts = proxy_->counts();
  EXPECT_EQ(counts.compared, 3U) << proxy_->books();
  EXPECT_EQ(counts.skipped.at("retry"), 2U) << proxy_->books();
  EXPECT_EQ(counts.skipped.at("primary_failed"), 1U);
}

TEST_F(SecondWire, DoesNotCopyWhatAnUpstreamKeepsTheBeginningOf) {
  launch();
  const std::string body = std::string(kResponses.body);
  client_->ask(post(kResponses.path, body + R"(,"previous_response_id":"resp_1"})"));
  client_->ask(post(kResponses.path, body + R"(,"background":true})"));
  client_->ask(post(kMessages.path, R"({"model":"anthropic.claude-a","max_tokens":1,"messages":[)"
                                    R"({"role":"user","content":"."}]})"));
  ASSERT_TRUE(proxy_->books_balance(3));
  EXPECT_EQ(proxy_->counts().skipped.at("stateful"), 2U);
  EXPECT_EQ(proxy_->counts().skipped.at("probe"), 1U);
}

TEST_F(SecondWire, ComparesErrorsInTheirOwnShapes) {
  launch();
  const Answer got = client_->ask(
      post(kMessages.path,
           R"({"model":"anthropic.claude-a","messages":[{"role":"user","content":"x"}]})"));
  EXPECT_EQ(got.status, 400);
  EXPECT_EQ(json::parse(got.body)["error"]["type"], "invalid_request_error");
  EXPECT_EQ(got.field("x-understudy-error"), "");
  ASSERT_TRUE(simulator_->change_model(
      "anthropic.claude-b", [](simulator::Model& model) { model.max_output_tokens = 10; }));
  EXPECT_EQ(client_->ask(post(kMessages.path, std::string(kMessages.body) + "}")).status, 200);
  ASSERT_TRUE(proxy_->books_balance(2));
  EXPECT_EQ(proxy_->counts().compared, 1U) << proxy_->books();
  EXPECT_TRUE(proxy_->wait_for("divergence_total", {{"signal", "validation_error"}}, 1));
}

TEST_F(SecondWire, CutsAStreamThatBreaksUpstream) {
  launch();
  const Answer got = client_->ask(post(kChat.path, std::string(kChat.body) + R"(,"stream":true})",
                                       "x-sim-fault: truncate_midstream:3\r\n"));
  EXPECT_NE(got.end, Answer::End::complete);
  ASSERT_TRUE(proxy_->books_balance(1));
  EXPECT_EQ(proxy_->counts().skipped.at("primary_cut"), 1U) << proxy_->books();
}

// --- Which model, and what becomes of a body that does not say

constexpr const char* kTwoRoutes =
    "operations: [Messages, ChatCompletions, Responses], models: "
    "[\"good.*\"]";

class BodyRouting : public testing::Test {
 protected:
  void SetUp() override {
    ProxySetup setup{.match = kTwoRoutes, .top = "default_route: {upstream: candidate}"};
    setup.primary_port = primary_->port();
    setup.candidate_port = other_->port();
    proxy_ = std::make_unique<ProxyUnderTest>(setup);
    client_ = std::make_unique<RawClient>(proxy_->port());
  }
  Answer ask(const std::string& body) { return client_->ask(post(kChat.path, body)); }

  std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies("{}");
  std::unique_ptr<FakeBedrock> other_ = FakeBedrock::replies("{}");
  std::unique_ptr<ProxyUnderTest> proxy_;
  std::unique_ptr<RawClient> client_;
};

TEST_F(BodyRouting, SendsABodyThatIsUnclearTheDefaultWayAndCountsIt) {
  const struct {
    const char *body, *reason;
  } rows[] = {{R"({"messages":[]})", "absent"},
              {R"({"model":"good.a","model":"good.b"})", "duplicate"},
              {R"({"model":7})", "not_a_model"},
              {R"({"model":"good.a")", "malformed"}};
  std::size_t sent = 0;
  for (const auto& row : rows) {
    const Answer got = ask(row.body);
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.field("x-understudy-route"), "default") << row.body;
    EXPECT_EQ(other_->request(sent++).body, row.body);
    EXPECT_EQ(proxy_->value("body_model_unread_total", {{"reason", row.reason}}), 1) << row.body;
  }
  EXPECT_EQ(ask(R"({"model":"good.a"})").field("x-understudy-route"), "route");
  EXPECT_EQ(ask(R"({"model":"bad.a"})").field("x-understudy-route"), "default");
  EXPECT_EQ(primary_->count(), 1U);
  EXPECT_EQ(proxy_->value("body_model_unread_total"), 4);
}

TEST_F(BodyRouting, PassesListsOfModelsOn) {
  EXPECT_EQ(client_->ask(get("/openai/v1/models")).field("x-understudy-route"), "default");
  EXPECT_EQ(other_->request(0).target(), "/openai/v1/models");
  EXPECT_EQ(proxy_->value("body_model_unread_total"), 0);
}

TEST(BodyRoutingLimits, SendsABodyBeyondTheScanTheDefaultWay) {
  const auto primary = FakeBedrock::replies("{}");
  const auto other = FakeBedrock::replies("{}");
  ProxySetup setup{.top =
                       "default_route: {upstream: candidate}\n"
                       "limits: {max_model_scan_bytes: 1KiB}"};
  setup.primary_port = primary->port();
  setup.candidate_port = other->port();
  ProxyUnderTest proxy(setup);
  RawClient client(proxy.port());
  const std::string large = R"({"model":"a","x":")" + std::string(2048, 'x') + R"("})";
  EXPECT_EQ(client.ask(post(kChat.path, large)).field("x-understudy-route"), "default");
  EXPECT_EQ(other->request(0).body, large);
  EXPECT_EQ(proxy.value("body_model_unread_total", {{"reason", "too_large"}}), 1);
}

// --- The proxy's own errors

TEST(SecondWireErrors, HaveTheShapeThatTheirSdksRead) {
  const ProxySetup setup{.primary_port = refusing_port(), .match = "models: [\"known\"]"};
  ProxyUnderTest proxy(setup);
  RawClient client(proxy.port());
  const auto ask = [&](const char* path, const char* model) {
    return client.ask(post(path, R"({"model":")" + std::string(model) + R"("})"));
  };

  const Answer unreachable = ask(kMessages.path, "known");
  EXPECT_EQ(unreachable.status, 502);
  const json anthropic = json::parse(unreachable.body);
  EXPECT_EQ(anthropic["type"], "error");
  EXPECT_EQ(anthropic["error"]["type"], "api_error");
  EXPECT_EQ(anthropic["request_id"], unreachable.field("request-id"));
  EXPECT_EQ(unreachable.field("x-understudy-error"), "connect");

  const Answer unrouted = ask(kChat.path, "unknown");
  EXPECT_EQ(unrouted.status, 404);
  const json openai = json::parse(unrouted.body)["error"];
  EXPECT_EQ(openai["type"], "invalid_request_error");
  EXPECT_EQ(openai["code"], "no_route");
  EXPECT_THAT(openai["message"], HasSubstr("No route"));
  EXPECT_FALSE(unrouted.field("x-request-id").empty());

  // Refused before anybody read the target.
  const Answer refused = client.ask("POST /v1/responses HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(json::parse(refused.body)["error"]["code"], "host");
}

}  // namespace
}  // namespace understudy::testing_support

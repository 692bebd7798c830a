// Control-plane paths come to the same port as all others and go to a host of their own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/simulator/simulator.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_client.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kKeys =
    "source: static, access_key_id: AKIDPROXY, secret_access_key: the-proxys-secret";
const std::string kProfiles = "/inference-profiles?type=SYSTEM_DEFINED";

std::string endpoint(std::uint16_t port, const std::string& path = "") {
  return ", control_endpoint: \"http://127.0.0.1:" + std::to_string(port) + path + "\"";
}

class ControlPlane : public testing::Test {
 protected:
  ProxySetup setup(const std::string& path = "") const {
    return {.primary_port = runtime_->port(),
            .candidate_port = candidate_->port(),
            .primary_credentials = kKeys,
            .primary_more = endpoint(control_->port(), path),
            .listener_more = ", base_path: /bedrock",
            .top = "default_route: {upstream: primary}\n"};
  }

  const std::unique_ptr<FakeBedrock> runtime_ = FakeBedrock::replies(converse_answer("runtime"));
  const std::unique_ptr<FakeBedrock> candidate_ = FakeBedrock::replies(converse_answer("other"));
  const std::unique_ptr<FakeBedrock> control_ = FakeBedrock::replies("{\"modelSummaries\":[]}");
};

TEST_F(ControlPlane, PathsGoToItsOwnHostAndAllOthersToTheRuntimes) {
  ProxyUnderTest proxy(setup("/control"));
  RawClient client(proxy.port());
  const Answer got = client.ask(get("/bedrock" + kProfiles));
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "{\"modelSummaries\":[]}");
  EXPECT_EQ(got.field("x-understudy-route"), "default");
  const FakeRequest asked = control_->request(0);
  EXPECT_EQ(asked.method(), "GET");
  EXPECT_EQ(asked.target(), "/control" + kProfiles);
  EXPECT_EQ(asked.field("host"), "127.0.0.1:" + std::to_string(control_->port()));
  EXPECT_THAT(asked.field("authorization"),
              AllOf(StartsWith("AWS4-HMAC-SHA256 Credential=AKIDPROXY/"),
                    HasSubstr("/us-east-1/bedrock/aws4_request")));
  EXPECT_EQ(runtime_->connections(), 0U);

  EXPECT_EQ(client.ask(post("/bedrock/model/a.b/converse", "{}")).body, converse_answer("runtime"));
  EXPECT_EQ(client.ask(get("/bedrock/foundation-models/a.b")).status, 200);
  H2Client other(proxy.port());
  EXPECT_EQ(other
                .ask(1, h2::headers(1, {{":method", "GET"},
                                        {":scheme", "http"},
                                        {":authority", "localhost"},
                                        {":path", "/bedrock" + kProfiles}}))
                .body,
            "{\"modelSummaries\":[]}");
  EXPECT_EQ(runtime_->count(), 1U);
  EXPECT_EQ(control_->count(), 3U);
  EXPECT_TRUE(proxy.books_balance(1)) << "the one that is understood";
  for (const FakeRequest& copy : candidate_->requests())
    EXPECT_THAT(copy.target(), StartsWith("/model/"));
}

TEST_F(ControlPlane, AnAnswerThatSaysNoIsPassedOnAsItIs) {
  FakeBedrock refusing([](const FakeRequest&, FakePeer& peer) {
    peer.send(answer("{\"message\":\"no\"}", "404 Not Found", "x-amzn-requestid: 7\r\n"));
  });
  ProxySetup with = setup();
  with.primary_more = endpoint(refusing.port());
  ProxyUnderTest proxy(with);
  const Answer got = RawClient(proxy.port()).ask(get("/bedrock" + kProfiles));
  EXPECT_EQ(got.status, 404);
  EXPECT_EQ(got.body, "{\"message\":\"no\"}");
  EXPECT_EQ(got.field("x-amzn-requestid"), "7");
  EXPECT_FALSE(got.has("x-understudy-error"));
}

TEST_F(ControlPlane, AReloadMovesItWithoutTheRuntime) {
  const auto moved = FakeBedrock::replies("moved");
  ProxyUnderTest proxy(setup());
  RawClient client(proxy.port());
  EXPECT_EQ(client.ask(get("/bedrock" + kProfiles)).status, 200);
  ProxySetup with = setup();
  with.primary_more = endpoint(moved->port());
  ASSERT_TRUE(proxy.apply(with));
  EXPECT_EQ(client.ask(get("/bedrock" + kProfiles)).body, "moved");
  EXPECT_EQ(client.ask(post("/bedrock/model/a.b/converse", "{}")).body, converse_answer("runtime"));
  EXPECT_EQ(control_->count(), 1U);
}

// The simulator checks what it was signed for.
TEST(ControlPlaneSimulator, TakesTheSignatureThatTheProxyMakesForIt) {
  const std::string config =
      "auth: {mode: sigv4, keys: [{access_key_id: AKIDPROXY, secret_access_key: "
      "the-proxys-secret}]}\nmodels: [{id: anthropic.claude-a, family: anthropic}]\n";
  const auto runtime = simulator::Simulator::start(config);
  const auto control = simulator::Simulator::start(config);
  ProxyUnderTest proxy(ProxySetup{.primary_port = runtime->port(),
                                  .primary_credentials = kKeys,
                                  .primary_more = endpoint(control->port()),
                                  .top = "default_route: {upstream: primary}\n"});
  RawClient client(proxy.port());
  const Answer listed = client.ask(get("/foundation-models"));
  EXPECT_EQ(listed.status, 200) << listed.body;
  EXPECT_THAT(listed.body, HasSubstr("anthropic.claude-a"));
  EXPECT_EQ(client.ask(converse("hi")).status, 200);
  EXPECT_EQ(control->counts().requests, 1U);
  EXPECT_EQ(runtime->counts().requests, 1U);
}

}  // namespace
}  // namespace understudy::testing_support

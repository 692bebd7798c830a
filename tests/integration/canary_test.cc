// The candidate on stage: who is served by it, and how its request is made.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Canary : public testing::Test {
 protected:
  std::unique_ptr<FakeBedrock> primary = FakeBedrock::replies(converse_answer("primary"));
  std::unique_ptr<FakeBedrock> candidate = FakeBedrock::replies(converse_answer("candidate"));

  ProxySetup setup(const std::string& canary, const std::string& shadow = "percent: 0") const {
    return {.primary_port = primary->port(),
            .candidate_port = candidate->port(),
            .shadow = shadow,
            .canary = canary};
  }
};

TEST_F(Canary, AtOneHundredPercentTheCandidateServesAsItself) {
  ProxySetup all = setup("percent: 100");
  all.rewrite = "[{remove: /inferenceConfig/temperature}]";
  all.candidate_credentials =
      "source: static, access_key_id: AKIDCANDIDATE, secret_access_key: secret";
  ProxyUnderTest proxy(all);
  RawClient client(proxy.port());
  for (std::size_t i = 0; i < 20; ++i) {
    const Answer got = client.ask(post("/model/anthropic.claude-a/converse",
                                       R"({"inferenceConfig":{"temperature":1},"messages":[]})",
                                       "authorization: Bearer client-secret\r\n"));
    EXPECT_EQ(got.body, converse_answer("candidate"));
    EXPECT_EQ(got.field("x-understudy-variant"), "candidate");
    const FakeRequest seen = candidate->request(i);
    EXPECT_EQ(seen.target(), "/model/amazon.candidate-v1%3A0/converse");
    EXPECT_EQ(seen.body, R"({"inferenceConfig":{},"messages":[]})");
    EXPECT_THAT(seen.field("authorization"),
                StartsWith("AWS4-HMAC-SHA256 Credential=AKIDCANDIDATE/"));
    EXPECT_THAT(seen.head, Not(HasSubstr("client-secret")));
    EXPECT_FALSE(seen.has("x-understudy-shadow")) << "this one is no copy";
  }
  EXPECT_EQ(primary->connections(), 0U);
}

TEST_F(Canary, AtZeroPercentItServesNobody) {
  ProxyUnderTest proxy(setup("percent: 0"));
  RawClient client(proxy.port());
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(client.ask(converse("question " + std::to_string(i))).field("x-understudy-variant"),
              "primary");
  EXPECT_EQ(candidate->connections(), 0U);
}

TEST_F(Canary, AConversationStaysWithWhomItBegan) {
  ProxyUnderTest proxy(setup("percent: 50, sticky_by: conversation"));
  RawClient client(proxy.port());
  std::map<std::string, int> served;
  for (int conversation = 0; conversation < 60; ++conversation) {
    const std::string opening = "conversation " + std::to_string(conversation);
    const std::string first = client.ask(converse(opening)).field("x-understudy-variant");
    ++served[first];
    for (const char* turn : {"more", "still more", "bye"}) {
      const std::string body = R"({"messages":[{"role":"user","content":[{"text":")" + opening +
                               R"("}]},{"role":"assistant","content":[{"text":"a"}]},)" +
                               R"({"role":"user","content":[{"text":")" + turn + R"("}]}]})";
      const Answer got = client.ask(post("/model/anthropic.claude-a/converse", body));
      EXPECT_EQ(got.field("x-understudy-variant"), first) << opening;
    }
  }
  EXPECT_GT(served["primary"], 6) << "binomial: mean 30, deviation 3.9";
  EXPECT_GT(served["candidate"], 6);
}

TEST_F(Canary, WhereTheCandidateServesNobodyGetsACopy) {
  ProxyUnderTest proxy(setup("percent: 100", "percent: 100"));
  RawClient client(proxy.port());
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("candidate"));
  EXPECT_TRUE(proxy.books_balance(20));
  EXPECT_EQ(proxy.counts().skipped["not_sampled"], 20U);
  EXPECT_EQ(primary->count(), 0U);
}

}  // namespace
}  // namespace understudy::testing_support

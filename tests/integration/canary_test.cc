// The candidate on stage: who is served by it, and how its request is made.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "metrics/evidence/evidence.h"
#include "proxy/rollout_status.h"
#include "routing/gates.h"
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

TEST_F(Canary, WhereTheCandidateServesThePrimaryGetsTheCopy) {
  ProxySetup reverse = setup("percent: 100", "percent: 100, control_percent: 0");
  reverse.rewrite = "[{remove: /inferenceConfig/temperature}]";
  ProxyUnderTest proxy(reverse);
  RawClient client(proxy.port());
  const std::string body = R"({"inferenceConfig":{"temperature":1},"messages":[]})";
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(client.ask(post("/model/anthropic.claude-a/converse", body)).body,
              converse_answer("candidate"));
    const FakeRequest copy = primary->request(i);
    EXPECT_EQ(copy.target(), "/model/anthropic.claude-a/converse");
    EXPECT_EQ(copy.body, body) << "the rewrite is the candidate's alone";
    EXPECT_TRUE(copy.has("x-understudy-shadow"));
  }
  EXPECT_TRUE(proxy.books_balance(20));
  EXPECT_EQ(proxy.counts().compared, 20U);
}

TEST_F(Canary, AReverseCopyIsDrawnByTheRoutesShadowPercent) {
  ProxyUnderTest proxy(setup("percent: 100", "percent: 0"));
  RawClient client(proxy.port());
  for (int i = 0; i < 20; ++i) client.ask(converse("question " + std::to_string(i)));
  EXPECT_TRUE(proxy.books_balance(20));
  EXPECT_EQ(proxy.counts().skipped["not_sampled"], 20U);
  EXPECT_EQ(primary->count(), 0U);
}

// What only the candidate does wrong is the candidate's fault on either side of the switch.
TEST_F(Canary, APairIsPrimaryAgainstCandidateWhoeverServes) {
  const auto terse = FakeBedrock::replies(converse_answer(""));
  for (const char* canary : {"percent: 0", "percent: 100"}) {
    ProxySetup pairs = setup(canary, "percent: 100, control_percent: 0");
    pairs.candidate_port = terse->port();
    ProxyUnderTest proxy(pairs);
    RawClient client(proxy.port());
    for (int i = 0; i < 5; ++i) client.ask(converse("question " + std::to_string(i)));
    ASSERT_TRUE(proxy.books_balance(5));
    const auto empty = proxy.recorder().route("route").signals()[metrics::Signal::empty];
    EXPECT_EQ(empty.served_bad, 0U) << canary;
    EXPECT_EQ(empty.other_bad, 5U) << canary;
    ASSERT_TRUE(eventually([&] {
      const auto now = proxy.server().evidence("route");
      return now && now->pooled().pairs == 5;
    }));
    for (std::size_t gate = 0; gate < metrics::kGateCount; ++gate) {
      if (routing::kGates[gate].signal != "empty") continue;
      const auto counts = proxy.server().evidence("route")->pooled().gates[gate];
      EXPECT_EQ(counts.primary_bad, 0U) << canary;
      EXPECT_EQ(counts.candidate_bad, 5U) << canary;
    }
  }
}

TEST_F(Canary, TheControlAsksWhoServedOnceMore) {
  ProxyUnderTest proxy(setup("percent: 100", "percent: 100, control_percent: 100"));
  RawClient client(proxy.port());
  for (int i = 0; i < 5; ++i) client.ask(converse("question " + std::to_string(i)));
  EXPECT_TRUE(proxy.books_balance(5));
  EXPECT_TRUE(candidate->wait_for_requests(10)) << "five served, five controls";
  EXPECT_EQ(primary->count(), 5U);
}

// --- Fallback

class Fallback : public Canary {
 protected:
  // The client asks once while the candidate sends these bytes; the primary is well.
  Answer ask_with(const std::string& candidate_sends, const std::string& canary = "percent: 100") {
    candidate = FakeBedrock::sends(candidate_sends);
    proxy = std::make_unique<ProxyUnderTest>(setup(canary));
    RawClient client(proxy->port());
    return client.ask(converse("hi"));
  }
  double fallbacks(const std::string& reason) const {
    return proxy->value("fallbacks_total", {{"route", "route"}, {"reason", reason}});
  }
  std::unique_ptr<ProxyUnderTest> proxy;
};

constexpr const char* kRefusal = R"({"message":"`temperature` is deprecated for this model."})";

TEST_F(Fallback, WhatTheCandidateFailsToAnswerThePrimaryAnswers) {
  const std::map<std::string, std::string> cases{
      {"429 Too Many Requests", "throttled"},
      {"500 Internal Server Error", "server_error"},
      {"503 Service Unavailable", "server_error"},
      {"400 Bad Request", "validation"},
      {"403 Forbidden", "access"},
      {"404 Not Found", "not_found"},
      {"408 Request Timeout", "timeout"},
      {"424 Failed Dependency", "server_error"},
  };
  for (const auto& [status, reason] : cases) {
    const Answer got = ask_with(answer(kRefusal, status));
    EXPECT_EQ(got.status, 200) << status;
    EXPECT_EQ(got.body, converse_answer("primary")) << status;
    EXPECT_EQ(got.field("x-understudy-variant"), "primary") << status;
    EXPECT_EQ(fallbacks(reason), 1.0) << status;
    EXPECT_EQ(proxy->counts().fallbacks[reason], 1U);
  }
}

TEST_F(Fallback, ThePrimaryGetsTheClientsOwnBytes) {
  candidate = FakeBedrock::sends(answer(kRefusal, "400 Bad Request"));
  ProxySetup rewriting = setup("percent: 100");
  rewriting.rewrite = "[{remove: /inferenceConfig/temperature}]";
  rewriting.candidate_credentials =
      "source: static, access_key_id: AKIDCANDIDATE, secret_access_key: secret";
  ProxyUnderTest both(rewriting);
  RawClient client(both.port());
  const std::string body = R"({"inferenceConfig":{"temperature":1},"messages":[]})";
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(client.ask(post("/model/anthropic.claude-a/converse", body)).status, 200);
    EXPECT_EQ(candidate->request(i).body, R"({"inferenceConfig":{},"messages":[]})");
    const FakeRequest seen = primary->request(i);
    EXPECT_EQ(seen.body, body);
    EXPECT_EQ(seen.target(), "/model/anthropic.claude-a/converse");
    EXPECT_FALSE(seen.has("authorization"));
    EXPECT_FALSE(seen.has("x-understudy-shadow")) << "this one is no copy";
  }
  EXPECT_EQ(candidate->connections(), 1U) << "an error leaves its connection for the next request";
}

TEST_F(Fallback, ACandidateThatCannotBeReachedCostsNoAnswer) {
  ProxySetup gone = setup("percent: 100");
  gone.candidate_port = refusing_port();
  ProxyUnderTest alone(gone);
  RawClient client(alone.port());
  const Answer got = client.ask(converse("hi"));
  EXPECT_EQ(got.body, converse_answer("primary"));
  EXPECT_EQ(alone.value("fallbacks_total", {{"reason", "unreachable"}}), 1.0);
}

TEST_F(Fallback, NorDoesOneThatBreaksOffBeforeItsAnswerOrIsSilent) {
  candidate = std::make_unique<FakeBedrock>([](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ncontent-");
    peer.close();
  });
  ProxyUnderTest cut(setup("percent: 100"));
  EXPECT_EQ(RawClient(cut.port()).ask(converse("hi")).body, converse_answer("primary"));
  EXPECT_EQ(cut.value("fallbacks_total", {{"reason", "transport"}}), 1.0);

  candidate = FakeBedrock::never_replies();
  ProxySetup hanging = setup("percent: 100");
  hanging.candidate_more = ", first_byte_timeout: 50ms";
  ProxyUnderTest silent(hanging);
  EXPECT_EQ(RawClient(silent.port()).ask(converse("hi")).body, converse_answer("primary"));
  EXPECT_EQ(silent.value("fallbacks_total", {{"reason", "timeout"}}), 1.0);
}

TEST_F(Fallback, NothingIsRepeatedOnceTheClientHasAByte) {
  candidate = std::make_unique<FakeBedrock>([](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    peer.close();
  });
  ProxyUnderTest cut(setup("percent: 100"));
  RawClient client(cut.port());
  client.send(converse("hi"));
  const Answer got = client.receive();
  EXPECT_EQ(got.field("x-understudy-variant"), "candidate");
  EXPECT_NE(got.end, Answer::End::complete);
  EXPECT_EQ(primary->count(), 0U);
  EXPECT_EQ(cut.value("fallbacks_total"), 0.0);
}

// Its status was 200, so that nothing else would tell the gates.
TEST_F(Fallback, AnAnswerThatBreaksOffAfterItsHeadIsAnErrorOfTheCandidate) {
  candidate = std::make_unique<FakeBedrock>([](const FakeRequest& request, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    if (request.body.find("stay") == std::string::npos) return peer.close();
    peer.hang();
  });
  ProxyUnderTest broken(setup("percent: 100"));
  {
    RawClient leaves(broken.port());
    leaves.send(converse("please stay"));
    ASSERT_EQ(leaves.receive(true).status, 200);
  }
  ASSERT_TRUE(broken.wait_for("requests_total", {{"variant", "candidate"}}, 1));
  for (int i = 0; i < 3; ++i) {
    RawClient client(broken.port());
    EXPECT_NE(client.ask(converse("hi")).end, Answer::End::complete);
  }
  EXPECT_TRUE(broken.wait_for("broken_answers_total", {{"variant", "candidate"}}, 3));
  EXPECT_EQ(broken.value("broken_answers_total"), 3.0) << "whoever leaves breaks off by himself";
  const proxy::RouteLook look = look_at(
      *broken.server().snapshot(), "route", [](std::string_view) { return nullptr; },
      proxy::parse_exposition(broken.recorder().render()));
  EXPECT_EQ(look.candidate.requests, 4.0);
  EXPECT_EQ(look.candidate.errors, 3.0);
  EXPECT_EQ(look.candidate.faults, 3.0);
}

TEST_F(Fallback, AClientThatHasLeftIsNotServedAgain) {
  Gate asked;
  candidate = std::make_unique<FakeBedrock>([&](const FakeRequest&, FakePeer& peer) {
    asked.open();
    peer.hang();
  });
  ProxyUnderTest waiting(setup("percent: 100"));
  {
    RawClient client(waiting.port());
    client.send(converse("hi"));
    ASSERT_TRUE(asked.wait());
  }
  EXPECT_TRUE(waiting.wait_for("requests_total", {{"variant", "candidate"}, {"code", "none"}}, 1));
  EXPECT_EQ(primary->count(), 0U);
  EXPECT_EQ(waiting.value("fallbacks_total"), 0.0);
}

TEST_F(Fallback, WhereItIsOffTheClientGetsTheCandidatesError) {
  const Answer got =
      ask_with(answer(kRefusal, "429 Too Many Requests"), "percent: 100, fallback: false");
  EXPECT_EQ(got.status, 429);
  EXPECT_EQ(got.body, kRefusal);
  EXPECT_EQ(got.field("x-understudy-variant"), "candidate");
  EXPECT_EQ(primary->count(), 0U);
}

TEST_F(Fallback, WhereBothFailTheClientGetsThePrimarysError) {
  primary = FakeBedrock::sends(answer(R"({"message":"primary"})", "429 Too Many Requests"));
  const Answer got = ask_with(answer(kRefusal, "500 Internal Server Error"));
  EXPECT_EQ(got.status, 429);
  EXPECT_EQ(got.body, R"({"message":"primary"})");
}

// The exchange counts as one that the primary served: its copy goes to the candidate.
TEST_F(Fallback, TheBooksBalance) {
  candidate = FakeBedrock::sends(answer(kRefusal, "400 Bad Request"));
  ProxyUnderTest both(setup("percent: 100", "percent: 100, control_percent: 0"));
  RawClient client(both.port());
  for (int i = 0; i < 5; ++i) client.ask(converse("question " + std::to_string(i)));
  EXPECT_TRUE(both.books_balance(5)) << both.books();
  EXPECT_EQ(both.counts().compared, 5U);
  EXPECT_EQ(primary->count(), 5U);
  EXPECT_TRUE(candidate->wait_for_requests(10));
}

}  // namespace
}  // namespace understudy::testing_support

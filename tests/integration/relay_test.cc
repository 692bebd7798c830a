// What the client gets is what the primary sent: bytes, status, headers; and what the primary gets
// is what the client sent.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <thread>

#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// --- Bodies of answers
// ----------------------------------------------------------------------------------------------

struct AnswerForm {
  const char* name;
  std::string (*make)(std::string_view body);

  friend void PrintTo(const AnswerForm& form, std::ostream* out) { *out << form.name; }
};

std::string until_close(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + std::string{body};
}

class AnswerBodies : public testing::TestWithParam<std::tuple<AnswerForm, std::size_t>> {};

TEST_P(AnswerBodies, ReachTheClientByteForByte) {
  const auto& [form, size] = GetParam();
  const std::string body = noise(size);
  const bool closes = std::string_view{form.name} == "UntilClose";
  FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
    peer.send(form.make(body));
    if (closes) peer.close();
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  for (int turn = 0; turn < 2; ++turn) {
    const Answer got = client.ask(converse("hi"));
    EXPECT_EQ(got.end, Answer::End::complete);
    EXPECT_EQ(got.status, 200);
    EXPECT_TRUE(got.body == body) << "got " << got.body.size() << " bytes of " << body.size();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, AnswerBodies,
    testing::Combine(
        testing::Values(
            AnswerForm{"ContentLength", [](std::string_view b) { return answer(b); }},
            AnswerForm{"Chunked", [](std::string_view b) { return chunked_answer(b, 4000); }},
            AnswerForm{"OneByteChunks", [](std::string_view b) { return chunked_answer(b, 1); }},
            AnswerForm{"UntilClose", until_close}),
        testing::Values(0, 1, 1000, 8000)),
    [](const auto& row) {
      return std::string{std::get<0>(row.param).name} + std::to_string(std::get<1>(row.param));
    });

INSTANTIATE_TEST_SUITE_P(
    Large, AnswerBodies,
    testing::Combine(
        testing::Values(AnswerForm{"ContentLength", [](std::string_view b) { return answer(b); }},
                        AnswerForm{"Chunked",
                                   [](std::string_view b) { return chunked_answer(b, 70'000); }},
                        AnswerForm{"UntilClose", until_close}),
        testing::Values(20'000'000)),
    [](const auto& row) {
      return std::string{std::get<0>(row.param).name} + std::to_string(std::get<1>(row.param));
    });

TEST(Relay, KeepsAnAnswerWithoutABodyWithoutOne) {
  auto primary = FakeBedrock::sends("HTTP/1.1 204 No Content\r\nx-mark: a\r\n\r\n");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  for (int turn = 0; turn < 2; ++turn) {
    const Answer got = client.ask(converse("hi"));
    EXPECT_EQ(got.status, 204);
    EXPECT_FALSE(got.has("content-length"));
    EXPECT_FALSE(got.has("transfer-encoding"));
  }
  EXPECT_TRUE(client.received().empty());
}

TEST(Relay, AnswersHeadWithTheLengthButNoBody) {
  auto primary = FakeBedrock::sends("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  for (int turn = 0; turn < 2; ++turn) {
    client.send("HEAD /model/a/thing HTTP/1.1\r\nhost: a\r\n\r\n");
    const Answer got = client.receive(true);
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.field("content-length"), "1234");
  }
  EXPECT_TRUE(client.received().empty());
}

TEST(Relay, PassesEveryStatusAndItsReasonOn) {
  for (const std::string status : {"200 OK", "201 Made", "304 Not Modified", "400 Bad Request",
                                   "403 Forbidden", "429 Too Many Requests", "500 Oops", "503 "}) {
    auto primary = FakeBedrock::sends(answer(status.starts_with("304") ? "" : "{}", status));
    ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
    const Answer got = RawClient(proxy.port()).ask(converse("hi"));
    EXPECT_EQ(std::to_string(got.status), status.substr(0, 3));
    if (status.size() > 4) {
      EXPECT_THAT(got.head, StartsWith("HTTP/1.1 " + status + "\r\n"));
    }
  }
}

TEST(Relay, PassesInterimAnswersOver) {
  auto primary = FakeBedrock::sends(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" + answer("{}"));
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  const Answer got = client.ask(converse("hi"));
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "{}");
}

TEST(Relay, DoesNotHandLeftoverBytesToTheNextRequest) {
  FakeBedrock primary([](const FakeRequest& request, FakePeer& peer) {
    peer.send(answer(request.body) + (request.connection == 1 ? answer("stolen") : ""));
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  for (const char* text : {"one", "two", "three"})
    EXPECT_EQ(client.ask(converse(text)).body, converse_body(text));
}

// --- Bodies of requests
// ---------------------------------------------------------------------------------------------

TEST(Relay, SendsBodiesOfEverySizeByteForByte) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  std::size_t index = 0;
  for (const std::size_t size : {0UL, 1UL, 8191UL, 8192UL, 70'000UL, 20'000'000UL}) {
    const std::string body = noise(size);
    EXPECT_EQ(client.ask(post("/model/m/invoke", body)).status, 200);
    const FakeRequest seen = primary->request(index++);
    EXPECT_TRUE(seen.body == body) << "of " << size << " bytes came " << seen.body.size();
    EXPECT_EQ(seen.field("content-length"), std::to_string(size));
  }
}

TEST(Relay, SendsAChunkedRequestWithALength) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  const std::string body = noise(300'000);
  std::string request =
      "POST /model/m/invoke HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
  for (std::size_t at = 0, size = 1; at < body.size(); at += size, size = size % 5000 + 777)
    request += as_chunk(std::string_view{body}.substr(at, size));
  request += "0\r\nx-trailer: dropped\r\n\r\n";
  for (std::size_t turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(client.ask(request).status, 200);
    const FakeRequest seen = primary->request(turn);
    EXPECT_TRUE(seen.body == body) << "came " << seen.body.size();
    EXPECT_EQ(seen.field("content-length"), std::to_string(body.size()));
    EXPECT_FALSE(seen.has("transfer-encoding"));
    EXPECT_FALSE(seen.has("x-trailer"));
  }
}

// An idle connection gives its memory back; one that waits for a body must keep its request's head.
TEST(Relay, KeepsTheFieldsOfARequestWhoseChunkedBodyPauses) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  client.send(
      "POST /model/m/invoke HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
      "x-amzn-bedrock-guardrailidentifier: g\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n");
  std::this_thread::sleep_for(
      std::chrono::milliseconds(600));  // longer than an idle connection keeps its buffers
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(primary->request(0).body, "{}");
  EXPECT_EQ(primary->request(0).field("content-type"), "application/json");
  EXPECT_EQ(primary->request(0).field("x-amzn-bedrock-guardrailidentifier"), "g");
}

TEST(Relay, ReadsARequestThatComesByteByByte) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  const std::string chunked =
      "POST /model/m/invoke HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
      "3;a=b\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
  for (const std::string& request : {chunked, post("/model/m/invoke", "abcd")}) {
    for (const char byte : request) client.send({&byte, 1});
    EXPECT_EQ(client.receive().status, 200);
  }
  EXPECT_EQ(primary->request(0).body, "abcd");
  EXPECT_EQ(primary->request(1).body, "abcd");
}

TEST(Relay, InvitesABodyThatWaitsForThat) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  client.send(
      "POST /model/m/invoke HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n"
      "content-length: 4\r\n\r\n");
  ASSERT_TRUE(client.receive_until("HTTP/1.1 100 Continue\r\n\r\n"));
  EXPECT_EQ(primary->connections(), 0U) << "the upstream is asked when the body is there";
  client.send("abcd");
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(primary->request(0).body, "abcd");
  EXPECT_FALSE(primary->request(0).has("expect"));
}

TEST(Relay, AnswersPipelinedRequestsInTheirOrder) {
  FakeBedrock primary(
      [](const FakeRequest& request, FakePeer& peer) { peer.send(answer(request.body)); });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += post("/model/m/invoke", "body " + std::to_string(i));
  client.send(requests);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.receive().body, "body " + std::to_string(i));
}

TEST(Relay, ServesHttp10) {
  FakeBedrock primary(
      [](const FakeRequest&, FakePeer& peer) { peer.send(chunked_answer("some text", 4)); });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  const Answer got = client.ask("GET /model/m/thing HTTP/1.0\r\n\r\n");
  EXPECT_EQ(got.status, 200);
  EXPECT_FALSE(got.chunked) << "HTTP/1.0 has no chunks";
  EXPECT_EQ(got.body, "some text");
  EXPECT_TRUE(client.at_end());
}

TEST(Relay, KeepsAnHttp10ConnectionWhereAskedTo) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  for (int turn = 0; turn < 2; ++turn) {
    const Answer got = client.ask("GET /model/m/thing HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    EXPECT_EQ(got.body, "{}");
    EXPECT_EQ(got.field("connection"), "keep-alive");
  }
}

TEST(Relay, ClosesWhereTheClientAsksForIt) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  const Answer got = client.ask(converse("hi", "connection: close\r\n"));
  EXPECT_EQ(got.body, "{}");
  EXPECT_EQ(got.field("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

// --- Targets
// --------------------------------------------------------------------------------------------------------

TEST(Relay, ForwardsTargetsExactlyAsTheyCame) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .top = "default_route: {upstream: primary}\n"});
  RawClient client(proxy.port());
  const std::vector<std::string> targets{
      "/model/anthropic.claude-sonnet-4-5-20250929-v1:0/converse",
      "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
      "/model/anthropic.claude-sonnet-4-5-20250929-v1%3a0/converse-stream",
      "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a.b-v1%3A0/"
      "invoke",
      "/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b-v1:0/invoke",
      "/model/a/converse?x=%20+&&y",
      "/inference-profiles?maxResults=5&type=SYSTEM_DEFINED",
      "/guardrail/g%201/version/DRAFT/apply",
      "/anything;p=1/at~all"};
  for (std::size_t i = 0; i < targets.size(); ++i) {
    EXPECT_EQ(client.ask(post(targets[i], "{}")).status, 200) << targets[i];
    EXPECT_EQ(primary->request(i).target(), targets[i]);
  }
}

TEST(Relay, TakesOffItsBasePathAndADoubledSlashAndPutsOnTheEndpointsPath) {
  auto primary = FakeBedrock::replies("{}");
  ProxySetup setup{.primary_port = primary->port(), .listener_more = ", base_path: /bedrock"};
  std::string config = setup.text();
  const std::string endpoint = "http://127.0.0.1:" + std::to_string(primary->port());
  config.replace(config.find(endpoint), endpoint.size(), endpoint + "/stage");
  ProxyUnderTest proxy(config);
  RawClient client(proxy.port());
  EXPECT_EQ(client.ask(post("/bedrock/model/a/converse", "{}")).status, 200);
  EXPECT_EQ(client.ask(post("/bedrock//model/a/converse?q=1", "{}")).status, 200);
  EXPECT_EQ(primary->request(0).target(), "/stage/model/a/converse");
  EXPECT_EQ(primary->request(1).target(), "/stage/model/a/converse?q=1");
  EXPECT_EQ(client.ask(post("/model/a/converse", "{}")).status, 400);
  EXPECT_EQ(primary->count(), 2U);
}

// --- Headers
// --------------------------------------------------------------------------------------------------------

TEST(Relay, StripsWhatEndsAtTheProxyAndPassesTheRestOn) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  client.ask(
      converse("hi",
               "Connection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n"
               "Upgrade: websocket\r\nProxy-Authorization: secret-1\r\nX-Hop: secret-2\r\n"
               "Authorization: Bearer secret-3\r\nx-api-key: secret-4\r\nCookie: secret-5\r\n"
               "X-Amz-Date: 20200101T000000Z\r\nx-amz-security-token: secret-6\r\n"
               "x-amz-content-sha256: secret-7\r\nAccept-Encoding: gzip\r\n"
               "X-Mine: kept\r\nuser-agent: Boto3\r\namz-sdk-request: attempt=1\r\n"));
  const FakeRequest seen = primary->request(0);
  EXPECT_THAT(seen.head, Not(HasSubstr("secret")));
  for (const char* gone : {"connection", "keep-alive", "te", "upgrade", "proxy-authorization",
                           "x-hop", "authorization", "x-api-key", "cookie", "x-amz-date"})
    EXPECT_FALSE(seen.has(gone)) << gone;
  EXPECT_EQ(seen.field("host"), "127.0.0.1:" + std::to_string(primary->port()));
  EXPECT_EQ(seen.field("accept-encoding"), "identity");
  EXPECT_EQ(seen.field("x-mine"), "kept");
  EXPECT_EQ(seen.field("user-agent"), "Boto3");
  EXPECT_EQ(seen.field("amz-sdk-request"), "attempt=1");
  EXPECT_EQ(seen.field("content-type"), "application/json");
}

TEST(Relay, AddsNothingToTheAnswerButTheVariantAndTheRoute) {
  auto primary = FakeBedrock::sends(
      "HTTP/1.1 200 OK\r\nX-Amzn-RequestId: 7\r\nConnection: x-hop\r\nx-hop: 1\r\nKeep-Alive: a\r\n"
      "Content-Type: application/json\r\nset-cookie: a\r\nset-cookie: b\r\ncontent-length: 2\r\n"
      "\r\n{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  const Answer got = RawClient(proxy.port()).ask(converse("hi"));
  EXPECT_EQ(got.head,
            "HTTP/1.1 200 OK\r\nX-Amzn-RequestId: 7\r\nContent-Type: application/json\r\n"
            "set-cookie: a\r\nset-cookie: b\r\nx-understudy-variant: primary\r\n"
            "x-understudy-route: route\r\ncontent-length: 2\r\n\r\n");
}

// --- Streams
// --------------------------------------------------------------------------------------------------------

TEST(Relay, PassesAChunkOnBeforeTheNextOneIsSent) {
  Gate first_seen, second_seen;
  bool gates_opened = true;
  FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + as_chunk("first"));
    gates_opened = first_seen.wait();
    peer.send(as_chunk("second"));
    gates_opened = second_seen.wait() && gates_opened;
    peer.send("0\r\n\r\n");
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  client.send(post("/model/m/converse-stream", "{}"));
  EXPECT_TRUE(client.receive_until("first"));
  first_seen.open();
  EXPECT_TRUE(client.receive_until("second"));
  second_seen.open();
  EXPECT_EQ(client.receive().body, "firstsecond");
  EXPECT_TRUE(gates_opened);
}

TEST(Relay, PassesTheHeadOnBeforeAnyBodyIsSent) {
  Gate head_seen;
  FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\nx-early: yes\r\ncontent-length: 4\r\n\r\n");
    if (head_seen.wait()) peer.send("body");
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  client.send(converse("hi"));
  EXPECT_TRUE(client.receive_until("x-early: yes"));
  head_seen.open();
  EXPECT_EQ(client.receive().body, "body");
}

}  // namespace
}  // namespace understudy::testing_support

// What is ambiguous is refused: exactly one answer of ours, then the connection is closed, and the
// upstream never hears of it. A test is named after its row of tests/attacks/README.md: of attacks
// (A1 to A16) or of what parsers let pass (M1 to M11), but for what shows that the sound is let
// through. A6 to A9 are HTTP/2's: h2_attack_test.cc, where each row that has two sides has the
// other one. A10: also failure_test.cc. A14: also client_auth_test.cc. M9: serialisers_test.cc.

#include <gtest/gtest.h>

#include "tests/integration/hostile_requests.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using namespace std::string_literals;

struct Vector {
  std::string bytes;
  int status = 400;
};

std::string with(const std::string& fields, const std::string& body = "") {
  return "POST /model/m/invoke HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
std::string line(const std::string& request_line) {
  return request_line + "\r\nHost: a\r\n\r\n";
}
std::string chunks(const std::string& body) {
  return with("Transfer-Encoding: chunked\r\n", body);
}

// What an attacker hopes will be taken for a request of its own.
const std::string kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

std::string coded(const std::string& coding) {
  return with("Transfer-Encoding: " + coding + "\r\n", "0\r\n\r\n" + kSmuggled);
}
std::string long_as(const std::string& length) {
  return with("Content-Length: " + length + "\r\n", "abcde" + kSmuggled);
}

// One upstream and one proxy for a row: what one vector leaves behind would hurt the next.
class HttpGate : public testing::Test {
 protected:
  void expect_refused(const std::vector<Vector>& vectors) {
    for (const Vector& vector : vectors) {
      SCOPED_TRACE(testing::PrintToString(vector.bytes.substr(0, 300)));
      RawClient client(proxy_.port());
      client.send(vector.bytes);
      const Answer got = client.receive();
      EXPECT_EQ(got.status, vector.status) << got.field("x-understudy-error");
      EXPECT_EQ(got.end, Answer::End::complete);
      EXPECT_EQ(got.field("connection"), "close");
      EXPECT_FALSE(got.field("x-understudy-error").empty());
      EXPECT_TRUE(client.at_end()) << "one answer and no more: " << client.received();
      ASSERT_EQ(primary_->connections(), 0U) << "the upstream heard of it";
    }
    EXPECT_EQ(RawClient(proxy_.port()).ask(converse("hi")).status, 200) << "and it serves on";
  }

  std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies("{}");
  ProxyUnderTest proxy_{ProxySetup{.primary_port = primary_->port()}};
};

// --- How long the body is

TEST_F(HttpGate, A1WhatHidesATransferEncodingFromSomeServersIsRefused) {
  expect_refused({
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "0\r\n\r\n" + kSmuggled),
       501},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n" + kSmuggled),
       501},
      {coded("identity, chunked"), 501},
      {coded("chunked, chunked"), 501},
      {coded("gzip, chunked"), 501},
      {coded("chunked foo"), 501},
      {coded("chunked\x0b")},
      {with("Transfer-Encoding : chunked\r\n", "0\r\n\r\n" + kSmuggled)},
      {with("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n" + kSmuggled)},
      {with("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n" + kSmuggled), 501},
      {with("X: a\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + kSmuggled)},
      {with("X: a\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + kSmuggled)},
      // H5: read as a hyphen by who hands fields on as variables.
      {with("Transfer_Encoding: chunked\r\n", "0\r\n\r\n" + kSmuggled)},
      {with("Content-Length: 5\r\nTransfer_Encoding: chunked\r\n", "0\r\n\r\n")},
  });
}

TEST_F(HttpGate, M1AnOddTransferEncodingIsNotTakenForNoBody) {
  expect_refused({
      {coded("xchunked"), 501},
      {coded("identity"), 501},
      {coded("\"chunked\""), 501},
      {coded("chunked, identity"), 501},
      {coded("x"), 501},
      {coded(""), 501},
  });
}

TEST_F(HttpGate, M2ATransferEncodingBesideALengthIsRefused) {
  const std::string body = "0\r\n\r\n" + kSmuggled;
  expect_refused({
      {with("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", body), 501},
      {with("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", body), 501},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", body)},
      {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", body)},
      {with("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", body)},
  });
}

TEST_F(HttpGate, A2ALengthIsOnePlainNumber) {
  std::vector<Vector> vectors;
  for (const std::string length :
       {"", "+5", "-5", " 5 5", "5,5", "0x5", "5 ,", "5;", "five", "1e1", "5.0", "\"5\"",
        "18446744073709551616", "18446744073709551621", "99999999999999999999999999"})
    vectors.push_back({long_as(length)});
  vectors.push_back({with("Content-Length: 5\r\nContent-Length: 6\r\n", "abcdef")});
  vectors.push_back({with("Content-Length: 5\r\nContent-Length: 5\r\n", "abcde")});
  vectors.push_back({with("Content-Length : 5\r\n", "abcde")});
  vectors.push_back({with("Content-Length:\r\n 5\r\n", "abcde")});
  vectors.push_back({with("Content_Length: 5\r\n", "abcde" + kSmuggled)});
  vectors.push_back({with("Content-Length: 5\r\nContent_Length: 0\r\n", "abcde" + kSmuggled)});
  expect_refused(vectors);
}

TEST_F(HttpGate, M8FramingHasOneSpellingAndFieldsHaveANumber) {
  std::string many;
  for (int i = 0; i < 1500; ++i) many += "a:\r\n";
  expect_refused({
      {with(many), 431},
      {"POST /model/m/invoke HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {coded("chunked;q=1"), 501},
      {coded(", chunked"), 501},
      {coded("chunked,"), 501},
      {long_as("5, 5")},
      {long_as("0000000000005")},
  });
}

// --- Lines and characters

TEST_F(HttpGate, A3LinesEndInCrLfAndNamesAreTokens) {
  expect_refused({
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"GET /a HTTP/1.1\nHost: a\nX: b\n\r\n\r\n"},
      {with("X: a\nY: b\r\n")},
      {with("X: a\rY: b\r\n")},
      {with("X: a\r\r\n")},
      {with("X: a\0b\r\n"s)},
      {with("X\0Y: a\r\n"s)},
      {with("X: a\x7f\r\n")},
      {with("X: a\x01\r\n")},
      {with("X : a\r\n")},
      {with("X\t: a\r\n")},
      {with("X Y: a\r\n")},
      {with("X\r\n")},
      {with(": a\r\n")},
      {with("X\x80: a\r\n")},
      {with("X/Y: a\r\n")},
      {with("{X}: a\r\n")},
      {with("X_Y: a\r\n")},
      {with("_: a\r\n")},
      {line("GET /a")},
      {line("GET  /a HTTP/1.1")},
      {line("GET /a b HTTP/1.1")},
      {line("GET\t/a\tHTTP/1.1")},
      {line("GET /a HTTP/1.1 ")},
      {line("GE(T /a HTTP/1.1")},
      {line("GET /a\x01 HTTP/1.1")},
      {line("GET /a http/1.1"), 505},
      {line("GET /a HTTP/0.9"), 505},
      {line("GET /a HTTP/1.2"), 505},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s},
  });
}

TEST_F(HttpGate, M6AFoldedLineIsNotPartOfTheOneBefore) {
  expect_refused({
      {with("X: a\r\n b\r\n")},
      {with("X: a\r\n\tb\r\n")},
      {"POST /model/m/invoke HTTP/1.1\r\nHost: good\r\n X: a\r\n\r\n"},
      {with("Content-Length: 5\r\n X: a\r\n", "abcde")},
  });
}

// --- Chunks

TEST_F(HttpGate, A4AChunkHasOneForm) {
  std::vector<Vector> vectors;
  for (const std::string body : {"zz\r\n",
                                 "\r\n",
                                 "-1\r\n",
                                 "+1\r\na\r\n",
                                 "0x1\r\na\r\n",
                                 " 1\r\na\r\n",
                                 "1\na\r\n0\r\n\r\n",
                                 "1\r\nab\r\n0\r\n\r\n",
                                 "1\r\na0\r\n\r\n",
                                 "1\r\na\n0\r\n\r\n",
                                 "0000000000001\r\na\r\n",
                                 "ffffffffffffffffff\r\n",
                                 "1;a\x01=b\r\na\r\n",
                                 "1;a\nb\r\na\r\n",
                                 "5 junk\r\nabcde\r\n0\r\n\r\n",
                                 "1 1\r\na\r\n",
                                 "1\t;x\n\r\na\r\n",
                                 "0 x\r\n\r\n",
                                 "0\r\nX: a\n\r\n",
                                 "0\r\n\rX"})
    vectors.push_back({chunks(body + kSmuggled)});
  expect_refused(vectors);
}

TEST_F(HttpGate, M3TrailersDoNotBecomeFields) {
  RawClient(proxy_.port())
      .ask(chunks("1\r\na\r\n0\r\nHost: evil\r\nAuthorization: evil\r\nx: evil\r\n\r\n"));
  EXPECT_EQ(primary_->request(0).head.find("evil"), std::string::npos);
  EXPECT_EQ(primary_->request(0).body, "a");
}

TEST_F(HttpGate, M4WhatIsEndlessIsNotBuffered) {
  std::string trailers = "1\r\na\r\n0\r\n";
  for (int i = 0; i < 5000; ++i) trailers += "x" + std::to_string(i) + ": 12345678901234567890\r\n";
  expect_refused({
      {chunks(trailers)},
      {chunks("1\r\na\r\n0\r\nX: " + std::string(200'000, 'a'))},
      {chunks("1;" + std::string(200'000, 'a'))},
  });
}

TEST_F(HttpGate, M5ChunksMayNotBeMostlyFraming) {
  std::string overhead;
  for (int i = 0; i < 40; ++i) overhead += "1;" + std::string(4000, 'x') + "\r\na\r\n";
  expect_refused({{chunks(overhead)}});
}

// --- What follows a request on its connection

TEST_F(HttpGate, A5NothingBehindARefusedRequestIsARequest) {
  expect_refused({
      {with("Expect: 200-ok\r\nContent-Length: 5\r\n", "abcde" + kSmuggled), 417},
      {with("Expect: 100-continue, x\r\n", kSmuggled), 417},
      {line("CONNECT evil:443 HTTP/1.1") + kSmuggled},
      {with("Content-Length: 999999999999\r\n", kSmuggled), 413},
  });
}

TEST_F(HttpGate, A5AnswersWhatCameBeforeAndRefusesWhatFollows) {
  RawClient client(proxy_.port());
  client.send(converse("good") + with("Transfer-Encoding: xchunked\r\n", kSmuggled));
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(client.receive().status, 501);
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(primary_->count(), 1U);
}

TEST_F(HttpGate, A5AnUpgradeIsNotTakenUpAndNotPassedOn) {
  RawClient client(proxy_.port());
  for (const std::string upgrade :
       {"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQ\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"})
    EXPECT_EQ(client.ask(converse("hi", upgrade)).status, 200) << upgrade;
  for (const FakeRequest& request : primary_->requests()) {
    for (const char* gone : {"upgrade", "connection", "http2-settings"})
      EXPECT_FALSE(request.has(gone)) << gone;
  }
}

TEST_F(HttpGate, A10AHeadThatDribblesIsNotWaitedForForever) {
  ASSERT_TRUE(proxy_.apply(
      ProxySetup{.primary_port = primary_->port(), .top = "limits: {header_timeout: 300ms}\n"}));
  RawClient client(proxy_.port());
  client.send("POST /model/m/invoke HTTP/1.1\r\nHost: a\r\nX: ");
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(proxy_.wait_for("refused_total", {{"limit", "header_timeout"}}, 1));
  EXPECT_EQ(primary_->connections(), 0U) << "not opened before the head is whole";
}

// --- Sizes

TEST_F(HttpGate, A11WhatIsOversizeIsRefused) {
  expect_refused({
      {"GET /" + std::string(200'000, 'a'), 431},
      {with("X: " + std::string(40'000, 'a') + "\r\n"), 431},
      {line("GET /" + std::string(9'000, 'a') + " HTTP/1.1"), 414},
      {with("Content-Length: 999999999999\r\n", "abc"), 413},
      {chunks("ffffffffff\r\n" + std::string(100, 'a')), 413},
  });
}

// Beast's defaults: 8 KiB of fields, 1 MiB of a request's body, 8 MiB of an answer's.
TEST(Gate, M10LimitsAreTheConfigsAndNotALibrarys) {
  const std::string body = noise(3 << 20), reply = noise(9 << 20);
  const std::string fields = "X: " + std::string(20'000, 'a') + "\r\n";
  FakeBedrock primary(
      [&](const FakeRequest&, FakePeer& peer) { peer.send(answer(reply, "200 OK", fields)); });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  const Answer got = RawClient(proxy.port()).ask(post("/model/m/invoke", body, fields));
  EXPECT_EQ(got.status, 200);
  EXPECT_TRUE(got.body == reply);
  EXPECT_EQ(got.field("x").size(), 20'000U);
  EXPECT_TRUE(primary.request(0).body == body);
  EXPECT_EQ(primary.request(0).field("x").size(), 20'000U);
}

// --- Whom the request is for

TEST_F(HttpGate, A12APathThatTwoServersReadInTwoWaysIsRefused) {
  expect_refused({
      {line("GET /a\\b HTTP/1.1")},
      {line("GET /model/../a HTTP/1.1")},
      {line("GET /model/%2e%2E/a HTTP/1.1")},
      {line("GET /model/.%2e/a HTTP/1.1")},
      {line("GET /model/..;x/a HTTP/1.1")},
      {line("GET /./a HTTP/1.1")},
      {line("GET /model//a HTTP/1.1")},
      {line("POST /model/a%00b/converse HTTP/1.1")},
      {line("POST /model/a%252Fb/converse HTTP/1.1")},
      {line("POST /model/a%zz/converse HTTP/1.1")},
      {line("POST /model/a%0d%0ab/converse HTTP/1.1")},
      {line("GET /a?b#c HTTP/1.1")},
  });
}

TEST_F(HttpGate, M7ATargetIsAPathAndAHostIsOne) {
  std::vector<Vector> vectors{
      {"GET /a HTTP/1.1\r\n\r\n"},
      {with("Host: b\r\n")},
      {with("Host: a\r\n")},
      {line("GET http://evil/a HTTP/1.1")},
      {line("CONNECT evil:443 HTTP/1.1")},
      {line("OPTIONS * HTTP/1.1")},
      {line("GET a HTTP/1.1")},
      {line("GET /a#b HTTP/1.1")},
      {line("GET /a\x80 HTTP/1.1")},
  };
  for (const std::string host : {"a b", "a b, evil@c", "a, b", "good:80@evil", "a/b", "a@b", "a:b",
                                 "a:", "a:99999", ":80", "[::1", "[x]", "a%2eb", "\x80"})
    vectors.push_back({"GET /a HTTP/1.1\r\nHost: " + host + "\r\n\r\n"});
  expect_refused(vectors);
}

TEST(Gate, A13ServesOnlyTheHostsItIsTold) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port(),
                                  .listener_more = ", hosts: [proxy.test]",
                                  .top = "default_route: {upstream: primary}\n"});
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).status, 200);
  const auto status = [&](const std::string& host) {
    return RawClient(proxy.port()).ask("GET /a HTTP/1.1\r\nHost: " + host + "\r\n\r\n").status;
  };
  EXPECT_EQ(status("PROXY.test:80"), 200);
  EXPECT_EQ(status("evil"), 421);
  EXPECT_EQ(status(""), 421);
  EXPECT_EQ(status("proxy.test:80@evil"), 400);
}

TEST(Gate, A13ConnectsOnlyWhereTheConfigSays) {
  auto primary = FakeBedrock::replies("{}");
  auto elsewhere = FakeBedrock::replies("stolen");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .top = "default_route: {upstream: primary}\n"});
  const auto requests = hostile_requests("127.0.0.1:" + std::to_string(elsewhere->port()));
  EXPECT_GE(requests.size(), 25U);
  for (const HostileRequest& request : requests) {
    std::string bytes = "POST " + request.target + " HTTP/1.1\r\nHost: " + request.host + "\r\n";
    for (const auto& [name, value] : request.fields)
      bytes.append(name).append(": ").append(value).append("\r\n");
    bytes.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n\r\n");
    const Answer got = RawClient(proxy.port()).ask(bytes + request.body);
    EXPECT_EQ(got.status, request.refused ? 400 : 200) << request.why;
  }
  EXPECT_EQ(elsewhere->connections(), 0U);
}

// --- What belongs to the connection, and to the client alone

TEST_F(HttpGate, A14ACredentialIsGivenOnce) {
  expect_refused({{with("Authorization: a\r\nAuthorization: b\r\n")}});
}

TEST(Gate, A14NeitherUpstreamSeesWhatTheClientSigned) {
  auto primary = FakeBedrock::replies(converse_answer("one"));
  auto candidate = FakeBedrock::replies(converse_answer("two"));
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .candidate_port = candidate->port()});
  const std::string fields =
      "Authorization: AWS4-HMAC-SHA256 Credential=hidden\r\nX-Amz-Date: hidden\r\n"
      "X-Amz-Security-Token: hidden\r\nx-amz-content-sha256: hidden\r\nX-Amz-Anything: hidden\r\n"
      "X-Api-Key: hidden\r\nCookie: hidden\r\nProxy-Authorization: hidden\r\n";
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi", fields)).status, 200);
  for (const FakeRequest& request : {primary->request(0), candidate->request(0)})
    EXPECT_EQ(request.head.find("hidden"), std::string::npos) << request.head;
}

TEST_F(HttpGate, A15WhatMustReachTheEndIsNotTakenAway) {
  std::vector<Vector> vectors;
  for (const std::string nominated : {"authorization",
                                      "Authorization",
                                      "content-length",
                                      "content-type",
                                      "Content-Encoding",
                                      "host",
                                      "HOST",
                                      "x-amz-date",
                                      "X-Amz-Security-Token",
                                      "x-amz-content-sha256",
                                      "x-amzn-bedrock-accept",
                                      "x-amzn-bedrock-guardrailidentifier",
                                      "amz-sdk-invocation-id",
                                      "amz-sdk-request",
                                      "x-api-key",
                                      "x-understudy-shadow",
                                      "x-understudy-family",
                                      "close, Content-Length",
                                      "keep-alive,host",
                                      ",, x-hop ,\tauthorization ,"})
    vectors.push_back({with("Connection: " + nominated + "\r\n")});
  EXPECT_EQ(vectors.size(), 20U);
  vectors.push_back({with("Connection: a\r\nConnection: b\r\n")});
  expect_refused(vectors);
}

TEST_F(HttpGate, A15WhatMayBeTakenAwayIs) {
  EXPECT_EQ(RawClient(proxy_.port())
                .ask(converse("hi", "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nx-hop: 2\r\n"))
                .status,
            200);
  EXPECT_FALSE(primary_->request(0).has("x-hop"));
  EXPECT_FALSE(primary_->request(0).has("connection"));
}

// --- Answers

TEST(Gate, A16AnAnswerThatCouldBecomeTwoIsNone) {
  for (const std::string& bytes :
       {"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nX: a\x7f\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nX\0: a\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nX\r: a\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"s}) {
    auto primary = FakeBedrock::sends(bytes);
    ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
    const Answer got = RawClient(proxy.port()).ask(converse("hi"));
    EXPECT_EQ(got.status, 502) << testing::PrintToString(bytes);
    EXPECT_EQ(got.field("x-understudy-error"), "bad_message");
    EXPECT_FALSE(got.has("set-cookie"));
  }
}

TEST(Gate, M11InterimAnswersAreNotTheAnswer) {
  const std::string interim =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
  auto primary = FakeBedrock::sends(interim + answer("whole"));
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  for (int i = 0; i < 2; ++i) {
    const Answer got = client.ask(converse("hi"));
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, "whole");
  }
}

TEST(Gate, M11InterimAnswersHaveAnEnd) {
  std::string endless;
  for (int i = 0; i < 50; ++i) endless += "HTTP/1.1 100 Continue\r\n\r\n";
  auto primary = FakeBedrock::sends(endless + answer("late"));
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).status, 502);
}

TEST(Gate, M11BytesBehindAnAnswerAreNotTheNextOne) {
  for (const std::string head :
       {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}) {
    FakeBedrock primary([&](const FakeRequest& request, FakePeer& peer) {
      peer.send(request.connection == 1 ? head + answer("stolen") : answer("mine"));
    });
    ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
    RawClient client(proxy.port());
    EXPECT_EQ(client.ask(converse("one")).body, "") << head;
    EXPECT_EQ(client.ask(converse("two")).body, "mine") << head;
  }
}

TEST(Gate, M11AnEndThatIsNoneIsNotPassedOnAsOne) {
  FakeBedrock primary([](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
    peer.close();
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  EXPECT_NE(RawClient(proxy.port()).ask(converse("hi")).end, Answer::End::complete);
}

// --- What is sound, however unusual

TEST(Gate, PassesTheUnusualThatIsSound) {
  FakeBedrock primary(
      [](const FakeRequest& request, FakePeer& peer) { peer.send(answer(request.body)); });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  for (const std::string& request :
       {"\r\n\r\n" + with("Content-Length: 5\r\n", "abcde"), with("content-length:5\r\n", "abcde"),
        with("CONTENT-LENGTH: \t 5\t \r\n", "abcde"), with("Content-Length: 005\r\n", "abcde"),
        chunks("5\r\nabcde\r\n0\r\n\r\n"), chunks("005;x=\"y\"\r\nabcde\r\n0\r\nX: y\r\n\r\n"),
        chunks("2\r\nab\r\n3\r\ncde\r\n000\r\n\r\n"),
        with("Transfer-Encoding: CHUNKED\r\n", "5\r\nabcde\r\n0\r\n\r\n"),
        with("X:\r\nY: \x80\xff\r\nContent-Length: 5\r\n", "abcde"),
        with("Connection: ,, keep-alive ,\r\nContent-Length: 5\r\n", "abcde"),
        chunks("5 \t\r\nabcde\r\n0 ;x\r\n\r\n"),
        "POST /model/m/invoke HTTP/1.1\r\nHost:\r\nContent-Length: 5\r\n\r\nabcde"s,
        "POST /model/m/invoke HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 5\r\n\r\nabcde"s}) {
    const Answer got = client.ask(request);
    EXPECT_EQ(got.status, 200) << request.substr(0, 200);
    EXPECT_EQ(got.body, "abcde");
  }
}

}  // namespace
}  // namespace understudy::testing_support

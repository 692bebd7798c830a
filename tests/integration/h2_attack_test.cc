// What hostile clients send over HTTP/2, each test named after its row of tests/attacks/README.md
// (A1 to A16, M1 to M11): refused or made canonical, at a bounded price, and others are served
// meanwhile. HTTP/2 has no chunks (A4, M4, M5), no folded lines (M6) and no framing to hide (A1,
// A2, M1 and M2 are what HTTP/1.1 behind us could make of it). A10 and M11: also h2_relay_test.cc.

#include <gtest/gtest.h>

#include <chrono>

#include "tests/integration/hostile_requests.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_client.h"
#include "tests/support/h2_upstream.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using namespace std::string_literals;

const std::string kTarget = "/model/amazon.primary-v1%3A0/invoke";

// A request that is refused, as a list of its fields.
struct Injection {
  h2::Fields fields;
  int status = 400;  // 0: the library resets the stream
};
constexpr int kReset = 0;

h2::Fields with(const std::string& name, const std::string& value) {
  return h2::post_fields(kTarget, {{name, value}});
}
constexpr std::size_t kMethod = 0, kScheme = 1, kAuthority = 2, kPath = 3;
h2::Fields instead(std::size_t pseudo, const std::string& value) {
  h2::Fields fields = h2::post_fields(kTarget);
  fields[pseudo].second = value;
  return fields;
}
h2::Fields without(std::size_t pseudo) {
  h2::Fields fields = h2::post_fields(kTarget);
  fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(pseudo));
  return fields;
}
// The request has no :authority.
h2::Fields with_host_only(const std::string& value) {
  h2::Fields fields = without(kAuthority);
  fields.emplace_back("host", value);
  return fields;
}

const std::string kSmuggled = "\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

class H2Attack : public testing::Test {
 protected:
  // Each alone; its connection goes on to serve what is well made, and the upstream sees that only.
  void expect_refused(const std::vector<Injection>& injections) {
    for (const auto& [fields, status] : injections) {
      SCOPED_TRACE(testing::PrintToString(fields).substr(0, 500));
      H2Client attacker(proxy_.port());
      const H2Answer& got = attacker.ask(1, h2::headers(1, fields));
      EXPECT_EQ(got.status, status) << got.field("x-understudy-error");
      EXPECT_EQ(got.end, status == kReset ? H2Answer::End::reset : H2Answer::End::complete);
      EXPECT_EQ(attacker.ask(3, h2::post(3, kTarget, "{}")).status, 200);
    }
    EXPECT_EQ(primary_->count(), injections.size());
    for (const FakeRequest& request : primary_->requests()) EXPECT_EQ(request.target(), kTarget);
  }
  // The attacker's connection has ended for that reason, and others are served.
  void expect_calmed(H2Client& attacker, std::string_view limit) {
    EXPECT_NE(attacker.until_end(), "timeout");
    EXPECT_EQ(attacker.goaway_error(), h2::kEnhanceYourCalm);
    EXPECT_TRUE(proxy_.wait_for("refused_total", {{"limit", std::string{limit}}}, 1));
    expect_service();
  }
  void expect_service() {
    H2Client other(proxy_.port());
    EXPECT_EQ(other.ask(1, h2::post(1, kTarget, "{}")).status, 200);
  }
  // Sends it until the proxy has had enough.
  static void flood(H2Client& attacker, const std::string& bytes, int times) {
    for (int i = 0; i < times && attacker.send(bytes); ++i) {
    }
  }

  std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies("{}");
  ProxyUnderTest proxy_{ProxySetup{.primary_port = primary_->port()}};
};

std::string repeated(const std::string& bytes, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += bytes;
  return all;
}

// --- What HTTP/2 could smuggle into HTTP/1.1

TEST_F(H2Attack, A1ATransferEncodingIsRefused) {
  expect_refused({
      {with("transfer-encoding", "chunked"), kReset},
      {with("transfer-encoding ", "chunked")},
      {with("transfer_encoding", "chunked")},
      {with("te", "chunked"), kReset},
      {with("te", "gzip"), kReset},
  });
}

TEST_F(H2Attack, M1AnOddTransferEncodingIsRefused) {
  expect_refused({
      {with("transfer-encoding", "xchunked"), kReset},
      {with("transfer-encoding", "identity"), kReset},
      {with("transfer-encoding", "chunked, identity"), kReset},
      {with("transfer-encoding", ""), kReset},
  });
}

TEST_F(H2Attack, M2ATransferEncodingBesideALengthIsRefused) {
  expect_refused({
      {h2::post_fields(kTarget, {{"transfer-encoding", "xchunked"}, {"content-length", "0"}}),
       kReset},
      {h2::post_fields(kTarget, {{"content-length", "0"}, {"transfer-encoding", "chunked"}}),
       kReset},
  });
}

TEST_F(H2Attack, A2ALengthIsOnePlainNumberAndTrue) {
  expect_refused({
      {with("content-length", "+0"), kReset},
      {with("content-length", "-0"), kReset},
      {with("content-length", "0x0"), kReset},
      {with("content-length", ""), kReset},
      {with("content-length", "0, 0"), kReset},
      {with("content-length", "18446744073709551616"), kReset},
      {h2::post_fields(kTarget, {{"content-length", "0"}, {"content-length", "0"}}), kReset},
      {with("content-length", "5"), kReset},  // and no body
      {with("content_length", "5")},
      {h2::post_fields(kTarget, {{"content-length", "0"}, {"content_length", "5"}})},
  });
}

TEST_F(H2Attack, A3NamesAreTokensInLowerCase) {
  expect_refused({
      {with("x:y", "b")},
      {with("x y", "b")},
      {with("x ", "b")},
      {with("X-A", "b"), kReset},
      {with("x\x80", "b")},
      {with("", "b")},
      {with("x/y", "b")},
      {with("x_y", "b")},
      {with("x\0y"s, "b")},
  });
}

TEST_F(H2Attack, A5NoTunnelAndNoUpgradeIsOpened) {
  expect_refused({
      {h2::Fields{{":method", "CONNECT"}, {":authority", "evil:443"}}},
      {with(":protocol", "websocket"), kReset},
      {with("upgrade", "h2c"), kReset},
      {with("expect", "200-ok"), 417},
  });
}

TEST_F(H2Attack, A6NothingIsInjectedIntoHttp1) {
  expect_refused({
      {with("x", "a\r\nhost: evil")},
      {with("x", "a" + kSmuggled)},
      {with("x: a\r\ny", "b")},
      {instead(kMethod, "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\nPOST"), kReset},
      {instead(kMethod, "GET /smuggled"), kReset},
      {instead(kPath, "/a HTTP/1.1" + kSmuggled), kReset},
      {instead(kPath, "/a HTTP/1.1 /b"), kReset},
      {instead(kPath, "/a\x80")},
      {instead(kAuthority, "a\r\nx: y"), kReset},
      {with("host", "evil")},
      {h2::post_fields(kTarget, {{"host", "localhost"}, {"host", "localhost"}}), kReset},
      {without(kMethod), kReset},
      {without(kScheme), kReset},
      {without(kPath), kReset},
      {instead(kPath, ""), kReset},
      {instead(kScheme, "ftp")},
      {with(":x", "y"), kReset},
      {h2::Fields{{":method", "POST"}, {"x", "y"}, {":scheme", "http"}, {":path", "/"}}, kReset},
      {with(":path", "/b"), kReset},
  });
}

TEST_F(H2Attack, M9NoControlByteIsPassedOn) {
  expect_refused({
      {with("x", "a\nb")},
      {with("x", "a\rb")},
      {with("x", "a\0b"s)},
      {with("x", "a\x01")},
      {with("x", "a\x7f")},
      {with("x\n", "a")},
      {instead(kPath, "/a\0b"s), kReset},
  });
}

// --- Whom the request is for

TEST_F(H2Attack, M7ATargetIsAPathAndAnAuthorityIsOne) {
  std::vector<Injection> injections{
      {instead(kPath, "http://evil/a"), kReset},
      {instead(kPath, "*"), kReset},
      {instead(kPath, "a"), kReset},
      {instead(kPath, "/a#b")},
      {without(kAuthority), kReset},
      {with_host_only(""), kReset},
      {instead(kAuthority, "a b"), kReset},
  };
  for (const std::string bad :
       {"good:80@evil", "a,b", "a@b", "a:b", "a:", "a:99999", ":80", "[::1", "[x]", "a%2eb"}) {
    injections.push_back({instead(kAuthority, bad)});
    injections.push_back({with_host_only(bad)});
  }
  expect_refused(injections);
}

TEST_F(H2Attack, M7AHostAloneNamesTheAuthority) {
  H2Client client(proxy_.port());
  EXPECT_EQ(client.ask(1, h2::headers(1, with_host_only("a:80"))).status, 200);
  EXPECT_EQ(client.ask(3, h2::headers(3, instead(kAuthority, "[::1]:80"))).status, 200);
}

TEST_F(H2Attack, A12APathThatTwoServersReadInTwoWaysIsRefused) {
  expect_refused({
      {instead(kPath, "/model/../a")},
      {instead(kPath, "/model/%2e%2E/a")},
      {instead(kPath, "/model/..;x/a")},
      {instead(kPath, "/model//a")},
      {instead(kPath, "/a\\b")},
      {instead(kPath, "/model/a%00b/converse")},
      {instead(kPath, "/model/a%252Fb/converse")},
      {instead(kPath, "/model/a%0d%0ab/converse")},
      {instead(kPath, "/a?b#c")},
  });
}

TEST_F(H2Attack, A13ConnectsOnlyWhereTheConfigSays) {
  auto elsewhere = FakeBedrock::replies("stolen");
  ASSERT_TRUE(proxy_.apply(
      ProxySetup{.primary_port = primary_->port(), .top = "default_route: {upstream: primary}\n"}));
  const auto requests = hostile_requests("127.0.0.1:" + std::to_string(elsewhere->port()));
  EXPECT_GE(requests.size(), 25u);
  for (const HostileRequest& request : requests) {
    h2::Fields fields = h2::post_fields(request.target, request.fields);
    fields[kAuthority].second = request.host;
    H2Client attacker(proxy_.port());
    const H2Answer& got =
        attacker.ask(1, h2::headers(1, fields, false) + h2::data(1, request.body));
    if (request.refused) {
      EXPECT_TRUE(got.status == 400 || got.end == H2Answer::End::reset) << request.why;
    } else {
      EXPECT_EQ(got.status, 200) << request.why;
    }
  }
  EXPECT_EQ(elsewhere->connections(), 0u);
}

TEST_F(H2Attack, A14ACredentialIsGivenOnceAndPassedToNobody) {
  H2Client client(proxy_.port());
  const h2::Fields twice{{"authorization", "a"}, {"authorization", "b"}};
  EXPECT_EQ(client.ask(1, h2::headers(1, h2::post_fields(kTarget, twice))).status, 400);
  h2::Fields signed_fields;
  for (const char* name :
       {"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256",
        "x-amz-anything", "x-api-key", "cookie", "proxy-authorization"})
    signed_fields.emplace_back(name, "hidden");
  EXPECT_EQ(client.ask(3, h2::post(3, kTarget, "{}", signed_fields)).status, 200);
  EXPECT_EQ(primary_->request(0).head.find("hidden"), std::string::npos);
}

// A nomination is a field of the connection, whatever it nominates.
TEST_F(H2Attack, A15FieldsOfTheConnectionAreRefused) {
  std::vector<Injection> injections{
      {with("keep-alive", "timeout=5"), kReset},
      {with("proxy-connection", "keep-alive"), kReset},
  };
  for (const char* nominated :
       {"authorization", "content-length", "content-type", "host", "x-amz-date", "x-api-key",
        "amz-sdk-invocation-id", "x-understudy-shadow", "x-hop", "close", "keep-alive", "upgrade",
        "te", "transfer-encoding", ""})
    injections.push_back({with("connection", nominated), kReset});
  expect_refused(injections);
}

TEST_F(H2Attack, A11WhatIsOversizeIsRefused) {
  expect_refused({
      {instead(kPath, "/" + std::string(9'000, 'a')), 414},
      {with("x", std::string(40'000, 'a')), 431},
      {with("content-length", "999999999999"), kReset},  // and no body
  });
  H2Client attacker(proxy_.port());
  const h2::Fields fields = h2::post_fields(kTarget, {{"content-length", "999999999999"}});
  EXPECT_EQ(attacker.ask(1, h2::headers(1, fields, false)).status, 413);
}

// Beast's defaults: 8 KiB of fields, 1 MiB of a request's body, 8 MiB of an answer's.
TEST(H2Limits, M10AreTheConfigsAndNotALibrarys) {
  const std::string body = noise(3 << 20), reply = noise(9 << 20), large(20'000, 'a');
  FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
    peer.send(answer(reply, "200 OK", "x: " + large + "\r\n"));
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port(),
                                  .top = "limits: {http2: {stream_window_bytes: 16MiB, "
                                         "connection_window_bytes: 16MiB}}\n"});
  H2Client client(proxy.port());
  ASSERT_TRUE(client.settle());  // it knows the windows now
  const H2Answer& got = client.ask(1, h2::post(1, kTarget, body, {{"x", large}}));
  EXPECT_EQ(got.status, 200);
  EXPECT_TRUE(got.body == reply);
  EXPECT_EQ(got.field("x").size(), large.size());
  EXPECT_TRUE(primary.request(0).body == body);
  EXPECT_EQ(primary.request(0).field("x").size(), large.size());
}

// --- Answers

TEST(H2Answers, A16AnAnswerThatCouldBecomeTwoIsNone) {
  for (const std::string& field :
       {"X: a\rSet-Cookie: evil\r\n"s, "X: a\nSet-Cookie: evil\r\n"s, "X: a\0b\r\n"s,
        "X: a\x7f\r\n"s, "X: a\r\n b\r\n"s, "X Y: a\r\n"s, "X\0: a\r\n"s, ": a\r\n"s}) {
    auto primary = FakeBedrock::sends("HTTP/1.1 200 OK\r\n" + field + "Content-Length: 0\r\n\r\n");
    ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
    H2Client client(proxy.port());
    EXPECT_EQ(client.ask(1, h2::post(1, kTarget, "{}")).status, 502)
        << testing::PrintToString(field);
    EXPECT_EQ(client.answer(1).field("x-understudy-error"), "bad_message");
  }
}

// Of an upstream that speaks HTTP/2 itself: its library would leave the field out.
TEST(H2Answers, A16AnAnswerOverHttp2ThatHoldsALineEndIsNone) {
  for (const auto& [name, value] : h2::Fields{{"x", "a\r\nset-cookie: evil"},
                                              {"x", "a\nb"},
                                              {"x", "a\0b"s},
                                              {"x y", "a"},
                                              {"x: a\r\ny", "b"}}) {
    H2Upstream upstream;
    ProxyUnderTest proxy(ProxySetup{
        .primary_port = upstream.port(),
        .primary_credentials = "source: static, access_key_id: AKID, secret_access_key: secret"});
    H2Client client(proxy.port());
    const std::string target = "/model/amazon.primary-v1%3A0/invoke-with-bidirectional-stream";
    client.send(h2::headers(1, h2::post_fields(target), false));
    upstream.accept();
    upstream.answer({{name, value}});
    EXPECT_EQ(client.receive(1).status, 502) << testing::PrintToString(value);
  }
}

// --- A6, M3: bodies

TEST_F(H2Attack, A6ABodyThatIsNotAsLongAsItSaysIsRefused) {
  H2Client attacker(proxy_.port());
  for (const std::string body : {"1234", "123456"}) {
    const std::uint32_t stream = body.size() == 4 ? 1 : 3;
    const h2::Fields fields = h2::post_fields(kTarget, {{"content-length", "5"}});
    const std::string request = h2::headers(stream, fields, false) + h2::data(stream, body);
    EXPECT_EQ(attacker.ask(stream, request).end, H2Answer::End::reset) << body;
  }
  EXPECT_EQ(primary_->count(), 0u);
}

TEST_F(H2Attack, M3TrailersDoNotBecomeFields) {
  H2Client attacker(proxy_.port());
  const h2::Fields trailers{{"host", "evil"}, {"authorization", "evil"}, {"x-trailer", "evil"}};
  const std::string request = h2::headers(1, h2::post_fields(kTarget), false) +
                              h2::data(1, "{}", false) + h2::headers(1, trailers);
  EXPECT_EQ(attacker.ask(1, request).status, 200);
  EXPECT_EQ(primary_->request(0).head.find("evil"), std::string::npos);
  EXPECT_EQ(primary_->request(0).body, "{}");
}

// --- A7: resets

TEST_F(H2Attack, A7RapidResetEndsTheConnectionAndCostsFewCalls) {
  H2Client attacker(proxy_.port());
  std::string pairs;
  std::uint32_t stream = 1;
  for (int i = 0; i < 10'000; ++i, stream += 2)
    pairs += h2::post(stream, kTarget, "{}") + h2::reset(stream);
  attacker.send(pairs);
  expect_calmed(attacker, "resets_received");
  EXPECT_LE(primary_->count(), 201u);
}

// CVE-2025-8671: the client makes the proxy send the resets, here by windows that overflow.
TEST_F(H2Attack, A7MadeYouResetEndsTheConnectionAndCostsFewCalls) {
  H2Client attacker(proxy_.port());
  std::string streams;
  std::uint32_t stream = 1;
  for (int i = 0; i < 10'000; ++i, stream += 2)
    streams += h2::post(stream, kTarget, "{}") + h2::window_update(stream, 0x7FFF'FFFF) +
               h2::window_update(stream, 0x7FFF'FFFF);
  attacker.send(streams);
  expect_calmed(attacker, "max_glitches");
  EXPECT_EQ(proxy_.value("refused_total", {{"limit", "max_glitches"}}), 1);
  EXPECT_LE(primary_->count(), 201u);
}

// And here by bodies that are too long. Where faults do not count, the resets themselves do.
TEST_F(H2Attack, A7MadeYouResetIsMetByTheCountOfResetsThatWeSend) {
  ASSERT_TRUE(proxy_.apply(ProxySetup{.primary_port = primary_->port(),
                                      .top = "limits: {http2: {max_glitches: 1000000}}\n"}));
  H2Client attacker(proxy_.port());
  const h2::Fields fields = h2::post_fields(kTarget, {{"content-length", "1"}});
  std::string streams;
  std::uint32_t stream = 1;
  for (int i = 0; i < 10'000; ++i, stream += 2)
    streams += h2::headers(stream, fields, false) + h2::data(stream, "{}");
  attacker.send(streams);
  expect_calmed(attacker, "resets_sent");
  EXPECT_EQ(proxy_.value("refused_total", {{"limit", "resets_sent"}}), 1);
  EXPECT_EQ(primary_->count(), 1u) << "that of whoever was served";
}

TEST_F(H2Attack, A7MalformedRequestsWithoutEndAreNotAnsweredForEver) {
  H2Client attacker(proxy_.port());
  std::string streams;
  std::uint32_t stream = 1;
  for (int i = 0; i < 1'000; ++i, stream += 2)
    streams += h2::headers(stream, with("connection", "close"));
  attacker.send(streams);
  expect_calmed(attacker, "max_glitches");
  EXPECT_GT(proxy_.value("refused_total", {{"limit", "http2"}}), 50);
}

TEST_F(H2Attack, A7MoreStreamsAtOnceThanAgreedAreRefused) {
  Gate answering;
  FakeBedrock slow([&](const FakeRequest&, FakePeer& peer) {
    answering.wait();
    peer.send(answer("{}"));
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = slow.port(),
                                  .top = "limits: {http2: {max_concurrent_streams: 5}}\n"});
  H2Client client(proxy.port());
  ASSERT_TRUE(client.settle());  // it knows the limit now
  EXPECT_EQ(client.settings().at(3), 5u);
  std::string streams;
  for (std::uint32_t stream = 1; stream <= 21; stream += 2)
    streams += h2::post(stream, kTarget, "{}");
  client.send(streams);
  EXPECT_NE(client.until_end(), "timeout");
  EXPECT_EQ(client.goaway_error(), h2::kProtocolError);
  EXPECT_LE(slow.count(), 5u);
  answering.open();
}

// --- A8: header blocks

TEST_F(H2Attack, A8ManyContinuationsEndTheConnection) {
  H2Client attacker(proxy_.port());
  std::string frames = h2::frame(h2::kHeaders, h2::kNone, 1, h2::block(h2::post_fields(kTarget)));
  for (int i = 0; i < 20; ++i)
    frames += h2::frame(h2::kContinuation, h2::kNone, 1, h2::block({{"x", "y"}}));
  attacker.send(frames);
  expect_calmed(attacker, "max_continuations");
}

// H4: 16 KiB of references to one entry of the dynamic table that is 4,000 bytes long.
TEST_F(H2Attack, A8AnHpackBombIsDefused) {
  H2Client attacker(proxy_.port());
  std::string fields = h2::block(h2::post_fields(kTarget));
  std::string entry = h2::block({{"x", std::string(4'000, 'a')}});
  entry[0] = 0x40;  // with indexing
  fields += entry + std::string(12'000, static_cast<char>(0x80 | 62));
  const H2Answer& got =
      attacker.ask(1, h2::frame(h2::kHeaders, h2::kEndStream | h2::kEndHeaders, 1, fields));
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.end, H2Answer::End::reset);
  EXPECT_TRUE(proxy_.wait_for("refused_total", {{"limit", "max_header_bytes"}}, 1));
  expect_service();
  EXPECT_EQ(primary_->count(), 1u);
}

// The same of fields that are nothing but many.
TEST_F(H2Attack, A8ABombOfEmptyFieldsIsDefusedAndCounted) {
  H2Client attacker(proxy_.port());
  std::string fields = h2::block(h2::post_fields(kTarget));
  for (int i = 0; i < 500; ++i) fields += h2::block({{"x", ""}});
  attacker.ask(1, h2::frame(h2::kHeaders, h2::kEndStream | h2::kEndHeaders, 1, fields));
  EXPECT_EQ(attacker.answer(1).end, H2Answer::End::reset);
  EXPECT_TRUE(proxy_.wait_for("refused_total", {{"limit", "max_header_fields"}}, 1));
  EXPECT_EQ(primary_->count(), 0u);
}

TEST_F(H2Attack, M8ManyFieldsAreToldThatTheyAreMany) {
  H2Client attacker(proxy_.port());
  h2::Fields fields = h2::post_fields(kTarget);
  for (int i = 0; i < 150; ++i) fields.emplace_back("x", "");
  const H2Answer& got = attacker.ask(1, h2::headers(1, fields));
  EXPECT_EQ(got.status, 431);
  EXPECT_EQ(got.field("x-understudy-error"), "max_header_fields");
  EXPECT_EQ(primary_->count(), 0u);
}

// --- A9: frames that cost the sender nothing. H3: the library lets all of these pass.

TEST_F(H2Attack, A9PingFlood) {
  H2Client attacker(proxy_.port());
  flood(attacker, repeated(h2::ping(), 1'000), 10);
  expect_calmed(attacker, "pings");
}

TEST_F(H2Attack, A9SettingsFlood) {
  H2Client attacker(proxy_.port());
  flood(attacker, repeated(h2::settings(), 1'000), 10);
  expect_calmed(attacker, "settings");
}

TEST_F(H2Attack, A9PriorityFlood) {
  H2Client attacker(proxy_.port());
  const std::string one = h2::frame(h2::kPriority, h2::kNone, 3, h2::number(0) + "\x10");
  flood(attacker, repeated(one, 1'000), 10);
  expect_calmed(attacker, "max_priorities_per_stream");
}

TEST_F(H2Attack, A9WindowUpdateFlood) {
  H2Client attacker(proxy_.port(), {.connection_window = 65'535});
  flood(attacker, repeated(h2::window_update(0, 1), 1'000), 10);
  expect_calmed(attacker, "max_window_updates_per_data");
}

TEST_F(H2Attack, A9EmptyDataFlood) {
  H2Client attacker(proxy_.port());
  attacker.send(h2::headers(1, h2::post_fields(kTarget), false));
  flood(attacker, repeated(h2::data(1, "", false), 1'000), 10);
  expect_calmed(attacker, "max_empty_data");
}

TEST_F(H2Attack, A9PaddingWithoutData) {
  H2Client attacker(proxy_.port());
  attacker.send(h2::headers(1, h2::post_fields(kTarget), false));
  flood(attacker, repeated(h2::frame(h2::kData, 8, 1, "\x03"s + "pad"), 1'000), 10);
  expect_calmed(attacker, "max_empty_data");
}

TEST_F(H2Attack, A9UnknownFrameFlood) {
  H2Client attacker(proxy_.port());
  flood(attacker, repeated(h2::frame(0x42, h2::kNone, 0, "?"), 1'000), 10);
  expect_calmed(attacker, "max_unknown_frames");
}

TEST_F(H2Attack, A9ResetFloodOfUnknownKinds) {
  H2Client attacker(proxy_.port());
  attacker.send(h2::post(1, kTarget, "{}"));
  attacker.receive(1);
  flood(attacker, repeated(h2::reset(1), 1'000), 10);
  expect_calmed(attacker, "resets_received");
}

// What clients do in their ordinary life is not a flood.
TEST_F(H2Attack, OrdinaryClientsAreNotTakenForFloods) {
  H2Client client(proxy_.port(), {.connection_window = 65'535});
  for (std::uint32_t stream = 1; stream < 600; stream += 2) {
    client.send(h2::frame(h2::kPriority, h2::kNone, stream, h2::number(0) + "\x10"));
    EXPECT_EQ(client.ask(stream, h2::post(stream, kTarget, "{}")).status, 200);
    client.send(h2::window_update(0, 2));
  }
  EXPECT_TRUE(client.settle());
  EXPECT_TRUE(client.goaways().empty());
}

TEST_F(H2Attack, GarbageBehindThePrefaceEndsTheConnection) {
  RawClient attacker(proxy_.port());
  attacker.send(std::string{h2::kPreface.substr(0, 18)} + "XX\r\n\r\n");
  EXPECT_NE(attacker.receive().end, Answer::End::timeout);
  RawClient noisy(proxy_.port());
  noisy.send(std::string{h2::kPreface} + noise(100'000));
  EXPECT_NE(noisy.receive().end, Answer::End::timeout);
  expect_service();
}

}  // namespace
}  // namespace understudy::testing_support

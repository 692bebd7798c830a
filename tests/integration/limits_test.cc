// Every limit that a client or an upstream can meet is a key of the config: set small and exceeded,
// it holds, and it is counted. What floods of HTTP/2 frames meet is in h2_attack_test.cc, what slow
// bodies and readers meet in failure_test.cc and h2_relay_test.cc, what copies meet in
// shadow_bounds_test.cc.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/certificates.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_client.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/tls_client.h"

namespace understudy::testing_support {
namespace {

class Limits : public testing::Test {
 protected:
  ProxySetup with(const std::string& limits) const {
    return {.primary_port = primary_->port(), .top = "limits: {" + limits + "}\n"};
  }
  void start(const std::string& limits) { proxy_ = std::make_unique<ProxyUnderTest>(with(limits)); }

  Answer ask(const std::string& request) const { return RawClient(proxy_->port()).ask(request); }
  testing::AssertionResult counted(const std::string& limit, double times = 1) const {
    return proxy_->wait_for("refused_total", {{"limit", limit}}, times);
  }
  double count_of(const std::string& limit) const {
    return proxy_->value("refused_total", {{"limit", limit}});
  }

  std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies("{}");
  std::unique_ptr<ProxyUnderTest> proxy_;
};

// --- Of a request

struct RequestLimit {
  std::string key, value;
  int status;
  // What exceeds it, beside an ordinary request.
  std::string target = "/model/anthropic.claude-a/converse";
  std::string body = "{}";
  h2::Fields fields{};
};

h2::Fields many_fields(int count) {
  h2::Fields fields;
  for (int i = 0; i < count; ++i) fields.emplace_back("x-" + std::to_string(i), "1");
  return fields;
}

std::string as_lines(const h2::Fields& fields) {
  std::string lines;
  for (const auto& [name, value] : fields) lines += name + ": " + value + "\r\n";
  return lines;
}

class RequestLimits : public Limits, public testing::WithParamInterface<RequestLimit> {};

INSTANTIATE_TEST_SUITE_P(Of, RequestLimits,
                         testing::Values(RequestLimit{.key = "max_header_bytes",
                                                      .value = "2KiB",
                                                      .status = 431,
                                                      .fields = {{"x", std::string(3'000, 'a')}}},
                                         RequestLimit{.key = "max_header_fields",
                                                      .value = "10",
                                                      .status = 431,
                                                      .fields = many_fields(20)},
                                         RequestLimit{.key = "max_target_bytes",
                                                      .value = "256B",
                                                      .status = 414,
                                                      .target = "/model/" + std::string(300, 'a') +
                                                                "/converse"},
                                         RequestLimit{.key = "max_body_bytes",
                                                      .value = "1KiB",
                                                      .status = 413,
                                                      .body = std::string(1'025, ' ')}),
                         [](const auto& row) { return row.param.key; });

TEST_P(RequestLimits, AreAnsweredAndCountedByEveryProtocol) {
  const RequestLimit& limit = GetParam();
  start(limit.key + ": " + limit.value);
  const Answer got = ask(post(limit.target, limit.body, as_lines(limit.fields)));
  EXPECT_EQ(got.status, limit.status);
  EXPECT_EQ(got.field("x-understudy-error"), limit.key);
  EXPECT_TRUE(counted(limit.key, 1));

  H2Client client(proxy_->port());
  EXPECT_EQ(client.ask(1, h2::post(1, limit.target, limit.body, limit.fields)).status,
            limit.status);
  EXPECT_EQ(client.answer(1).field("x-understudy-error"), limit.key);
  EXPECT_TRUE(counted(limit.key, 2));

  EXPECT_EQ(primary_->count(), 0U);
  EXPECT_EQ(ask(converse("hi")).status, 200);
  EXPECT_EQ(client.ask(3, h2::converse(3, "hi")).status, 200);
  EXPECT_EQ(count_of(limit.key), 2) << "and what keeps to it is not counted";
}

TEST_F(Limits, ABodyInChunksMeetsTheLimitOfBodiesWhereAChunkSaysSoAndWhereTheyAddUp) {
  start("max_body_bytes: 1KiB");
  const std::string head =
      "POST /model/m/converse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(ask(head + "401\r\n").status, 413);
  const std::string half = as_chunk(std::string(600, ' '));
  EXPECT_EQ(ask(head + half + half).status, 413);
  EXPECT_TRUE(counted("max_body_bytes", 2));
  EXPECT_EQ(primary_->count(), 0U);
  EXPECT_EQ(ask(head + as_chunk(std::string(1'024, ' ')) + "0\r\n\r\n").status, 200);
}

TEST_F(Limits, ABodyOfMoreFramingThanDataIsCounted) {
  start("max_chunk_overhead_bytes: 1KiB");
  const std::string head =
      "POST /model/m/converse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string body = converse_body("hi");
  const auto with_extension = [&](std::size_t size) {
    std::string chunk = as_chunk(body);
    return head + chunk.insert(chunk.find('\r'), ";" + std::string(size, 'x')) + "0\r\n\r\n";
  };
  EXPECT_EQ(ask(with_extension(900)).status, 200);
  EXPECT_EQ(count_of("max_chunk_overhead_bytes"), 0);
  EXPECT_EQ(ask(with_extension(1'100)).status, 400);
  EXPECT_TRUE(counted("max_chunk_overhead_bytes"));
  EXPECT_EQ(primary_->count(), 1U);
}

// --- Of a connection

TEST_F(Limits, AHeadThatDoesNotEndInTimeEndsItsConnection) {
  start("header_timeout: 1s");
  RawClient client(proxy_->port());
  EXPECT_EQ(client.ask(converse("hi")).status, 200);
  client.send("POST /model/");
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(counted("header_timeout"));
  EXPECT_EQ(count_of("keep_alive_timeout"), 0);
}

TEST_F(Limits, AConnectionIsKeptForTheNextRequestOnlySoLong) {
  start("keep_alive_timeout: 1s");
  RawClient silent(proxy_->port()), answered(proxy_->port());
  EXPECT_EQ(answered.ask(converse("hi")).status, 200);
  EXPECT_TRUE(answered.at_end());
  EXPECT_TRUE(silent.at_end());
  EXPECT_TRUE(counted("keep_alive_timeout", 2));
  EXPECT_EQ(count_of("header_timeout"), 0);
}

TEST_F(Limits, AConnectionThatItsClientClosesIsNoneThatWasKeptForTooLong) {
  start("keep_alive_timeout: 1h");
  RawClient client(proxy_->port());
  EXPECT_EQ(client.ask(converse("hi")).status, 200);
  client.close();
  EXPECT_TRUE(eventually([&] { return proxy_->server().load().connections == 0; }));
  EXPECT_EQ(proxy_->value("refused_total"), 0);
}

TEST_F(Limits, AnHttp2ConnectionIsKeptForTheNextStreamOnlySoLong) {
  start("http2: {keep_alive_timeout: 1s}");
  H2Client client(proxy_->port());
  EXPECT_EQ(client.ask(1, h2::converse(1, "hi")).status, 200);
  EXPECT_EQ(client.until_end(), "closed");
  EXPECT_EQ(client.goaway_error(), h2::kNoError);
  EXPECT_TRUE(counted("keep_alive_timeout"));
}

TEST_F(Limits, ConnectionsBeyondTheirNumberAreClosedUntilOneHasEnded) {
  start("max_connections: 2");
  RawClient first(proxy_->port()), second(proxy_->port());
  EXPECT_EQ(first.ask(converse("hi")).status, 200);
  EXPECT_EQ(second.ask(converse("hi")).status, 200);
  RawClient third(proxy_->port());
  EXPECT_TRUE(third.at_end());
  EXPECT_TRUE(counted("max_connections"));
  EXPECT_EQ(first.ask(converse("hi")).status, 200) << "who is there stays";
  first.close();
  EXPECT_TRUE(eventually([&] { return ask(converse("hi")).status == 200; }));
}

// A9: whoever lets us answer and does not read the answers. Its PINGs are fewer than their own
// limit.
TEST_F(Limits, PendingAcksThatAClientDoesNotReadEndItsConnection) {
  primary_ = FakeBedrock::replies(noise(16u << 20));
  start("http2: {max_pending_acks: 10, pings: {burst: 1000000, per_second: 1000000}}");
  H2Client attacker(proxy_->port(), {.receive_buffer_bytes = 4'096});
  attacker.send(h2::post(1, "/model/m/invoke", "{}"));
  std::string pings;
  for (int i = 0; i < 20; ++i) pings += h2::ping();
  // Once no more of the answer finds room, no answer to a PING does.
  EXPECT_TRUE(eventually([&] {
    attacker.send(pings);
    return count_of("max_pending_acks") == 1;
  }));
  EXPECT_NE(attacker.until_end(), "timeout");
  EXPECT_EQ(attacker.goaway_error(), h2::kEnhanceYourCalm);
  EXPECT_EQ(count_of("pings"), 0);
}

// What comes in one piece is read before anything is sent.
TEST_F(Limits, PendingAcksAreAsManyAsTheKeySays) {
  std::string pings;
  for (int i = 0; i < 20; ++i) pings += h2::ping();
  start("http2: {max_pending_acks: 30}");
  H2Client ordinary(proxy_->port());
  ASSERT_TRUE(ordinary.settle());
  ordinary.send(pings);
  EXPECT_TRUE(ordinary.settle());
  EXPECT_EQ(count_of("max_pending_acks"), 0);

  start("http2: {max_pending_acks: 10}");
  H2Client attacker(proxy_->port());
  ASSERT_TRUE(attacker.settle());
  attacker.send(pings);
  EXPECT_FALSE(attacker.settle());
  EXPECT_EQ(attacker.goaway_error(), h2::kEnhanceYourCalm);
  EXPECT_TRUE(counted("max_pending_acks"));
}

TEST_F(Limits, TlsSessionsBeyondTheirNumberAreForgottenTheOldestFirst) {
  const ScratchDirectory files;
  const Identity own = make_identity({});
  ProxySetup setup = with("max_tls_sessions: 1");
  setup.listener_more = ", tls: {certificate: " + files.write("own.crt", certificate_pem(own)) +
                        ", key: " + files.write("own.key", key_pem(own)) + "}";
  proxy_ = std::make_unique<ProxyUnderTest>(setup);
  const TlsClientOptions by_id{.max_version = TLS1_2_VERSION, .tickets = false};
  const auto session = [&] {
    RawClient client(proxy_->port(), by_id);
    EXPECT_EQ(client.ask(converse("hi")).status, 200) << client.tls().problem();
    return client.tls().session();
  };
  const auto resumes = [&](const auto& kept) {
    TlsClientOptions again = by_id;
    again.session = kept.get();
    RawClient client(proxy_->port(), again);
    EXPECT_EQ(client.ask(converse("hi")).status, 200) << client.tls().problem();
    return client.tls().resumed();
  };
  const auto first = session();
  EXPECT_TRUE(resumes(first));
  const auto second = session();
  EXPECT_TRUE(resumes(second));
  EXPECT_FALSE(resumes(first));
  EXPECT_TRUE(proxy_->wait_for("tls_handshakes_total", {{"result", "full"}}, 3));
  EXPECT_TRUE(proxy_->wait_for("tls_handshakes_total", {{"result", "resumed"}}, 2));
}

// --- Of an upstream

TEST_F(Limits, AnUpstreamsHeadBeyondItsSizeIsAnErrorAndCounted) {
  primary_ =
      FakeBedrock::sends(answer("{}", "200 OK", "x-large: " + std::string(3'000, 'a') + "\r\n"));
  start("max_response_header_bytes: 2KiB");
  const Answer got = ask(converse("hi"));
  EXPECT_EQ(got.status, 502);
  EXPECT_EQ(got.field("x-understudy-error"), "too_large");
  EXPECT_TRUE(counted("max_response_header_bytes"));

  ASSERT_TRUE(proxy_->apply(with("max_response_header_bytes: 4KiB")));
  EXPECT_EQ(ask(converse("hi")).status, 200);
  EXPECT_EQ(count_of("max_response_header_bytes"), 1);
}

// In one chunk, behind so much of an extension.
std::string chunked_answer(const std::string& body, std::size_t extension) {
  std::string chunk = as_chunk(body);
  chunk.insert(chunk.find('\r'), ";" + std::string(extension, 'x'));
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: "
         "chunked\r\n\r\n" +
         chunk + "0\r\n\r\n";
}

TEST_F(Limits, AnAnswerOfMoreFramingThanDataIsAnErrorAndCounted) {
  primary_ = FakeBedrock::sends(chunked_answer("{}", 3'000));
  start("max_chunk_overhead_bytes: 2KiB");
  const Answer got = ask(converse("hi"));
  EXPECT_EQ(got.status, 502);
  EXPECT_EQ(got.field("x-understudy-error"), "too_large");
  EXPECT_TRUE(counted("max_chunk_overhead_bytes"));

  ASSERT_TRUE(proxy_->apply(with("max_chunk_overhead_bytes: 4KiB")));
  EXPECT_EQ(ask(converse("hi")).body, "{}");
  EXPECT_EQ(count_of("max_chunk_overhead_bytes"), 1);
}

TEST_F(Limits, OfFramingAreTheCandidatesAsWellAndNoFaultOfIts) {
  primary_ = FakeBedrock::replies(converse_answer("hello"));
  const auto candidate = FakeBedrock::sends(chunked_answer(converse_answer("hello"), 100'000));
  ProxySetup wide = with("max_chunk_overhead_bytes: 1MiB");
  wide.candidate_port = candidate->port();
  proxy_ = std::make_unique<ProxyUnderTest>(wide);
  EXPECT_EQ(ask(converse("hi")).status, 200);
  EXPECT_TRUE(proxy_->books_balance(1));
  EXPECT_EQ(proxy_->counts().compared, 1U) << proxy_->books();

  ProxySetup narrow = with("max_chunk_overhead_bytes: 64KiB");
  narrow.candidate_port = candidate->port();
  ASSERT_TRUE(proxy_->apply(narrow));
  EXPECT_EQ(ask(converse("hi")).status, 200);
  EXPECT_TRUE(proxy_->books_balance(2));
  EXPECT_EQ(proxy_->counts().failed["too_large"], 1U) << proxy_->books();
}

// Two upstreams, of which the one that was asked first keeps its connection for longer.
TEST_F(Limits, AnUpstreamsConnectionIsKeptAsLongAsItsOwnKeySays) {
  auto lasting = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary_->port(),
                                  .candidate_port = lasting->port(),
                                  .shadow = "percent: 0",
                                  .primary_more = ", pool_idle_timeout: 100ms",
                                  .candidate_more = ", pool_idle_timeout: 1h",
                                  .match = "models: [\"short.*\"]",
                                  .top = "default_route: {upstream: candidate}\n"});
  RawClient client(proxy.port());
  EXPECT_EQ(client.ask(post("/model/lasting.a/converse", "{}")).status, 200);
  EXPECT_EQ(client.ask(post("/model/short.a/converse", "{}")).status, 200);
  ASSERT_EQ(primary_->connections(), 1U);
  EXPECT_TRUE(primary_->wait_for_open_connections(0));
  EXPECT_EQ(lasting->open_connections(), 1U);
}

TEST_F(Limits, AnUpstreamsIdleConnectionsAreKeptUpToTheirNumber) {
  Gate gate;
  primary_ = std::make_unique<FakeBedrock>([&](const FakeRequest&, FakePeer& peer) {
    gate.wait();
    peer.send(answer("{}"));
  });
  // One thread: each keeps its own.
  std::string config =
      ProxySetup{.primary_port = primary_->port(),
                 .primary_more = ", max_idle_connections: 1, pool_idle_timeout: 1h"}
          .text();
  config.replace(config.find("io: 2"), 5, "io: 1");
  ProxyUnderTest proxy(config);
  RawClient clients[]{RawClient(proxy.port()), RawClient(proxy.port()), RawClient(proxy.port())};
  for (RawClient& client : clients) client.send(converse("hi"));
  ASSERT_TRUE(primary_->wait_for_requests(3));
  EXPECT_EQ(primary_->open_connections(), 3U);
  gate.open();
  for (RawClient& client : clients) EXPECT_EQ(client.receive().status, 200);
  EXPECT_TRUE(primary_->wait_for_open_connections(1));
  EXPECT_EQ(clients[0].ask(converse("hi")).status, 200);
  EXPECT_EQ(primary_->connections(), 3U) << "the one that was kept is used";
}

TEST_F(Limits, AnUpstreamThatMayKeepNoConnectionGetsANewOneForEachRequest) {
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary_->port(), .primary_more = ", max_idle_connections: 0"});
  RawClient client(proxy.port());
  for (std::size_t turn = 1; turn <= 3; ++turn) {
    EXPECT_EQ(client.ask(converse("hi")).status, 200);
    EXPECT_EQ(primary_->connections(), turn);
  }
  EXPECT_TRUE(primary_->wait_for_open_connections(0));
}

}  // namespace
}  // namespace understudy::testing_support

// InvokeModelWithBidirectionalStream: events flow both ways before either side has ended, signed
// anew on their way to the upstream, and whatever ends one direction ends the other truthfully.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

#include "metrics/event_stream.h"
#include "proxy/digest.h"
#include "proxy/event_signing.h"
#include "proxy/sigv4.h"
#include "tests/simulator/authentication.h"
#include "tests/simulator/simulator.h"
#include "tests/support/certificates.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_client.h"
#include "tests/support/h2_upstream.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"

namespace understudy::testing_support {
namespace {

using proxy::EventChain;
using std::chrono::system_clock;
using testing::HasSubstr;

const std::string kTarget = "/model/amazon.nova-2-sonic-v1%3A0/invoke-with-bidirectional-stream";
const std::string kProxyKeys =
    "source: static, access_key_id: AKIDPROXY, secret_access_key: the-proxys-secret";

EventChain::Milliseconds now() {
  return std::chrono::floor<std::chrono::milliseconds>(system_clock::now());
}

std::string hex_of(std::string_view authorization) {
  return std::string{authorization.substr(authorization.rfind('=') + 1)};
}

// A client's call: its head, and events that its own chain signs.
class Call {
 public:
  // How the head is signed: most SDKs name the kind of payload, the one for Rust signs an empty
  // body and does not say so.
  enum class Head { names_payload, as_if_empty };

  explicit Call(const std::string& secret = "the-clients-secret",
                const std::string& host = "localhost", Head kind = Head::names_payload) {
    proxy::Signer signer;
    const bool empty = kind == Head::as_if_empty;
    const std::string stamp = stamp_of(system_clock::now());
    std::vector<routing::Field> fields{{":authority", host}, {"x-amz-date", stamp}};
    if (!empty)
      fields.insert(fields.begin() + 1, {"x-amz-content-sha256", proxy::kStreamedPayload});
    const std::string names =
        empty ? ":authority;x-amz-date" : ":authority;x-amz-content-sha256;x-amz-date";
    const std::string payload =
        empty ? proxy::hex(signer.hash("")) : std::string{proxy::kStreamedPayload};
    const std::string signature = signer.signature_of({.method = "POST",
                                                       .target = kTarget,
                                                       .fields = fields,
                                                       .signed_names = names,
                                                       .payload_hash = payload,
                                                       .stamp = stamp,
                                                       .region = "us-east-1",
                                                       .service = "bedrock"},
                                                      proxy::Secret(secret));
    fields_ = {{"content-type", "application/vnd.amazon.eventstream"},
               {"x-amz-date", stamp},
               {"amz-sdk-invocation-id", "one-call"},
               {"authorization", "AWS4-HMAC-SHA256 Credential=AKIDCLIENT/" + stamp.substr(0, 8) +
                                     "/us-east-1/bedrock/aws4_request, SignedHeaders=" + names +
                                     ", Signature=" + signature}};
    if (!empty) fields_.emplace_back("x-amz-content-sha256", payload);
    chain_.emplace(proxy::EventChainSeed{.secret = proxy::Secret(secret),
                                         .region = "us-east-1",
                                         .service = "bedrock",
                                         .signature = signature});
  }

  std::string head() const { return h2::headers(1, h2::post_fields(kTarget, fields_), false); }
  std::string frame(std::string_view event) { return proxy::signed_frame(*chain_, now(), event); }
  std::string event(std::string_view event) { return h2::data(1, frame(event), false); }
  std::string end() { return h2::data(1, frame(""), true); }

 private:
  static std::string stamp_of(system_clock::time_point at) {
    const std::time_t seconds = system_clock::to_time_t(at);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    char text[17];
    return {text, std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc)};
  }

  h2::Fields fields_;
  std::optional<EventChain> chain_;
};

// The upstream's view of a body: every frame signed by the proxy, and the events in them.
struct Received {
  std::vector<std::string> events;
  std::string problem;
};
Received read_signed(const H2Upstream& upstream, std::string_view body) {
  const std::string authorization = upstream.field("authorization");
  proxy::EventResigner check(EventChain({.secret = proxy::Secret("the-proxys-secret"),
                                         .region = "us-east-1",
                                         .service = "bedrock",
                                         .signature = hex_of(authorization)}),
                             std::nullopt);
  Received received;
  std::string frames;
  const auto status = check.take(body, now(), frames);
  if (!status) received.problem = status.error().context;
  for (std::string_view left = frames; !left.empty();) {
    const auto decoded = metrics::decode_frame(left);
    received.events.emplace_back(decoded.frame.payload);
    left.remove_prefix(decoded.frame.size);
  }
  return received;
}

class Bidirectional : public testing::Test {
 protected:
  // A size that a frame with that event has on the wire.
  static std::size_t framed(std::string_view event) { return 83 + event.size(); }

  ProxySetup setup(const std::string& listener_more = "") const {
    return {.primary_port = upstream_.port(),
            .primary_credentials = kProxyKeys,
            .listener_more = listener_more};
  }

  H2Upstream upstream_;
};

TEST_F(Bidirectional, EventsFlowBothWaysBeforeEitherSideEnds) {
  ProxyUnderTest proxy(setup());
  H2Client client(proxy.port());
  Call call;
  client.send(call.head());
  upstream_.accept();
  upstream_.answer({{"x-amzn-requestid", "7"}});
  EXPECT_EQ(client.receive_bytes(1, 0).end, H2Answer::End::none);

  client.send(call.event("first"));
  EXPECT_THAT(read_signed(upstream_, upstream_.read_body(framed("first"))).events,
              testing::ElementsAre("first"));
  upstream_.send_data("echo of the first");
  EXPECT_EQ(client.receive_bytes(1, 17).body, "echo of the first");
  EXPECT_EQ(client.answer(1).status, 200);
  EXPECT_EQ(client.answer(1).field("x-amzn-requestid"), "7");
  EXPECT_EQ(client.answer(1).field("x-understudy-route"), "route");
  EXPECT_FALSE(upstream_.ended());

  client.send(call.event("second") + call.end());
  upstream_.read_to_end();
  EXPECT_TRUE(upstream_.ended());
  upstream_.send_data("and of the second", true);
  EXPECT_TRUE(client.receive(1).whole());
  EXPECT_EQ(client.answer(1).body, "echo of the firstand of the second");
  EXPECT_FALSE(client.answer(1).reset);

  const auto received = read_signed(upstream_, upstream_.read_body(0));
  EXPECT_EQ(received.problem, "");
  EXPECT_THAT(received.events, testing::ElementsAre("first", "second", ""));
  EXPECT_TRUE(proxy.wait_for("requests_total",
                             {{"code", "200"},
                              {"variant", "primary"},
                              {"operation", "invoke_model_with_bidirectional_stream"}},
                             1));
}

TEST_F(Bidirectional, TheUpstreamSeesTheProxysSignatureAndNothingOfTheClients) {
  ProxyUnderTest proxy(setup());
  H2Client client(proxy.port());
  Call call;
  client.send(call.head() + call.event("first"));
  const h2::Fields& head = upstream_.accept();
  simulator::Request request{.method = "POST", .target = kTarget, .headers = {}, .body = {}};
  for (const auto& [name, value] : head) {
    EXPECT_THAT(value, testing::Not(HasSubstr("AKIDCLIENT"))) << name;
    request.headers.emplace_back(name == ":authority" ? "host" : name, value);
  }
  simulator::Auth auth{.mode = simulator::AuthMode::sigv4};
  auth.keys.push_back({.id = "AKIDPROXY", .secret = "the-proxys-secret"});
  const auto problem =
      simulator::authenticate(auth, request, proxy::kStreamedPayload, system_clock::now());
  EXPECT_FALSE(problem) << problem->message;
  EXPECT_EQ(upstream_.field(":path"), kTarget);
  EXPECT_EQ(upstream_.field(":authority"), "127.0.0.1:" + std::to_string(upstream_.port()));
  EXPECT_EQ(upstream_.field("content-type"), "application/vnd.amazon.eventstream");
  EXPECT_EQ(upstream_.field("amz-sdk-invocation-id"), "one-call");
  EXPECT_EQ(upstream_.field("content-length"), "");
}

TEST_F(Bidirectional, AClientThatLeavesTakesItsRequestBack) {
  ProxyUnderTest proxy(setup());
  H2Client client(proxy.port());
  Call call;
  client.send(call.head() + call.event("first"));
  upstream_.accept();
  upstream_.answer();
  upstream_.read_body(framed("first"));
  client.send(h2::reset(1));
  upstream_.read_to_end();
  EXPECT_EQ(upstream_.reset(), h2::kCancel);
  EXPECT_FALSE(upstream_.ended());
  EXPECT_TRUE(client.settle()) << "the connection serves others";
  EXPECT_TRUE(proxy.wait_for("requests_total", {{"variant", "primary"}}, 1));
  EXPECT_EQ(proxy.value("broken_answers_total"), 0.0) << "whoever leaves breaks off by himself";
}

TEST_F(Bidirectional, AClientThatVanishesDoesSoToo) {
  ProxyUnderTest proxy(setup());
  std::optional<H2Client> client(proxy.port());
  Call call;
  client->send(call.head() + call.event("first"));
  upstream_.accept();
  upstream_.read_body(framed("first"));
  client.reset();
  upstream_.read_to_end();
  EXPECT_EQ(upstream_.reset(), h2::kCancel);
  EXPECT_TRUE(proxy.wait_for("requests_total", {{"variant", "primary"}}, 1));
}

TEST_F(Bidirectional, AnUpstreamThatBreaksOffIsACutForTheClient) {
  for (const bool by_reset : {true, false}) {
    H2Upstream upstream;
    ProxyUnderTest proxy(
        ProxySetup{.primary_port = upstream.port(), .primary_credentials = kProxyKeys});
    H2Client client(proxy.port());
    Call call;
    client.send(call.head() + call.event("first"));
    upstream.accept();
    upstream.answer();
    upstream.send_data("half");
    client.receive_bytes(1, 4);
    if (by_reset) {
      upstream.send(h2::reset(1, h2::kInternalError));
    } else {
      upstream.close();
    }
    EXPECT_EQ(client.receive(1).end, H2Answer::End::reset);
    EXPECT_EQ(client.answer(1).reset, h2::kInternalError);
    EXPECT_EQ(client.answer(1).body, "half");
    EXPECT_TRUE(proxy.wait_for("broken_answers_total", {{"variant", "primary"}}, 1));
  }
}

TEST_F(Bidirectional, AnUpstreamThatRefusesBeforeItAnswersIsAnError) {
  ProxyUnderTest proxy(setup());
  H2Client client(proxy.port());
  Call call;
  client.send(call.head());
  upstream_.accept();
  upstream_.close();
  EXPECT_EQ(client.receive(1).status, 502);
  EXPECT_EQ(client.answer(1).field("x-amzn-errortype"), "ServiceUnavailableException");
}

TEST_F(Bidirectional, AnAnswerMayEndBeforeItsRequest) {
  ProxyUnderTest proxy(setup());
  H2Client client(proxy.port());
  Call call;
  client.send(call.head() + call.event("first"));
  upstream_.accept();
  upstream_.answer();
  upstream_.send_data("enough", true);
  EXPECT_TRUE(client.receive(1).whole());
  EXPECT_EQ(client.answer(1).body, "enough");
}

// No more is on its way than the windows of both ends and what the proxy holds of one frame.
TEST_F(Bidirectional, ASlowUpstreamHoldsBackItsClient) {
  constexpr std::uint32_t kUpstreamWindow = 1'000;
  H2Upstream upstream(kUpstreamWindow);
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = upstream.port(), .primary_credentials = kProxyKeys});
  H2Client client(proxy.port());
  Call call;
  client.send(call.head());
  upstream.accept();
  ASSERT_TRUE(client.settle());
  const std::uint32_t window = client.settings().at(h2::kInitialWindow);
  const std::size_t updates_before = client.frames(h2::kWindowUpdate);
  // As much as the client may send without leave.
  std::size_t sent = 0;
  std::string expected;
  while (sent + 16'384 <= window) {
    const std::string frame = call.frame(noise(16'384 - 83));
    client.send(h2::data(1, frame, false));
    sent += frame.size();
  }
  upstream.read_body(kUpstreamWindow);
  ASSERT_TRUE(client.settle());
  EXPECT_EQ(upstream.read_body(kUpstreamWindow).size(), kUpstreamWindow);
  const std::size_t updates_while_held = client.frames(h2::kWindowUpdate);
  EXPECT_LE(updates_while_held - updates_before, 2u) << "of the connection, not of the stream";
  upstream.open_window(1u << 30);
  EXPECT_EQ(upstream.read_body(sent).size(), sent);
  EXPECT_EQ(read_signed(upstream, upstream.read_body(sent)).problem, "");
  ASSERT_TRUE(eventually([&] {
    return client.settle() && client.frames(h2::kWindowUpdate) > updates_while_held;
  })) << "the client may go on";
}

// A write that hangs is nothing to wait for, whether its client is still there or has just left.
TEST_F(Bidirectional, AnUpstreamThatTakesNothingDoesNotHoldUpTheEnd) {
  for (const bool client_leaves : {false, true}) {
    H2Upstream upstream;
    ProxyUnderTest proxy(
        ProxySetup{.primary_port = upstream.port(),
                   .primary_credentials = kProxyKeys,
                   .top = "limits: {http2: {pings: {burst: 1000000, per_second: 1000000}}}\n"});
    H2Client client(proxy.port());
    Call call;
    client.send(call.head());
    upstream.accept();
    ASSERT_TRUE(client.settle());
    const std::uint64_t window = client.settings().at(h2::kInitialWindow);
    std::uint64_t sent = 0;
    // Until the upstream's socket is full.
    for (int held = 0; held < 20;) {
      if (sent + 16'384 <= std::min(65'535 + client.opened(0), window + client.opened(1))) {
        client.send(h2::data(1, call.frame(noise(16'384 - 83)), false));
        sent += 16'384;
        held = 0;
      } else {
        ASSERT_TRUE(client.settle());
        ++held;
      }
    }
    EXPECT_GT(sent, window);
    if (client_leaves) client.close();
  }  // the proxy ends here
}

TEST_F(Bidirectional, EventsOfAStrangerAreNotPassedOn) {
  const ScratchDirectory files;
  ProxyUnderTest proxy(setup(", clients: {sigv4: {keys_file: " +
                             files.write("keys.txt", "AKIDCLIENT: the-clients-secret\n") + "}}"));
  H2Client stranger(proxy.port());
  Call false_head("a-guessed-secret");
  EXPECT_EQ(stranger.ask(1, false_head.head()).status, 403);
  EXPECT_EQ(stranger.answer(1).field("x-amzn-errortype"), "InvalidSignatureException");

  H2Client client(proxy.port());
  Call call;
  client.send(call.head() + call.event("first"));
  upstream_.accept();
  EXPECT_THAT(read_signed(upstream_, upstream_.read_body(framed("first"))).events,
              testing::ElementsAre("first"));
  Call other;  // whose events go on from another head
  client.send(other.event("injected"));
  EXPECT_EQ(client.receive(1).status, 403);
  upstream_.read_to_end();
  EXPECT_EQ(upstream_.reset(), h2::kCancel);
  EXPECT_EQ(upstream_.read_body(0).size(), framed("first"));
}

TEST_F(Bidirectional, AHeadMayBeSignedAsThatOfAnEmptyBody) {
  const ScratchDirectory files;
  ProxyUnderTest proxy(setup(", clients: {sigv4: {keys_file: " +
                             files.write("keys.txt", "AKIDCLIENT: the-clients-secret\n") + "}}"));
  H2Client stranger(proxy.port());
  Call false_head("a-guessed-secret", "localhost", Call::Head::as_if_empty);
  EXPECT_EQ(stranger.ask(1, false_head.head()).status, 403);

  H2Client client(proxy.port());
  Call call("the-clients-secret", "localhost", Call::Head::as_if_empty);
  client.send(call.head() + call.event("first"));
  upstream_.accept();
  const std::string passed = upstream_.read_body(framed("first"));
  EXPECT_THAT(read_signed(upstream_, passed).events, testing::ElementsAre("first"));
  Call other("the-clients-secret", "localhost", Call::Head::as_if_empty);
  client.send(other.event("injected"));
  EXPECT_EQ(client.receive(1).status, 403) << "the events are still held against the head";
}

TEST_F(Bidirectional, BrokenFramesAreTheClientsFault) {
  ProxyUnderTest proxy(setup());
  H2Client client(proxy.port());
  Call call;
  client.send(call.head() + h2::data(1, "this is no frame at all", false));
  EXPECT_EQ(client.receive(1).status, 400);
  EXPECT_EQ(client.answer(1).field("x-amzn-errortype"), "ValidationException");
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "event_stream"}}, 1));
}

TEST_F(Bidirectional, NeedsHttp2) {
  ProxyUnderTest proxy(setup());
  const Answer got = RawClient(proxy.port()).ask(post(kTarget, "{}"));
  EXPECT_EQ(got.status, 400);
  EXPECT_EQ(got.field("x-amzn-errortype"), "ValidationException");
  EXPECT_THAT(got.body, HasSubstr("needs HTTP/2"));
}

TEST_F(Bidirectional, CannotBeCalledWithAnApiKey) {
  for (const char* credentials :
       {"source: bearer, token: ABSKexampleexample", "source: forward_bearer"}) {
    ProxyUnderTest proxy(
        ProxySetup{.primary_port = upstream_.port(), .primary_credentials = credentials});
    H2Client client(proxy.port());
    Call call;
    EXPECT_EQ(client.ask(1, call.head()).status, 403) << credentials;
    EXPECT_EQ(client.answer(1).field("x-amzn-errortype"), "AccessDeniedException");
    EXPECT_THAT(client.answer(1).body, HasSubstr("needs AWS keys"));
  }
}

// Whatever the route's shares: only the primary is asked, nothing is drawn, and nothing stands in
// the books of copies, which are about what can be copied.
TEST_F(Bidirectional, IsNeverCopiedAndServedByThePrimaryAlone) {
  const auto candidate = FakeBedrock::replies(converse_answer("a copy"));
  ProxySetup all = setup();
  all.candidate_port = candidate->port();
  all.shadow = "percent: 100, control_percent: 100";
  all.canary = "percent: 100";
  ProxyUnderTest proxy(all);
  H2Client client(proxy.port());
  Call call;
  client.send(call.head() + call.event("first") + call.end());
  upstream_.accept();
  upstream_.answer();
  upstream_.read_to_end();
  upstream_.send_data("there", true);
  EXPECT_TRUE(client.receive(1).whole());
  EXPECT_EQ(client.answer(1).body, "there");
  EXPECT_EQ(client.answer(1).field("x-understudy-variant"), "primary");
  const std::string operation = "invoke_model_with_bidirectional_stream";
  EXPECT_TRUE(proxy.wait_for("requests_total",
                             {{"route", "route"},
                              {"operation", operation},
                              {"variant", "primary"},
                              {"leg", "served"},
                              {"code", "200"}},
                             1));
  EXPECT_EQ(proxy.value("requests_total", {{"operation", operation}}), 1) << "and no other leg";
  EXPECT_TRUE(proxy.books_balance(0)) << proxy.books();
  EXPECT_EQ(candidate->connections(), 0U);
}

TEST_F(Bidirectional, AnUpstreamsHeadBeyondItsSizeIsAnErrorAndCounted) {
  ProxySetup small = setup();
  small.top = "limits: {max_response_header_bytes: 2KiB}\n";
  ProxyUnderTest proxy(small);
  H2Client client(proxy.port());
  Call call;
  client.send(call.head());
  upstream_.accept();
  upstream_.answer({{"x-large", std::string(3'000, 'a')}});
  EXPECT_EQ(client.receive(1).status, 502);
  EXPECT_EQ(client.answer(1).field("x-understudy-error"), "too_large");
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "max_response_header_bytes"}}, 1));
}

// A quiet stream is no slow body: it ends by the upstream's stream_idle_timeout alone.
TEST_F(Bidirectional, AQuietStreamOutlivesTheLimitsOfBodies) {
  ProxySetup quiet = setup();
  quiet.top = "limits: {body_idle_timeout: 50ms, body_rate_grace: 50ms}\n";
  quiet.primary_more = ", stream_idle_timeout: 600ms";
  ProxyUnderTest proxy(quiet);
  H2Client client(proxy.port());
  Call call;
  const auto begun = std::chrono::steady_clock::now();
  client.send(call.head());
  upstream_.accept();
  EXPECT_EQ(client.receive(1).status, 504);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds{600});
  EXPECT_EQ(proxy.value("refused_total"), 0.0);
}

TEST(BidirectionalSimulator, EchoesEventsAsTheyComeAndChecksTheProxysSignature) {
  const auto bedrock = simulator::Simulator::start(
      "auth: {mode: sigv4, keys: [{access_key_id: AKIDPROXY, secret_access_key: "
      "the-proxys-secret}]}\n"
      "models: [{id: amazon.nova-2-sonic-v1:0, family: nova}]\n");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = bedrock->port(), .primary_credentials = kProxyKeys});
  H2Client client(proxy.port());
  Call call;
  client.send(call.head() + call.event("first"));
  EXPECT_EQ(client.receive_bytes(1, 5).body, "first");
  client.send(call.event(", second") + call.end());
  EXPECT_TRUE(client.receive(1).whole());
  EXPECT_EQ(client.answer(1).body, "first, second");
  EXPECT_TRUE(bedrock->wait_until([](const simulator::Counts& counts) {
    return counts.by_operation.contains("InvokeModelWithBidirectionalStream");
  }));
}

TEST(BidirectionalSimulator, RefusesAModelThatItHasNot) {
  const auto bedrock =
      simulator::Simulator::start("models: [{id: anthropic.claude-test, family: anthropic}]\n");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = bedrock->port(), .primary_credentials = kProxyKeys});
  H2Client client(proxy.port());
  Call call;
  client.send(call.head() + call.event("first") + call.end());
  EXPECT_EQ(client.receive(1).status, 400);
  EXPECT_THAT(client.answer(1).field("x-amzn-errortype"), HasSubstr("ValidationException"));
}

// Without the proxy: what an SDK that speaks HTTP/2 by itself gets.
TEST(SimulatorOverHttp2, AnswersAsItDoesOverHttp1) {
  const auto bedrock = simulator::Simulator::start(
      "models: [{id: anthropic.claude-test, family: anthropic, answer: {kind: text, tokens: "
      "5}}]\n");
  const std::string target = "/model/anthropic.claude-test/converse";
  RawClient old(bedrock->port());
  const Answer wanted = old.ask(post(target, converse_body("hi")));
  ASSERT_EQ(wanted.status, 200);
  H2Client client(bedrock->port());
  client.send(h2::post(1, target, converse_body("hi")) +
              h2::post(3, target + "-stream", converse_body("hi")));
  EXPECT_EQ(client.receive(1).status, 200);
  EXPECT_EQ(client.answer(1).field("content-type"), wanted.field("content-type"));
  EXPECT_TRUE(client.receive(3).whole());
  EXPECT_EQ(metrics::decode_frame(client.answer(3).body).status, metrics::FrameStatus::ok);
}

// The first proxy reaches the second by TLS, where ALPN chooses.
TEST_F(Bidirectional, SpeaksTlsWithAlpnToItsUpstream) {
  const ScratchDirectory files;
  const Identity authority = make_authority("an authority");
  const Identity own = make_identity(
      {.name = "localhost", .alternative_names = "DNS:localhost", .issuer = &authority});
  ProxyUnderTest inner(setup(", tls: {certificate: " + files.write("a.crt", certificate_pem(own)) +
                             ", key: " + files.write("a.key", key_pem(own)) + "}"));
  ProxySetup outer{.primary_credentials = kProxyKeys};
  std::string config = outer.text();
  const std::string plain = "http://127.0.0.1:0";
  config.replace(config.find(plain), plain.size(),
                 "https://localhost:" + std::to_string(inner.port()));
  const std::string region = "region: us-east-1";
  config.replace(config.find(region), region.size(),
                 region + ", ca_file: " + files.write("ca.pem", certificate_pem(authority)));
  ProxyUnderTest proxy(config);
  H2Client client(proxy.port());
  Call call;
  client.send(call.head() + call.event("first"));
  upstream_.accept();
  upstream_.answer();
  EXPECT_THAT(read_signed(upstream_, upstream_.read_body(framed("first"))).events,
              testing::ElementsAre("first"));
  upstream_.send_data("there", true);
  EXPECT_TRUE(client.receive(1).whole());
  EXPECT_EQ(client.answer(1).body, "there");
}

}  // namespace
}  // namespace understudy::testing_support

// Upstreams behind TLS, as Bedrock is. Another proxy with a TLS listener stands before the fake.

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "tests/support/certificates.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_client.h"
#include "tests/support/h2_frames.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/tls_client.h"

namespace understudy::testing_support {
namespace {

class TlsUpstream : public testing::Test {
 protected:
  void start(const FakeBedrock& upstream, const std::string& limits_of_front = "") {
    front_ = std::make_unique<ProxyUnderTest>(
        ProxySetup{.primary_port = upstream.port(),
                   .listener_more = ", tls: {certificate: " + certificate_ + ", key: " + key_ + "}",
                   .top = "limits: {" + limits_of_front + "}\n"});
    proxy_ = std::make_unique<ProxyUnderTest>(
        ProxySetup{.primary_more = trust_, .primary_endpoint = endpoint()});
  }
  void start_with_candidate(const FakeBedrock& upstream) {
    start(upstream);
    proxy_ = std::make_unique<ProxyUnderTest>(ProxySetup{.primary_more = trust_,
                                                         .candidate_more = trust_,
                                                         .primary_endpoint = endpoint(),
                                                         .candidate_endpoint = endpoint()});
  }
  std::string endpoint() const { return "https://127.0.0.1:" + std::to_string(front_->port()); }
  double handshakes() const { return front_->value("tls_handshakes_total", {{"result", "full"}}); }

  const ScratchDirectory files_;
  const Identity authority_ = make_authority("the test's authority");
  const Identity own_ = make_identity(
      {.name = "127.0.0.1", .alternative_names = "IP:127.0.0.1", .issuer = &authority_});
  const std::string trust_ = ", ca_file: " + files_.write("ca.pem", certificate_pem(authority_));
  const std::string certificate_ = files_.write("front.crt", certificate_pem(own_));
  const std::string key_ = files_.write("front.key", key_pem(own_));
  std::unique_ptr<ProxyUnderTest> front_, proxy_;
};

TEST_F(TlsUpstream, AnswersManyRequestsOnOneConnectionOfEachVariant) {
  const auto upstream = FakeBedrock::replies(converse_answer("hello"));
  start_with_candidate(*upstream);
  RawClient client(proxy_->port());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("hello"));
    EXPECT_TRUE(proxy_->books_balance(static_cast<std::uint64_t>(i) + 1));
  }
  EXPECT_EQ(proxy_->counts().compared, 10U) << proxy_->books();
  EXPECT_EQ(handshakes(), 2) << "one of the primary's, one of the candidate's";
}

TEST_F(TlsUpstream, CarriesLargeBodiesBothWays) {
  const std::string question = noise(20'000'000, 1), reply = noise(20'000'000, 2);
  FakeBedrock upstream([&](const FakeRequest& request, FakePeer& peer) {
    peer.send(answer(request.body == question ? reply : "another question"));
  });
  start(upstream);
  RawClient client(proxy_->port());
  const Answer got = client.ask(post("/model/amazon.primary-v1%3A0/invoke", question));
  EXPECT_EQ(got.end, Answer::End::complete);
  EXPECT_TRUE(got.body == reply) << got.body.size();
}

TEST_F(TlsUpstream, IsTrustedAsItsFileOfAuthoritiesSaidAtTheLastReload) {
  const auto upstream = FakeBedrock::replies(converse_answer("hello"));
  start(*upstream);
  const std::string config =
      ProxySetup{.primary_more = trust_, .primary_endpoint = endpoint()}.text();
  const auto status = [&] { return RawClient(proxy_->port()).ask(converse("hi")).status; };
  EXPECT_EQ(status(), 200);
  files_.write("ca.pem", certificate_pem(make_authority("another")));
  EXPECT_EQ(status(), 200) << "nobody has read it";
  ASSERT_TRUE(proxy_->apply(config));
  EXPECT_EQ(status(), 502);
  files_.write("ca.pem", certificate_pem(authority_));
  ASSERT_TRUE(proxy_->apply(config));
  EXPECT_EQ(status(), 200);
}

constexpr std::array<std::string_view, 3> kPieces = {"first", "second", "third"};

TEST_F(TlsUpstream, HasEachPieceOfAStreamPassedOnBeforeTheNextComes) {
  std::atomic<int> received{0};
  FakeBedrock upstream([&](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for (int i = 0; i < 3; ++i) {
      peer.send(as_chunk(kPieces[i]));
      EXPECT_TRUE(eventually([&] { return received > i; }));
    }
    peer.send("0\r\n\r\n");
  });
  start(upstream);
  RawClient client(proxy_->port());
  client.send(converse("hi"));
  for (const std::string_view piece : kPieces) {
    EXPECT_TRUE(client.receive_until(piece));
    ++received;
  }
  EXPECT_EQ(client.receive().body, "firstsecondthird");
}

TEST_F(TlsUpstream, EndsNoAnswerCleanlyThatWasCut) {
  FakeBedrock upstream([&](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + as_chunk("some"));
    peer.close();
  });
  start_with_candidate(upstream);
  RawClient client(proxy_->port());
  const Answer got = client.ask(converse("hi"));
  EXPECT_TRUE(got.end != Answer::End::complete || got.status == 502) << got.status;
  EXPECT_TRUE(proxy_->books_balance(1));
  EXPECT_EQ(proxy_->counts().skipped["primary_cut"], 1U) << proxy_->books();
}

TEST_F(TlsUpstream, ThatClosedItsIdleConnectionIsConnectedToAnew) {
  const auto upstream = FakeBedrock::replies(converse_answer("hello"));
  start(*upstream, "keep_alive_timeout: 100ms");
  RawClient client(proxy_->port());
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(client.ask(converse("hi")).status, 200);
    EXPECT_EQ(handshakes(), i);
    EXPECT_TRUE(eventually([&] { return front_->value("connections", {}) == 0; }));
  }
}

TEST_F(TlsUpstream, ThatDoesNotShakeHandsIsWaitedForAsLongAsAConnectMayTake) {
  const auto silent = FakeBedrock::never_replies();
  const std::string endpoint = "https://127.0.0.1:" + std::to_string(silent->port());
  ProxyUnderTest proxy(ProxySetup{.primary_more = trust_ + ", connect_timeout: 100ms",
                                  .primary_endpoint = endpoint});
  RawClient client(proxy.port());
  EXPECT_EQ(client.ask(converse("hi")).status, 502);
  EXPECT_TRUE(silent->wait_for_open_connections(0));
}

TEST_F(TlsUpstream, ThatDoesNotShakeHandsIsLeftWhenTheClientLeaves) {
  const auto silent = FakeBedrock::never_replies();
  const std::string endpoint = "https://127.0.0.1:" + std::to_string(silent->port());
  ProxyUnderTest proxy(
      ProxySetup{.primary_more = trust_ + ", connect_timeout: 10m", .primary_endpoint = endpoint});
  RawClient client(proxy.port());
  client.send(converse("hi"));
  EXPECT_TRUE(silent->wait_for_open_connections(1));
  client.close();
  EXPECT_TRUE(silent->wait_for_open_connections(0));
}

// Shakes hands with one client and agrees on no protocol, as servers do that know no ALPN.
class SpeaksNoAlpn {
 public:
  explicit SpeaksNoAlpn(const Identity& identity)
      : context_(SSL_CTX_new(TLS_server_method())), listener_(Socket::listen(port_)) {
    SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes as it likes
    thread_ = std::thread([this] { serve(); });
  }
  ~SpeaksNoAlpn() {
    listener_.shut_down();
    if (thread_.joinable()) thread_.join();
  }
  std::uint16_t port() const { return port_; }
  // What came in until the client left; none where they did not shake hands.
  std::optional<std::string> received() {
    thread_.join();
    return received_;
  }

 private:
  void serve() {
    Socket socket(::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.descriptor() < 0) return;
    socket.set_patience(kPatience);
    const std::unique_ptr<SSL, FreeTls> session(SSL_new(context_.get()));
    SSL_set_fd(session.get(), socket.descriptor());
    if (SSL_accept(session.get()) != 1) return;
    received_.emplace();
    std::array<char, 1024> buffer;
    std::size_t got = 0;
    while (SSL_read_ex(session.get(), buffer.data(), buffer.size(), &got) == 1)
      received_->append(buffer.data(), got);
  }

  const std::unique_ptr<SSL_CTX, FreeTls> context_;
  std::uint16_t port_ = 0;  // stands before the listener, which tells it
  Socket listener_;
  std::optional<std::string> received_;
  std::thread thread_;
};

TEST_F(TlsUpstream, WithoutHttp2ByAlpnIsNotSpokenToWhereACallNeedsIt) {
  SpeaksNoAlpn upstream(own_);
  ProxyUnderTest proxy(
      ProxySetup{.primary_more = trust_,
                 .primary_endpoint = "https://127.0.0.1:" + std::to_string(upstream.port())});
  H2Client client(proxy.port());
  testing::internal::CaptureStderr();
  client.send(h2::headers(
      1, h2::post_fields("/model/amazon.nova-2-sonic-v1%3A0/invoke-with-bidirectional-stream", {}),
      false));
  const H2Answer& got = client.receive(1);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(got.status, 502);
  EXPECT_EQ(got.field("x-amzn-errortype"), "ServiceUnavailableException");
  EXPECT_EQ(got.field("x-understudy-error"), "tls");
  EXPECT_EQ(upstream.received(), "");
  EXPECT_NE(log.find("no HTTP/2 there (ALPN)"), std::string::npos) << log;
}

}  // namespace
}  // namespace understudy::testing_support

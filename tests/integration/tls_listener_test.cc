// TLS on a listener, met by OpenSSL's own client over real sockets.

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "proxy/snapshot.h"
#include "routing/config_loader.h"
#include "tests/support/certificates.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_frames.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/tls_client.h"
#include "tests/support/tls_records.h"

namespace understudy::testing_support {
namespace {

using namespace std::chrono_literals;

class TlsListener : public testing::Test {
 protected:
  // Writes a pair of files and returns the YAML that names it.
  std::string pair(const std::string& stem, const Identity& identity) {
    return "certificate: " + files_.write(stem + ".crt", certificate_pem(identity)) +
           ", key: " + files_.write(stem + ".key", key_pem(identity));
  }
  ProxySetup setup(const std::string& tls, const std::string& limits = "") const {
    return {.primary_port = primary_->port(),
            .listener_more = ", tls: {" + tls + "}",
            .top = limits.empty() ? "" : "limits: {" + limits + "}\n"};
  }
  ProxySetup usual() { return setup(pair("proxy", own_)); }
  TlsClientOptions trusting() const { return {.authority = &authority_}; }

  // A session that the server will resume: TLS 1.3 sends it behind the handshake.
  std::unique_ptr<SSL_SESSION, FreeTls> session_of(std::uint16_t port, TlsClientOptions options) {
    RawClient client(port, options);
    EXPECT_EQ(client.tls().problem(), "");
    EXPECT_EQ(client.ask(converse("hi")).status, 200);
    return client.tls().session();
  }

  const ScratchDirectory files_;
  const Identity authority_ = make_authority("the test's authority");
  const Identity own_ = make_identity({.issuer = &authority_});
  const std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies(converse_answer("hello"));
};

TEST_F(TlsListener, ServesWhatAPlainOneServes) {
  ProxyUnderTest proxy(usual());
  RawClient client(proxy.port(), trusting());
  ASSERT_EQ(client.tls().problem(), "");
  EXPECT_EQ(client.tls().version(), "TLSv1.3");
  EXPECT_EQ(client.tls().protocol(), "http/1.1");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("hello"));
  EXPECT_TRUE(proxy.wait_for("tls_handshakes_total", {{"result", "full"}}, 1));
}

TEST_F(TlsListener, CarriesLargeBodiesBothWays) {
  const std::string up = noise(20u << 20), down = noise(9u << 20, 2);
  auto primary = FakeBedrock::sends(chunked_answer(down, 70'001));
  ProxySetup with = usual();
  with.primary_port = primary->port();
  ProxyUnderTest proxy(with);
  RawClient client(proxy.port(), trusting());
  const Answer got = client.ask(post("/model/m/invoke", up));
  EXPECT_EQ(got.end, Answer::End::complete);
  EXPECT_TRUE(got.body == down);
  EXPECT_TRUE(primary->request(0).body == up);
}

TEST_F(TlsListener, SpeaksTls12WithForwardSecrecyAlone) {
  ProxyUnderTest proxy(usual());
  auto options = trusting();
  options.max_version = TLS1_2_VERSION;
  RawClient client(proxy.port(), options);
  ASSERT_EQ(client.tls().problem(), "");
  EXPECT_EQ(client.tls().version(), "TLSv1.2");
  EXPECT_EQ(client.ask(converse("hi")).status, 200);
  for (const std::string weak :
       {"AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"}) {
    options.ciphers = weak;
    EXPECT_NE(TlsClient(proxy.port(), options).problem(), "") << weak;
  }
  EXPECT_TRUE(proxy.wait_for("tls_handshakes_total", {{"result", "cipher"}}, 4));
}

// Row A19 of the threat model.
TEST_F(TlsListener, A19RefusesOldVersions) {
  ProxyUnderTest proxy(usual());
  auto options = trusting();
  options.min_version = TLS1_VERSION;
  options.max_version = TLS1_1_VERSION;
  EXPECT_NE(TlsClient(proxy.port(), options).problem(), "");
  EXPECT_TRUE(proxy.wait_for("tls_handshakes_total", {{"result", "version"}}, 1));
}

TEST_F(TlsListener, A19TakesNoRenegotiation) {
  ProxyUnderTest proxy(usual());
  auto options = trusting();
  options.max_version = TLS1_2_VERSION;
  TlsClient client(proxy.port(), options);
  ASSERT_EQ(client.problem(), "");
  SSL_renegotiate(client.native());
  EXPECT_NE(SSL_do_handshake(client.native()), 1);
}

TEST_F(TlsListener, A19OffersNoEarlyData) {
  ProxyUnderTest proxy(usual());
  const auto session = session_of(proxy.port(), trusting());
  EXPECT_EQ(SSL_SESSION_get_max_early_data(session.get()), 0u);
}

// Whatever a handshake does beyond what it needs is paid by clients that connect for each request.
TEST_F(TlsListener, SendsOneTicketAndPrefersTheSuiteWhoseHashIsCheap) {
  ProxyUnderTest proxy(usual());
  RawClient client(proxy.port(), trusting());
  ASSERT_EQ(client.tls().problem(), "");
  int tickets = 0;
  SSL_set_msg_callback(client.tls().native(), [](int sent, int, int type, const void* bytes,
                                                 std::size_t size, SSL*, void* count) {
    const bool is_ticket = sent == 0 && type == SSL3_RT_HANDSHAKE && size > 0 &&
                           *static_cast<const unsigned char*>(bytes) == SSL3_MT_NEWSESSION_TICKET;
    if (is_ticket) ++*static_cast<int*>(count);
  });
  SSL_set_msg_callback_arg(client.tls().native(), &tickets);
  EXPECT_EQ(client.ask(converse("hi")).status, 200);
  EXPECT_EQ(tickets, 1);
  EXPECT_STREQ(SSL_get_cipher_name(client.tls().native()), "TLS_AES_128_GCM_SHA256");
}

TEST_F(TlsListener, ResumesByTicketOnEveryThread) {
  ProxySetup with = usual();
  ProxyUnderTest proxy(with);  // two io threads; the kernel chooses one for each connection
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto options = trusting();
    options.max_version = version;
    const auto session = session_of(proxy.port(), options);
    options.session = session.get();
    for (int i = 0; i < 16; ++i) {
      RawClient client(proxy.port(), options);
      ASSERT_EQ(client.tls().problem(), "");
      EXPECT_TRUE(client.tls().resumed()) << client.tls().version() << ", connection " << i;
      EXPECT_EQ(client.ask(converse("hi")).status, 200);
    }
  }
  EXPECT_TRUE(proxy.wait_for("tls_handshakes_total", {{"result", "resumed"}}, 32));
}

TEST_F(TlsListener, ResumesByIdWhereTheClientTakesNoTickets) {
  ProxyUnderTest proxy(usual());
  auto options = trusting();
  options.max_version = TLS1_2_VERSION;
  options.tickets = false;
  const auto session = session_of(proxy.port(), options);
  options.session = session.get();
  for (int i = 0; i < 16; ++i) {
    RawClient client(proxy.port(), options);
    EXPECT_TRUE(client.tls().resumed()) << "connection " << i;
    EXPECT_EQ(client.ask(converse("hi")).status, 200);
  }
}

TEST_F(TlsListener, ResumesSessionsOfBeforeAReload) {
  ProxySetup with = usual();
  ProxyUnderTest proxy(with);
  const auto session = session_of(proxy.port(), trusting());
  ASSERT_TRUE(proxy.apply(with));
  auto options = trusting();
  options.session = session.get();
  EXPECT_TRUE(TlsClient(proxy.port(), options).resumed());
}

TEST_F(TlsListener, ChoosesTheCertificateByTheNameAskedFor) {
  const auto named = [this](const std::string& name) {
    return make_identity({.name = name, .alternative_names = "DNS:" + name, .issuer = &authority_});
  };
  const Identity first = named("first.test"), second = named("second.test");
  const Identity wild = named("*.wild.test");
  ProxyUnderTest proxy(setup("certificates: [{" + pair("1", first) + "}, {" + pair("2", second) +
                             "}, {" + pair("3", wild) + "}]"));
  const auto served = [&](const std::string& asked) {
    TlsClient client(proxy.port(), {.name = asked});
    EXPECT_EQ(client.problem(), "") << asked;
    return client.server_name();
  };
  EXPECT_EQ(served("first.test"), "first.test");
  EXPECT_EQ(served("SECOND.test"), "second.test");
  EXPECT_EQ(served("a.wild.test"), "*.wild.test");
  EXPECT_EQ(served("a.b.wild.test"), "first.test") << "a star is one label";
  EXPECT_EQ(served("wild.test"), "first.test");
  EXPECT_EQ(served("other.test"), "first.test") << "the first is for all others";
  EXPECT_EQ(served(""), "first.test");
}

TEST_F(TlsListener, RefusesAClientThatOffersOnlyProtocolsWeDoNotSpeak) {
  ProxyUnderTest proxy(usual());
  auto options = trusting();
  options.protocols = {"spdy/1"};
  EXPECT_NE(TlsClient(proxy.port(), options).problem(), "");
  EXPECT_TRUE(proxy.wait_for("tls_handshakes_total", {{"result", "alpn"}}, 1));
  options.protocols = {"h2", "http/1.1"};
  EXPECT_EQ(TlsClient(proxy.port(), options).protocol(), "h2") << "the better of both";
  options.protocols = {};
  RawClient silent(proxy.port(), options);
  EXPECT_EQ(silent.ask(converse("hi")).status, 200) << "no ALPN is HTTP/1.1";
}

TEST_F(TlsListener, AsksForACertificateOfItsAuthority) {
  ProxyUnderTest proxy(setup(
      pair("proxy", own_) + ", client_ca: " + files_.write("ca.pem", certificate_pem(authority_))));
  const Identity known = make_identity({.name = "app", .issuer = &authority_});
  const Identity stranger = make_identity({.name = "app"});
  // In TLS 1.3 a client hears of a refusal after it took itself for connected.
  const auto status = [&](const Identity* identity) {
    auto options = trusting();
    options.identity = identity;
    RawClient client(proxy.port(), options);
    client.send(converse("hi"));
    return client.receive().status;
  };
  EXPECT_EQ(status(&known), 200);
  EXPECT_EQ(status(nullptr), 0);
  EXPECT_EQ(status(&stranger), 0);
  EXPECT_TRUE(proxy.wait_for("tls_handshakes_total", {{"result", "no_certificate"}}, 1));
  EXPECT_TRUE(proxy.wait_for("tls_handshakes_total", {{"result", "bad_certificate"}}, 1));
  EXPECT_EQ(primary_->count(), 1u);
}

// A session carries the certificate that was checked; it must not outlive the trust in its issuer.
TEST_F(TlsListener, ResumesNothingThatOtherAnchorsVouchedFor) {
  const Identity other = make_authority("another authority");
  const Identity app = make_identity({.name = "app", .issuer = &other});
  const std::string both = files_.write("ca.pem", certificate_pem(other));
  ProxySetup with = setup(pair("proxy", own_) + ", client_ca: " + both);
  ProxyUnderTest proxy(with);
  auto options = trusting();
  options.identity = &app;
  const auto session = session_of(proxy.port(), options);
  files_.write("ca.pem", certificate_pem(authority_));
  ASSERT_TRUE(proxy.apply(with));
  options.session = session.get();
  RawClient client(proxy.port(), options);
  EXPECT_FALSE(client.tls().resumed());
  client.send(converse("hi"));
  EXPECT_EQ(client.receive().status, 0);
}

TEST_F(TlsListener, ClosesAClientThatDoesNotShakeHands) {
  ProxyUnderTest proxy(setup(pair("proxy", own_), "tls_handshake_timeout: 100ms"));
  RawClient silent(proxy.port());
  EXPECT_TRUE(silent.at_end());
  EXPECT_TRUE(proxy.wait_for("tls_handshakes_total", {{"result", "timeout"}}, 1));
}

TEST_F(TlsListener, CountsWhatIsNoTls) {
  ProxyUnderTest proxy(usual());
  RawClient plain(proxy.port());
  plain.send(converse("hi"));
  EXPECT_EQ(plain.receive().status, 0);
  EXPECT_TRUE(proxy.wait_for("tls_handshakes_total", {{"result", "not_tls"}}, 1));
  RawClient probe(proxy.port());
  probe.close();
  EXPECT_TRUE(proxy.wait_for("tls_handshakes_total", {{"result", "closed"}}, 1));
  EXPECT_EQ(primary_->count(), 0u);
}

TEST_F(TlsListener, AnnouncesAnOrderlyEnd) {
  ProxySetup with = usual();
  with.top = "limits: {keep_alive_timeout: 100ms}\n";
  ProxyUnderTest proxy(with);
  const auto end_after = [&](const std::string& fields) {
    RawClient client(proxy.port(), trusting());
    EXPECT_EQ(client.ask(converse("hi", fields)).status, 200);
    std::string more;
    return client.tls().read(more);
  };
  EXPECT_EQ(end_after("connection: close\r\n"), Socket::Read::end);
  EXPECT_EQ(end_after(""), Socket::Read::end) << "idle for too long";
}

TEST_F(TlsListener, AnnouncesNoEndWhereTheAnswerWasCut) {
  // The upstream ends without the last chunk.
  FakeBedrock cutting([](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    peer.close();
  });
  ProxySetup with = usual();
  with.primary_port = cutting.port();
  ProxyUnderTest proxy(with);
  RawClient client(proxy.port(), trusting());
  client.send(converse("hi"));
  EXPECT_EQ(client.receive().end, Answer::End::reset);
}

TEST_F(TlsListener, GoesOnAfterAnIdleConnectionGaveItsBufferBack) {
  ProxyUnderTest proxy(usual());
  RawClient client(proxy.port(), trusting());
  EXPECT_EQ(client.ask(converse("one")).status, 200);
  std::this_thread::sleep_for(1'300ms);  // Connection keeps its buffer for a second
  const std::string request = converse("two");
  client.send(request.substr(0, 30));
  client.send(request.substr(30));
  EXPECT_EQ(client.receive().status, 200);
}

// Until the rest of it is there OpenSSL neither reads nor writes.
TEST_F(TlsListener, AnswersBehindAKeyUpdateInTwoRecordsAndForgetsTheConnection) {
  using Type = HandmadeRecords::Type;
  ProxyUnderTest proxy(usual());
  std::string secret, said;
  TlsClientOptions options = trusting();
  options.protocols = {"h2"};
  options.secret = &secret;
  TlsClient client(proxy.port(), options);
  ASSERT_EQ(client.protocol(), "h2") << client.problem();
  HandmadeRecords records(secret);
  const std::string begin = std::string{h2::kPreface} + h2::settings();
  const std::string ping = h2::frame(h2::kPing, h2::kNone, 0, "12345678");
  std::string bytes = records.next(Type::application, begin + ping);
  client.socket().write(bytes += records.next(Type::handshake, {"\x18\0\0\x01", 4}));
  // One of each thread, which deal with the above meanwhile.
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(RawClient(proxy.port(), trusting()).ask(converse("hi")).status, 200);
  client.socket().write(records.next(Type::handshake, {"\0", 1}));
  while (said.find("12345678") == std::string::npos)
    ASSERT_EQ(client.read(said), Socket::Read::data) << client.problem();
  client.socket().close();
  EXPECT_TRUE(eventually([&] { return proxy.value("connections", {}) == 0; }));
}

TEST_F(TlsListener, ABadPairKeepsTheOldOneAndSaysWhy) {
  ProxySetup with = usual();
  ProxyUnderTest proxy(with);
  const Identity stranger = make_identity({.issuer = &authority_});
  files_.write("proxy.key", key_pem(stranger));
  const auto loaded = routing::load_config_text(with.text(), "test.yaml");
  ASSERT_NE(loaded.config, nullptr);
  const auto refused = proxy::load_listeners(*loaded.config);
  ASSERT_EQ(refused.problems.size(), 1u);
  EXPECT_TRUE(refused.problems[0].starts_with("listeners[0].tls.key: ")) << refused.problems[0];
  EXPECT_NE(refused.problems[0].find("does not belong to"), std::string::npos);
  EXPECT_FALSE(proxy.apply(with));
  EXPECT_EQ(TlsClient(proxy.port(), trusting()).problem(), "");
}

TEST_F(TlsListener, TellsWhenItsCertificatesExpire) {
  ProxyUnderTest proxy(usual());
  const double in_a_day =
      static_cast<double>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())) +
      86'400;
  EXPECT_NEAR(proxy.value("certificate_expiry_timestamp_seconds", {{"file", "proxy.crt"}}),
              in_a_day, 600);
}

TEST_F(TlsListener, ANewCertificateUnderLoadDropsNothing) {
  ProxySetup with = usual();
  ProxyUnderTest proxy(with);
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0}, failed{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] {
      std::optional<RawClient> kept;
      while (!stop) {
        if (!kept || i % 2 == 0) kept.emplace(proxy.port(), trusting());  // half of them stay
        kept->tls().problem().empty() && kept->ask(converse("hi")).status == 200 ? ++answered
                                                                                 : ++failed;
      }
    });
  }
  for (int turn = 0; turn < 20; ++turn) {
    const Identity next =
        make_identity({.name = "turn " + std::to_string(turn), .issuer = &authority_});
    pair("proxy", next);
    EXPECT_TRUE(proxy.apply(with));
    TlsClient client(proxy.port(), trusting());
    EXPECT_EQ(client.server_name(), "turn " + std::to_string(turn));
  }
  stop = true;
  for (auto& client : clients) client.join();
  EXPECT_GT(answered, 0);
  EXPECT_EQ(failed, 0);
}

TEST_F(TlsListener, MayBecomePlainWhileRunningOnThePortThatItHas) {
  ProxyUnderTest proxy(usual());
  const std::uint16_t port = proxy.port();
  ASSERT_TRUE(proxy.apply(ProxySetup{.primary_port = primary_->port()}));
  EXPECT_EQ(RawClient(port).ask(converse("hi")).status, 200);
}

}  // namespace
}  // namespace understudy::testing_support

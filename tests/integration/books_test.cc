// The endings of a copy that need more than a script: names that do not resolve, certificates that
// prove nothing, answers that find no room to be read. The books balance in each.

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>

#include "tests/support/certificates.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/http_text.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"

namespace understudy::testing_support {
namespace {

constexpr const char* kAllWithoutBreaker =
    "percent: 100, breaker: {consecutive_failures: 1000000, min_requests: 1000000}";

// A model behind TLS with the certificate that it is given. One connection after the other, one
// answer each.
class TlsUpstream {
 public:
  explicit TlsUpstream(const Identity& identity) : listener_(Socket::listen(port_)) {
    ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to whoever has left
    SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
    thread_ = std::thread([this] {
      while (serve_one()) {
      }
    });
  }
  ~TlsUpstream() {
    listener_.shut_down();
    thread_.join();
  }
  TlsUpstream(const TlsUpstream&) = delete;
  TlsUpstream& operator=(const TlsUpstream&) = delete;

  std::string endpoint() const { return "https://127.0.0.1:" + std::to_string(port_); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* session) const { SSL_free(session); }
  };

  // False when there will be no further connection.
  bool serve_one() {
    Socket socket(::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.descriptor() < 0) return false;
    socket.set_patience(kPatience);
    const std::unique_ptr<SSL, Free> session(SSL_new(context_.get()));
    SSL_set_fd(session.get(), socket.descriptor());
    if (SSL_accept(session.get()) != 1) return true;
    std::string request;
    while (!is_whole(request)) {
      char chunk[4096];
      const int got = SSL_read(session.get(), chunk, sizeof chunk);
      if (got <= 0) return true;
      request.append(chunk, static_cast<std::size_t>(got));
    }
    const std::string reply =
        answer(converse_answer("behind TLS"), "200 OK", "connection: close\r\n");
    SSL_write(session.get(), reply.data(), static_cast<int>(reply.size()));
    SSL_shutdown(session.get());
    return true;
  }

  static bool is_whole(const std::string& request) {
    const std::size_t head_end = request.find("\r\n\r\n");
    return head_end != std::string::npos &&
           request.size() ==
               head_end + 4 + std::stoul(field_of(request, "content-length").value_or("0"));
  }

  std::uint16_t port_ = 0;  // stands before the listener, which tells it
  Socket listener_;
  const std::unique_ptr<SSL_CTX, Free> context_{SSL_CTX_new(TLS_server_method())};
  std::thread thread_;
};

class Books : public testing::Test {
 protected:
  void start(ProxySetup setup) {
    setup.primary_port = primary_->port();
    proxy_ = std::make_unique<ProxyUnderTest>(setup);
  }
  void ask(int times) {
    RawClient client(proxy_->port());
    for (int i = 0; i < times; ++i) {
      const Answer got = client.ask(converse("question " + std::to_string(i)));
      EXPECT_EQ(got.status, 200);
      EXPECT_EQ(got.body, primary_says_);
    }
  }

  std::string primary_says_ = converse_answer("the primary says this");
  std::unique_ptr<FakeBedrock> primary_ = std::make_unique<FakeBedrock>(
      [this](const FakeRequest&, FakePeer& peer) { peer.send(answer(primary_says_)); });
  std::unique_ptr<ProxyUnderTest> proxy_;
};

// RFC 6761 keeps .invalid out of the DNS for good, so this needs no network: whether a resolver
// says no or nobody answers within the connect time-out, the name has no address.
TEST_F(Books, CountACandidateWhoseNameHasNoAddress) {
  start({.shadow = std::string{kAllWithoutBreaker} + ", connect_timeout: 2s",
         .candidate_more = ", allow_plaintext: true",
         .candidate_endpoint = "http://candidate.understudy.invalid"});
  ask(20);
  EXPECT_TRUE(proxy_->books_balance(20));
  EXPECT_EQ(proxy_->counts().failed["resolve"], 20U) << proxy_->books();
}

// --- Certificates
// ---------------------------------------------------------------------------------------------------

const CertificateFacts kRight{.name = "127.0.0.1", .alternative_names = "IP:127.0.0.1"};

class Certificates : public Books {
 protected:
  // Copies go to a candidate with that certificate; the proxy trusts `authority_` for it.
  void start_with(const Identity& identity) {
    upstream_ = std::make_unique<TlsUpstream>(identity);
    start({.shadow = kAllWithoutBreaker,
           .candidate_more = ", ca_file: " + trusted_,
           .candidate_endpoint = upstream_->endpoint()});
  }
  void expect_refused(CertificateFacts facts, const Identity* issuer) {
    facts.issuer = issuer;
    start_with(make_identity(facts));
    ask(10);
    EXPECT_TRUE(proxy_->books_balance(10));
    EXPECT_EQ(proxy_->counts().failed["tls"], 10U) << proxy_->books();
    proxy_.reset();
  }

  const Identity authority_ = make_authority("the right authority");
  const ScratchDirectory directory_;
  const std::string trusted_ = directory_.write("ca.pem", certificate_pem(authority_));
  std::unique_ptr<TlsUpstream> upstream_;
};

TEST_F(Certificates, ThatAreRightLetPairsBeCompared) {
  CertificateFacts facts = kRight;
  facts.issuer = &authority_;
  start_with(make_identity(facts));
  ask(10);
  EXPECT_TRUE(proxy_->books_balance(10));
  EXPECT_EQ(proxy_->counts().compared, 10U) << proxy_->books();
  proxy_.reset();
}

TEST_F(Certificates, ThatAreWrongCostTheCandidateItsCopies) {
  CertificateFacts other_name = kRight;
  other_name.alternative_names = "DNS:candidate.test,IP:127.0.0.2";
  expect_refused(other_name, &authority_);
  CertificateFacts expired = kRight;
  expired.valid_from_day = -10;
  expired.valid_to_day = -1;
  expect_refused(expired, &authority_);
  const Identity impostor = make_authority("the right authority");
  expect_refused(kRight, &impostor);
  expect_refused(kRight, nullptr);  // signed by itself
}

// --- Room for the analysis
// ------------------------------------------------------------------------------------------

constexpr const char* kSmallAnalysis = "limits: {max_analysis_bytes: 1MiB}\n";

TEST_F(Books, CountACopyWhoseAnswerFindsNoRoomToBeRead) {
  auto candidate = FakeBedrock::replies(converse_answer(std::string(2u << 20, 'a')));
  start({.candidate_port = candidate->port(), .shadow = kAllWithoutBreaker, .top = kSmallAnalysis});
  ask(10);
  EXPECT_TRUE(proxy_->books_balance(10));
  EXPECT_EQ(proxy_->counts().dropped["analysis"], 10U) << proxy_->books();
  EXPECT_EQ(candidate->count(), 10U);
  EXPECT_EQ(proxy_->value("usage_missing_total", {{"leg", "shadow"}}), 10)
      << "what was not read is counted as unknown, not as nothing";
  proxy_.reset();
}

TEST_F(Books, CountACopyWhoseServedAnswerFoundNoRoomToBeRead) {
  primary_says_ = converse_answer(std::string(2u << 20, 'a'));
  auto candidate = FakeBedrock::replies(converse_answer("short"));
  start({.candidate_port = candidate->port(),
         .shadow = "percent: 100, control_percent: 100",
         .top = kSmallAnalysis});
  ask(10);
  EXPECT_TRUE(proxy_->books_balance(10));
  EXPECT_EQ(proxy_->counts().dropped["analysis"], 10U) << proxy_->books();
  EXPECT_TRUE(proxy_->wait_for("control_total", {{"reason", "analysis"}}, 10));
  EXPECT_EQ(proxy_->value("usage_missing_total", {{"leg", "served"}}), 10);
  proxy_.reset();
}

TEST_F(Books, CountEveryCopyThatAFullQueueTurnsAway) {
  auto candidate = FakeBedrock::replies(converse_answer("short"));
  start({.candidate_port = candidate->port(),
         .shadow = kAllWithoutBreaker,
         .top = "limits: {max_analysis_queue: 1}\n"});
  ask(500);
  EXPECT_TRUE(proxy_->books_balance(500));
  const auto counts = proxy_->counts();
  EXPECT_EQ(counts.compared + counts.dropped.at("analysis"), 500U) << proxy_->books();
  EXPECT_GT(counts.dropped.at("analysis"), 0U) << "one place, looked at every ten milliseconds";
  EXPECT_EQ(candidate->count(), 500U);
  proxy_.reset();
}

}  // namespace
}  // namespace understudy::testing_support

// Who may use a listener: keys, signatures and certificates, by HTTP/1.1 and HTTP/2. Rows A13 and
// A14 of the threat model are named.

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <optional>

#include "proxy/digest.h"
#include "proxy/sigv4.h"
#include "proxy/snapshot.h"
#include "routing/config_loader.h"
#include "tests/support/certificates.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_client.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/tls_client.h"

namespace understudy::testing_support {
namespace {

using proxy::Sha256;
using routing::Field;
using std::chrono::system_clock;
using namespace std::chrono_literals;

constexpr char kKey[] = "a-key-of-the-search-team";
constexpr char kSecret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

std::string hex(const Sha256& hash) {
  std::string text;
  for (const unsigned char byte : hash) {
    text.push_back("0123456789abcdef"[byte >> 4]);
    text.push_back("0123456789abcdef"[byte & 15]);
  }
  return text;
}

// A request as an SDK signs it: over the host and the path that it uses.
struct Signing {
  std::string key_id = "AKIDEXAMPLE", secret = kSecret;
  std::string target = "/model/anthropic.claude-a/converse";
  std::string body = converse_body("hi");
  std::string host = "proxy.test";
  system_clock::time_point now = system_clock::now();

  std::string request(const std::string& sent_target = "",
                      const std::string& sent_body = "") const {
    proxy::Signer signer;
    const std::array fields{Field{"host", host}, Field{"content-type", "application/json"}};
    std::string lines;
    signer.sign({.method = "POST",
                 .target = target,
                 .fields = fields,
                 .body_hash = signer.hash(body),
                 .now = now},
                {key_id, proxy::Secret(secret), proxy::Secret()}, "us-east-1", "bedrock", lines);
    return post(sent_target.empty() ? target : sent_target, sent_body.empty() ? body : sent_body,
                lines);
  }
};

class ClientAuth : public testing::Test {
 protected:
  ProxySetup setup(const std::string& clients, const std::string& more = "") const {
    return {.primary_port = primary_->port(),
            .listener_more = ", clients: {" + clients + "}" + more};
  }
  std::string api_keys(const std::string& text = std::string("search: ") + kKey + "\n") {
    return "api_keys_file: " + files_.write("keys.txt", text);
  }
  std::string sigv4_keys() {
    return "sigv4: {keys_file: " +
           files_.write("access-keys.txt", std::string("AKIDEXAMPLE: ") + kSecret + "\n") + "}";
  }
  std::string tls(const Identity& own) {
    return ", tls: {certificate: " + files_.write("tls.crt", certificate_pem(own)) +
           ", key: " + files_.write("tls.key", key_pem(own)) +
           ", client_ca: " + files_.write("ca.pem", certificate_pem(authority_)) + "}";
  }

  static Answer ask(const ProxyUnderTest& proxy, const std::string& bytes) {
    return RawClient(proxy.port()).ask(bytes);
  }
  static std::string with_bearer(const std::string& key) {
    return converse("hi", "authorization: Bearer " + key + "\r\n");
  }
  // The answer is a refusal with that type and cause, and nobody heard of the request.
  void expect_refused(const Answer& got, const std::string& type, const std::string& cause) const {
    EXPECT_EQ(got.status, 403);
    EXPECT_EQ(got.field("x-amzn-errortype"), type);
    EXPECT_EQ(got.field("x-understudy-error"), cause);
    EXPECT_EQ(got.body.rfind("{\"Message\":", 0), 0u) << got.body;
    EXPECT_EQ(primary_->count(), 0u);
  }

  const ScratchDirectory files_;
  const Identity authority_ = make_authority("the clients' authority");
  const std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies(converse_answer("hello"));
};

TEST_F(ClientAuth, TakesAnApiKeyAsBedrockWould) {
  ProxyUnderTest proxy(setup(api_keys()));
  EXPECT_EQ(ask(proxy, with_bearer(kKey)).status, 200);
  EXPECT_EQ(ask(proxy, converse("hi", std::string("x-api-key: ") + kKey + "\r\n")).status, 200);
}

TEST_F(ClientAuth, TakesADigestInTheKeysPlace) {
  ProxyUnderTest proxy(setup(api_keys("a: sha256:" + hex(proxy::sha256(kKey)) + "\n")));
  EXPECT_EQ(ask(proxy, with_bearer(kKey)).status, 200);
  EXPECT_EQ(ask(proxy, with_bearer("a-key-that-nobody-has")).status, 403);
}

// Row A14: no free relay to Bedrock.
TEST_F(ClientAuth, A14RefusesWhoBringsNothingOrAWrongKey) {
  ProxyUnderTest proxy(setup(api_keys()));
  expect_refused(ask(proxy, converse("hi")), "MissingAuthenticationTokenException",
                 "no_credentials");
  for (const std::string wrong : {"a-key-of-the-search-tean", "a-key-of-the-search-tea",
                                  "a-key-of-the-search-team2", "A-KEY-OF-THE-SEARCH-TEAM"}) {
    expect_refused(ask(proxy, with_bearer(wrong)), "AccessDeniedException", "api_key");
  }
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "api_key"}}, 4));
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "no_credentials"}}, 1));
}

TEST_F(ClientAuth, A14ReadsNoBodyOfAStranger) {
  ProxyUnderTest proxy(setup(api_keys()));
  RawClient client(proxy.port());
  client.send(
      "POST /model/m/invoke HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\nexpect: "
      "100-continue\r\n\r\n");
  const Answer got = client.receive();
  EXPECT_EQ(got.status, 403);
  EXPECT_EQ(client.received().find("100 Continue"), std::string::npos);
}

// Row A14: what the client proved itself with goes to nobody.
TEST_F(ClientAuth, A14SendsTheClientsCredentialToNobody) {
  auto candidate = FakeBedrock::replies(converse_answer("other"));
  ProxySetup with = setup(api_keys());
  with.candidate_port = candidate->port();
  ProxyUnderTest proxy(with);
  EXPECT_EQ(ask(proxy, converse("hi", std::string("authorization: Bearer ") + kKey +
                                          "\r\nx-amz-security-token: hidden\r\n"))
                .status,
            200);
  for (const FakeRequest& request : {primary_->request(0), candidate->request(0)}) {
    EXPECT_EQ(request.head.find(kKey), std::string::npos);
    EXPECT_EQ(request.head.find("hidden"), std::string::npos);
    EXPECT_FALSE(request.has("authorization"));
  }
}

TEST_F(ClientAuth, VerifiesTheClientsOwnSignature) {
  ProxyUnderTest proxy(setup(sigv4_keys()));
  const Signing good;
  EXPECT_EQ(ask(proxy, good.request()).status, 200);
  EXPECT_EQ(
      ask(proxy, Signing{.target = "/model/arn%3Aaws%3Ax%2Fy/converse?b=2&a=1"}.request()).status,
      200);
  EXPECT_EQ(ask(proxy, Signing{.body = ""}.request()).status, 200);
}

TEST_F(ClientAuth, A14RefusesASignatureOfAnotherKeyRequestOrTime) {
  ProxyUnderTest proxy(setup(sigv4_keys()));
  const Signing good;
  const std::string bad = "InvalidSignatureException";
  expect_refused(ask(proxy, Signing{.secret = "another-secret-access-key"}.request()), bad,
                 "signature");
  expect_refused(ask(proxy, good.request("/model/anthropic.claude-b/converse")), bad, "signature");
  expect_refused(ask(proxy, good.request("", converse_body("ho"))), bad, "signature");
  expect_refused(ask(proxy, Signing{.host = "other.test"}.request()), bad, "signature");
  expect_refused(ask(proxy, Signing{.now = system_clock::now() - 6min}.request()), bad,
                 "clock_skew");
  expect_refused(ask(proxy, Signing{.now = system_clock::now() + 6min}.request()), bad,
                 "clock_skew");
  expect_refused(ask(proxy, Signing{.key_id = "AKIDOTHER"}.request()),
                 "UnrecognizedClientException", "access_key");
  expect_refused(ask(proxy, converse("hi")), "MissingAuthenticationTokenException",
                 "no_credentials");
  for (const std::string broken :
       {"AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/r/s/aws4_request, SignedHeaders=host, "
        "Signature=0000000000000000000000000000000000000000000000000000000000000000"}) {
    expect_refused(ask(proxy, converse("hi", "authorization: " + broken + "\r\n")),
                   "IncompleteSignatureException", "signature");
  }
}

TEST_F(ClientAuth, A14RefusesAHashThatIsNotTheBodys) {
  ProxyUnderTest proxy(setup(sigv4_keys()));
  std::string request = Signing{}.request();
  request.insert(request.find("content-length"), "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n");
  expect_refused(ask(proxy, request), "InvalidSignatureException", "signature");
}

TEST_F(ClientAuth, KnowsAClientByItsCertificate) {
  const Identity own = make_identity({.issuer = &authority_});
  ProxyUnderTest proxy(setup("mutual_tls: {names: [\"spiffe://mesh/*\"]}", tls(own)));
  const auto status = [&](const std::string& alternative_names) {
    const Identity identity = make_identity(
        {.name = "app", .alternative_names = alternative_names, .issuer = &authority_});
    TlsClientOptions options{.authority = &authority_, .identity = &identity};
    return RawClient(proxy.port(), options).ask(converse("hi")).status;
  };
  EXPECT_EQ(status("URI:spiffe://mesh/search"), 200);
  EXPECT_EQ(status("URI:spiffe://other/search"), 403);
  EXPECT_EQ(status("DNS:app.test"), 403);
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "certificate"}}, 2));
}

TEST_F(ClientAuth, AnyOfTheWaysSuffices) {
  const Identity own = make_identity({.issuer = &authority_});
  ProxyUnderTest proxy(setup("mutual_tls: {names: [app]}, " + api_keys(), tls(own)));
  const Identity app = make_identity({.name = "app", .issuer = &authority_});
  const TlsClientOptions without{.authority = &authority_};
  TlsClientOptions with = without;
  with.identity = &app;
  EXPECT_EQ(RawClient(proxy.port(), with).ask(converse("hi")).status, 200);
  EXPECT_EQ(RawClient(proxy.port(), without).ask(with_bearer(kKey)).status, 200);
  EXPECT_EQ(RawClient(proxy.port(), without).ask(converse("hi")).status, 403);
}

TEST_F(ClientAuth, ACertificateThatIsDemandedIsDemandedOfKeysToo) {
  const Identity own = make_identity({.issuer = &authority_});
  ProxyUnderTest proxy(setup(api_keys(), tls(own)));
  RawClient client(proxy.port(), TlsClientOptions{.authority = &authority_});
  client.send(with_bearer(kKey));
  EXPECT_EQ(client.receive().status, 0);
}

TEST_F(ClientAuth, AsksTheSameOfHttp2) {
  ProxyUnderTest proxy(setup(api_keys() + ", " + sigv4_keys()));
  H2Client client(proxy.port());
  auto status = [&, stream = 1u](const h2::Fields& more) mutable {
    const auto used = std::exchange(stream, stream + 2);
    return client.ask(used, h2::post(used, "/model/m/invoke", "{}", more)).status;
  };
  EXPECT_EQ(status({{"authorization", std::string("Bearer ") + kKey}}), 200);
  EXPECT_EQ(status({{"x-api-key", kKey}}), 200);
  EXPECT_EQ(status({}), 403);
  EXPECT_EQ(status({{"authorization", "Bearer a-key-that-nobody-has"}}), 403);
  EXPECT_EQ(status({{"authorization", "AWS4-HMAC-SHA256 nonsense"}}), 403);
  EXPECT_EQ(status({{"x-api-key", kKey}}), 200) << "the connection goes on";
  EXPECT_EQ(client.answer(5).field("x-amzn-errortype"), "MissingAuthenticationTokenException");
  EXPECT_EQ(primary_->count(), 3u);
}

TEST_F(ClientAuth, NewKeysAreInForceWithTheNextReload) {
  ProxySetup with = setup(api_keys());
  ProxyUnderTest proxy(with);
  RawClient kept(proxy.port());
  EXPECT_EQ(kept.ask(with_bearer(kKey)).status, 200);
  api_keys("search: another-key-of-theirs\n");
  ASSERT_TRUE(proxy.apply(with));
  EXPECT_EQ(ask(proxy, with_bearer("another-key-of-theirs")).status, 200);
  EXPECT_EQ(kept.ask(with_bearer(kKey)).status, 403) << "also on a connection of before";
}

TEST_F(ClientAuth, RoutesMatchOnTheCaller) {
  auto other = FakeBedrock::replies(converse_answer("the default"));
  ProxySetup with =
      setup(api_keys("search-1: a-key-of-the-search-team\nbatch: a-key-of-the-batch-team\n"));
  with.match = "callers: [\"search-*\"]";
  with.primary_more = "}\n  other: {endpoint: \"http://127.0.0.1:" + std::to_string(other->port()) +
                      "\", region: us-east-1, credentials: {source: none}";
  with.top = "default_route: {upstream: other}\n";
  ProxyUnderTest proxy(with);
  EXPECT_EQ(ask(proxy, with_bearer(kKey)).body, converse_answer("hello"));
  EXPECT_EQ(ask(proxy, with_bearer("a-key-of-the-batch-team")).body,
            converse_answer("the default"));
}

TEST_F(ClientAuth, A17AKeyFileProblemNamesTheLineAndNotTheKey) {
  const auto loaded = routing::load_config_text(
      setup(api_keys("good: a-good-key-that-is-long\nbad: hunter2\n")).text(), "test.yaml");
  ASSERT_NE(loaded.config, nullptr);
  const auto listeners = proxy::load_listeners(*loaded.config);
  ASSERT_EQ(listeners.problems.size(), 1u);
  EXPECT_NE(listeners.problems[0].find("listeners[0].clients.api_keys_file: "), std::string::npos);
  EXPECT_NE(listeners.problems[0].find("line 2 has a key that is not of 16"), std::string::npos);
  EXPECT_EQ(listeners.problems[0].find("hunter2"), std::string::npos);
}

// Row A13: nothing in a request names another destination, whoever sends it.
TEST_F(ClientAuth, A13ACallersHostSelectsNothing) {
  auto trap = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(setup(sigv4_keys()));
  const std::string lure = "127.0.0.1:" + std::to_string(trap->port());
  std::string request = Signing{.host = lure}.request();
  request.replace(request.find("proxy.test"), 10, lure);
  EXPECT_EQ(ask(proxy, request).status, 200);
  EXPECT_EQ(trap->connections(), 0u);
}

}  // namespace
}  // namespace understudy::testing_support

// Real handshakes with good and bad servers in one thread. The certificates are made here, so that
// none can expire.

#include "proxy/tls.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tests/support/certificates.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;
using ClientStream = ssl::stream<tcp::socket>;

constexpr char kHost[] = "bedrock.test";

using testing_support::certificate_pem;
using testing_support::Identity;
using testing_support::make_authority;
using testing_support::make_identity;

std::shared_ptr<ssl::context> server_context(const Identity& identity) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* const native = context->native_handle();
  EXPECT_EQ(SSL_CTX_use_certificate(native, identity.certificate.get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(native, identity.key.get()), 1);
  SSL_CTX_set_alpn_select_cb(
      native,
      [](SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
         unsigned in_size, void*) {
        *out = in + 1;  // whatever stands first
        *out_size = in[0];
        return in_size > in[0] ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
      },
      nullptr);
  return context;
}

struct Handshake {
  error_code client = asio::error::timed_out;  // until the handshake ends
  error_code server = asio::error::timed_out;
  long verification = X509_V_OK;           // the client's
  std::string server_name, alpn, version;  // as the server saw them
};

std::string text_or_empty(const char* text) {
  return text == nullptr ? std::string() : text;
}

// One connection over loopback; `make_stream` turns the client's socket into a stream.
template <typename MakeStream>
Handshake shake_hands(ssl::context& server_tls, MakeStream make_stream) {
  asio::io_context io;
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  tcp::socket client_socket(io);
  client_socket.connect(acceptor.local_endpoint());
  ssl::stream<tcp::socket> server(acceptor.accept(), server_tls);
  std::unique_ptr<ClientStream> client = make_stream(std::move(client_socket));
  Handshake result;
  if (!client) return result;
  server.async_handshake(ssl::stream_base::server, [&](error_code code) {
    result.server = code;
    SSL* const native = server.native_handle();
    result.server_name = text_or_empty(SSL_get_servername(native, TLSEXT_NAMETYPE_host_name));
    result.version = SSL_get_version(native);
    const unsigned char* alpn = nullptr;
    unsigned alpn_size = 0;
    SSL_get0_alpn_selected(native, &alpn, &alpn_size);
    if (alpn != nullptr) result.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
    if (code) server.lowest_layer().close();
  });
  client->async_handshake(ssl::stream_base::client, [&](error_code code) {
    result.client = code;
    result.verification = SSL_get_verify_result(client->native_handle());
    if (code) client->lowest_layer().close();
  });
  io.run_for(std::chrono::seconds(20));
  return result;
}

Handshake connect_with(ssl::context& client_tls, ssl::context& server_tls,
                       const std::string& host = kHost) {
  return shake_hands(server_tls, [&](tcp::socket socket) -> std::unique_ptr<ClientStream> {
    auto session = make_client_session(client_tls, host);
    if (session) return std::make_unique<ClientStream>(std::move(socket), session->release());
    ADD_FAILURE() << session.error().context;
    return nullptr;
  });
}

Handshake connect(ssl::context& server_tls, const std::string& ca_file,
                  const std::string& host = kHost) {
  const auto context = make_client_tls(ca_file);
  if (context) return connect_with(**context, server_tls, host);
  ADD_FAILURE() << context.error().context;
  return {};
}

// What Asio does when nothing is asked of it: the control of every refusal below.
Handshake connect_without_verification(ssl::context& server_tls) {
  ssl::context context(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_VERSION);
  SSL_CTX_set_security_level(context.native_handle(), 0);
  return shake_hands(server_tls, [&](tcp::socket socket) {
    return std::make_unique<ClientStream>(std::move(socket), context);
  });
}

class TlsClient : public testing::Test {
 protected:
  void expect_refused(const Identity& identity, const std::string& host = kHost) {
    const auto server = server_context(identity);
    const Handshake control = connect_without_verification(*server);
    ASSERT_FALSE(control.client) << "the server does not work: " << control.client.message();
    const Handshake handshake = connect(*server, ca_file_, host);
    EXPECT_EQ(handshake.client.category(), asio::error::get_ssl_category())
        << handshake.client.message();
    EXPECT_NE(handshake.verification, X509_V_OK);
  }

  const Identity authority_ = make_authority("the right authority");
  const testing_support::ScratchDirectory directory_;
  const std::string ca_file_ = directory_.write("ca.pem", certificate_pem(authority_));
};

TEST_F(TlsClient, AcceptsATrustedCertificateForTheName) {
  const Identity good = make_identity({.issuer = &authority_});
  const Handshake handshake = connect(*server_context(good), ca_file_);
  EXPECT_FALSE(handshake.client) << handshake.client.message();
  EXPECT_FALSE(handshake.server) << handshake.server.message();
  EXPECT_EQ(handshake.server_name, kHost);
  EXPECT_EQ(handshake.alpn, "http/1.1");
  EXPECT_EQ(handshake.version, "TLSv1.3");
}

TEST_F(TlsClient, AcceptsAWildcardForOneLabel) {
  const Identity wild = make_identity(
      {.name = "x", .alternative_names = "DNS:*.bedrock.test", .issuer = &authority_});
  EXPECT_FALSE(connect(*server_context(wild), ca_file_, "eu.bedrock.test").client);
  expect_refused(wild, "a.eu.bedrock.test");
}

TEST_F(TlsClient, AcceptsAnAddressAndDoesNotSendIt) {
  const Identity addressed = make_identity(
      {.name = "x", .alternative_names = "IP:127.0.0.1,IP:::1", .issuer = &authority_});
  const auto server = server_context(addressed);
  for (const std::string host : {"127.0.0.1", "::1", "[::1]"}) {
    const Handshake handshake = connect(*server, ca_file_, host);
    EXPECT_FALSE(handshake.client) << host << ": " << handshake.client.message();
    EXPECT_EQ(handshake.server_name, "") << host;
  }
  expect_refused(addressed, "127.0.0.2");
}

TEST_F(TlsClient, SpeaksTls12) {
  const Identity good = make_identity({.issuer = &authority_});
  const auto server = server_context(good);
  SSL_CTX_set_max_proto_version(server->native_handle(), TLS1_2_VERSION);
  const Handshake handshake = connect(*server, ca_file_);
  EXPECT_FALSE(handshake.client) << handshake.client.message();
  EXPECT_EQ(handshake.version, "TLSv1.2");
}

TEST_F(TlsClient, RefusesASelfSignedCertificate) {
  expect_refused(make_identity({}));
}

TEST_F(TlsClient, RefusesASelfSignedCertificateForAnotherName) {
  expect_refused(make_identity({.name = "evil.test", .alternative_names = "DNS:evil.test"}));
}

TEST_F(TlsClient, RefusesATrustedCertificateForAnotherName) {
  expect_refused(make_identity(
      {.name = "evil.test", .alternative_names = "DNS:evil.test", .issuer = &authority_}));
}

TEST_F(TlsClient, RefusesTheRightNameInTheSubjectBesideOtherAlternativeNames) {
  expect_refused(make_identity({.alternative_names = "DNS:evil.test", .issuer = &authority_}));
}

TEST_F(TlsClient, RefusesAnExpiredCertificate) {
  expect_refused(make_identity({.valid_from_day = -10, .valid_to_day = -1, .issuer = &authority_}));
}

TEST_F(TlsClient, RefusesACertificateOfTomorrow) {
  expect_refused(make_identity({.valid_from_day = 1, .valid_to_day = 10, .issuer = &authority_}));
}

TEST_F(TlsClient, RefusesAnUnknownAuthority) {
  // The same name as the trusted one: only the key tells them apart.
  const Identity impostor = make_authority("the right authority");
  expect_refused(make_identity({.issuer = &impostor}));
}

TEST_F(TlsClient, RefusesACertificateThatIsNoAuthorityAsIssuer) {
  const Identity leaf = make_identity({.issuer = &authority_});
  expect_refused(make_identity({.issuer = &leaf}));
}

TEST_F(TlsClient, RefusesTls11) {
  const Identity good = make_identity({.issuer = &authority_});
  const auto server = server_context(good);
  SSL_CTX_set_security_level(server->native_handle(), 0);
  SSL_CTX_set_min_proto_version(server->native_handle(), TLS1_1_VERSION);
  SSL_CTX_set_max_proto_version(server->native_handle(), TLS1_1_VERSION);
  const Handshake control = connect_without_verification(*server);
  ASSERT_FALSE(control.client) << control.client.message();
  ASSERT_EQ(control.version, "TLSv1.1");
  // The system's policy may refuse old versions as well; ours must without it.
  const auto client = make_client_tls(ca_file_);
  ASSERT_TRUE(client);
  SSL_CTX_set_security_level((*client)->native_handle(), 0);
  EXPECT_TRUE(connect_with(**client, *server).client);
}

TEST_F(TlsClient, DoesNotTrustATestAuthorityByTheSystemsAnchors) {
  const Identity good = make_identity({.issuer = &authority_});
  EXPECT_TRUE(connect(*server_context(good), "").client);
}

TEST_F(TlsClient, ReportsTrustAnchorsThatCannotBeRead) {
  const auto missing = make_client_tls("/nonexistent/ca.pem");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::tls);
  EXPECT_NE(missing.error().context.find("/nonexistent/ca.pem"), std::string::npos);
  std::ofstream(ca_file_) << "not a certificate";
  EXPECT_FALSE(make_client_tls(ca_file_));
}

// OpenSSL would take either as "any name will do" or as the name before the NUL.
TEST_F(TlsClient, RefusesToVerifyNoName) {
  const auto context = make_client_tls(ca_file_);
  ASSERT_TRUE(context);
  EXPECT_FALSE(make_client_session(**context, ""));
  EXPECT_FALSE(make_client_session(**context, std::string("bedrock.test\0.evil", 18)));
  EXPECT_FALSE(make_client_session(**context, std::string(300, 'a')));
}

}  // namespace
}  // namespace understudy::proxy

#include "tests/support/tls_client.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <csignal>

#include "tests/support/tls_records.h"

namespace understudy::testing_support {
namespace {

std::string openssl_text() {
  const unsigned long code = ERR_peek_error();
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "the connection broke" : reason;
}

std::string wire_form(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    wire.push_back(static_cast<char>(protocol.size()));
    wire += protocol;
  }
  return wire;
}

}  // namespace

TlsClient::TlsClient(std::uint16_t port, const TlsClientOptions& options)
    : context_(SSL_CTX_new(TLS_client_method())), socket_(Socket::connect(port)) {
  // OpenSSL writes as it likes; a server that is gone must not end the test program.
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX* const context = context_.get();
  SSL_CTX_set_security_level(context, 0);
  SSL_CTX_set_min_proto_version(context, options.min_version);
  SSL_CTX_set_max_proto_version(context, options.max_version);
  // Sessions are the test's: a context marks its own as used up when it goes.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  if (!options.tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  if (!options.ciphers.empty()) {
    EXPECT_EQ(SSL_CTX_set_cipher_list(context, options.ciphers.c_str()), 1);
  }
  if (options.authority != nullptr) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), options.authority->certificate.get());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  if (options.identity != nullptr) {
    SSL_CTX_use_certificate(context, options.identity->certificate.get());
    SSL_CTX_use_PrivateKey(context, options.identity->key.get());
  }
  if (options.secret != nullptr) tell_client_secret(context, *options.secret);
  session_.reset(SSL_new(context));
  const std::string protocols = wire_form(options.protocols);
  if (!protocols.empty()) {
    SSL_set_alpn_protos(session_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  }
  if (!options.name.empty()) {
    SSL_set_tlsext_host_name(session_.get(), options.name.c_str());
    SSL_set1_host(session_.get(), options.name.c_str());
  }
  if (options.session != nullptr) {
    // OpenSSL takes a TLS 1.3 session for used up once a connection has resumed it, and a copy of
    // an older one without a ticket for not worth resuming.
    const bool single_use = SSL_SESSION_get_protocol_version(options.session) == TLS1_3_VERSION;
    const std::unique_ptr<SSL_SESSION, FreeTls> copy(SSL_SESSION_dup(options.session));
    SSL_set_session(session_.get(), single_use ? copy.get() : options.session);
  }
  SSL_set_fd(session_.get(), socket_.descriptor());
  if (SSL_connect(session_.get()) != 1) problem_ = openssl_text();
}

std::string TlsClient::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(session_.get(), &name, &size);
  return name == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(name), size);
}

std::string TlsClient::server_name() const {
  std::array<char, 256> name{};
  X509* certificate = SSL_get0_peer_certificate(session_.get());
  if (certificate == nullptr) return {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                            name.size());
  return name.data();
}

Socket::Read TlsClient::read(std::string& to, std::size_t at_most) {
  const std::size_t before = to.size();
  to.resize(before + at_most);
  std::size_t got = 0;
  ERR_clear_error();
  const int outcome = SSL_read_ex(session_.get(), to.data() + before, at_most, &got);
  to.resize(before + (outcome == 1 ? got : 0));
  if (outcome == 1) return Socket::Read::data;
  switch (SSL_get_error(session_.get(), outcome)) {
    case SSL_ERROR_ZERO_RETURN:
      return Socket::Read::end;
    case SSL_ERROR_WANT_READ:
      return Socket::Read::timeout;
    default:
      problem_ = openssl_text();
      return Socket::Read::reset;
  }
}

bool TlsClient::write(std::string_view bytes) {
  std::size_t written = 0;
  return SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &written) == 1;
}

}  // namespace understudy::testing_support

#include "proxy/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/verify_mode.hpp>
#include <utility>

namespace understudy::proxy {
namespace {

namespace ssl = boost::asio::ssl;

Error tls_error(std::string context) {
  return {.kind = ErrorKind::tls, .side = Side::upstream, .context = std::move(context)};
}

bool is_address(const std::string& host) {
  boost::system::error_code code;
  boost::asio::ip::make_address(host, code);
  return !code;
}

}  // namespace

Result<std::shared_ptr<ssl::context>> make_client_tls(const std::string& ca_file) {
  boost::system::error_code code;
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX* const native = context->native_handle();
  // Sessions are not resumed: connections are pooled, so that handshakes are rare.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  if (SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) != 1)
    return tls_error("OpenSSL refuses TLS 1.2");
  // Sessions take this over when they are made: it must be set before.
  context->set_verify_mode(ssl::verify_peer, code);
  if (code) return tls_error("certificate verification: " + code.message());
  if (ca_file.empty()) {
    context->set_default_verify_paths(code);
    if (code) return tls_error("the system's trust anchors: " + code.message());
  } else {
    context->load_verify_file(ca_file, code);
    if (code) return tls_error("trust anchors in " + ca_file + ": " + code.message());
  }
  return context;
}

Status present_certificate(ssl::context& context, const std::string& certificate_file,
                           const std::string& key_file) {
  boost::system::error_code code;
  context.use_certificate_chain_file(certificate_file, code);
  if (code) return tls_error("the certificate in " + certificate_file + ": " + code.message());
  context.use_private_key_file(key_file, ssl::context::pem, code);
  if (code) return tls_error("its key in " + key_file + ": " + code.message());
  return {};
}

Result<TlsSession> make_client_session(ssl::context& context, const std::string& host,
                                       std::string_view protocol) {
  std::string name = host;
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
    name = name.substr(1, name.size() - 2);  // an IPv6 literal as it stands in a URL
  }
  // OpenSSL takes the name up to a NUL, or no name at all, as "do not check".
  if (name.empty() || name.find('\0') != std::string::npos) {
    return tls_error("no host name to verify");
  }
  TlsSession session(SSL_new(context.native_handle()));
  if (!session) return tls_error("not enough memory");
  SSL_set_connect_state(session.get());
  X509_VERIFY_PARAM* const accepted = SSL_get0_param(session.get());
  // RFC 6066 3: an address is not sent.
  const bool named = is_address(name)
                         ? X509_VERIFY_PARAM_set1_ip_asc(accepted, name.c_str()) == 1
                         : X509_VERIFY_PARAM_set1_host(accepted, name.data(), name.size()) == 1 &&
                               SSL_set_tlsext_host_name(session.get(), name.c_str()) == 1;
  if (!named) return tls_error("not usable as a server name: " + name);
  // RFC 7301 3.1: each name behind its length.
  const std::string offer = static_cast<char>(protocol.size()) + std::string{protocol};
  if (SSL_set_alpn_protos(session.get(), reinterpret_cast<const unsigned char*>(offer.data()),
                          static_cast<unsigned>(offer.size())) != 0) {  // 0 is success here
    return tls_error("OpenSSL refuses ALPN");
  }
  return session;
}

std::shared_ptr<ssl::context> asio_context_of(const TlsServer& server) {
  SSL_CTX_up_ref(server.context());
  return std::make_shared<ssl::context>(server.context());  // takes the reference
}

}  // namespace understudy::proxy

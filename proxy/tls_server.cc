#include "proxy/tls_server.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "proxy/read_file.h"
#include "proxy/tls_tickets.h"

namespace understudy::proxy {
namespace {

template <auto free>
struct Freeing {
  template <typename T>
  void operator()(T* object) const noexcept {
    free(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Freeing<SSL_CTX_free>>;
using Memory = std::unique_ptr<BIO, Freeing<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freeing<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freeing<GENERAL_NAMES_free>>;

constexpr std::size_t kMaxPemBytes = std::size_t{1} << 20;
constexpr int kMaxChain = 16;  // certificates of a client's chain
constexpr int kSecurityLevel =
    2;  // 112 bits: no RSA key below 2048, no SHA-1 (SSL_CTX_set_security_level(3))

// RFC 7301 3.1: each name behind its length; the first that the client offers too is taken.
constexpr std::string_view kProtocols("\x02h2\x08http/1.1");
constexpr std::string_view kHttp1 = kProtocols.substr(3);

// What OpenSSL holds against the last thing it was asked for.
std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "is not usable" : reason;
}

// Never asks a terminal for the pass phrase of an encrypted key.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

struct Pem {
  std::string text;
  ~Pem() { OPENSSL_cleanse(text.data(), text.size()); }
  Memory memory() const {
    return Memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  }
};

int select_of(std::string_view ours, const unsigned char** out, unsigned char* out_size,
              const unsigned char* offered, unsigned offered_size) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  return select_of(kProtocols, out, out_size, offered, offered_size);
}

int select_http1(SSL*, const unsigned char** out, unsigned char* out_size,
                 const unsigned char* offered, unsigned offered_size, void*) {
  return select_of(kHttp1, out, out_size, offered, offered_size);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

std::string_view view(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

// The names that a certificate is for, in lower case: its alternative names, or where it has none
// of them the common name.
std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  const Names alternatives(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; alternatives && i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) names.push_back(lower(view(name->d.dNSName)));
  }
  if (!names.empty()) return names;
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0)
    names.push_back(lower(view(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)))));
  return names;
}

std::chrono::system_clock::time_point expiry_of(const X509* certificate) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

bool set_policy(SSL_CTX* context, const TlsServer::Options& options) {
  SSL_CTX_set_security_level(context, kSecurityLevel);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // A client that leaves without a close_notify keeps its session. Whether its request was whole is
  // told by the request's own framing.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
  SSL_CTX_sess_set_cache_size(context, static_cast<long>(options.max_sessions));
  SSL_CTX_set_timeout(context, static_cast<long>(std::chrono::seconds(kTicketKeyLife).count()));
  use_ticket_keys(context);
  // OpenSSL would make two of them in a full handshake. A client that resumes gets the next one.
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_alpn_select_cb(context, options.offers_http2 ? select_protocol : select_http1,
                             nullptr);
  // AES-128 first: a handshake of TLS 1.3 hashes some thirty times, and SHA-256 is done by the
  // processor where SHA-384 is not.
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(context,
                                  "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                  "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
         SSL_CTX_set_max_early_data(context, 0) == 1 &&
         SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK:!aNULL") == 1 &&
         SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1;
}

}  // namespace

struct TlsServer::Impl {
  std::vector<Context> contexts;  // as in the config
  std::vector<CertificateFacts> facts;
  // Names to contexts; a "*.example.org" stands under its own spelling.
  std::map<std::string, SSL_CTX*, std::less<>> by_name;

  SSL_CTX* find(std::string_view name) const {
    const std::string wanted = lower(name);
    if (const auto exact = by_name.find(wanted); exact != by_name.end()) return exact->second;
    // A star stands for exactly one label (RFC 6125 6.4.3).
    const std::size_t dot = wanted.find('.');
    if (dot == std::string::npos) return nullptr;
    const auto wild = by_name.find("*" + wanted.substr(dot));
    return wild == by_name.end() ? nullptr : wild->second;
  }

  static int on_server_name(SSL* session, int*, void* self) {
    const char* name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_CTX* context = static_cast<const Impl*>(self)->find(name);
    if (context != nullptr) SSL_set_SSL_CTX(session, context);
    return SSL_TLSEXT_ERR_OK;
  }
};

namespace {

// Reads what one listener names and keeps the problems.
class Loading {
 public:
  explicit Loading(std::vector<std::string>& problems) : problems_(problems) {}

  // Null where there was a problem.
  Context make_context(const routing::CertificateConfig& files, const std::string& key,
                       const TlsServer::Options& options, std::vector<std::string>& names,
                       CertificateFacts& facts) {
    Context context(SSL_CTX_new(TLS_server_method()));
    if (!context || !set_policy(context.get(), options)) {
      problem(key, "OpenSSL refuses the policy: " + openssl_reason());
      return nullptr;
    }
    if (!load_chain(context.get(), files.certificate, key + "certificate", names, facts) ||
        !load_key(context.get(), files, key + "key")) {
      return nullptr;
    }
    return context;
  }

  // Client certificates are asked for and checked against `file`'s anchors.
  bool ask_for_certificates(SSL_CTX* context, const std::string& file, bool optional) {
    const auto pem = read(file, "client_ca");
    if (!pem) return false;
    const Memory memory = pem->memory();
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    int anchors = 0;
    while (const Certificate anchor{PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr)}) {
      if (X509_STORE_add_cert(store, anchor.get()) != 1 ||
          SSL_CTX_add_client_CA(context, anchor.get()) != 1)
        return problem("client_ca", file + ": " + openssl_reason());
      ++anchors;
    }
    ERR_clear_error();
    if (anchors == 0) return problem("client_ca", "there is no certificate in " + file);
    SSL_CTX_set_verify_depth(context, kMaxChain);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
                       nullptr);
    return true;
  }

  // A session is resumed only where the same anchors are asked for: it carries the certificate that
  // was checked against them.
  bool bind_sessions(SSL_CTX* context, const std::string& client_ca, bool optional) {
    std::string anchors = optional ? "optional" : "demanded";
    if (!client_ca.empty()) {
      const auto pem = read(client_ca, "client_ca");
      if (!pem) return false;
      anchors += pem->text;
    }
    std::array<unsigned char, 32> digest{};
    std::size_t size = 0;
    return EVP_Q_digest(nullptr, "SHA256", nullptr, anchors.data(), anchors.size(), digest.data(),
                        &size) == 1 &&
           SSL_CTX_set_session_id_context(context, digest.data(),
                                          static_cast<unsigned>(digest.size())) == 1;
  }

  bool problem(const std::string& key, const std::string& what) {
    problems_.push_back(key + ": " + what);
    return false;
  }

 private:
  std::optional<Pem> read(const std::string& file, const std::string& key) {
    auto text = read_file(file, kMaxPemBytes);
    if (text) return Pem{std::move(*text)};
    problem(key, "cannot read " + file + " (or it is larger than 1 MiB)");
    return std::nullopt;
  }

  bool load_chain(SSL_CTX* context, const std::string& file, const std::string& key,
                  std::vector<std::string>& names, CertificateFacts& facts) {
    const auto pem = read(file, key);
    if (!pem) return false;
    const Memory memory = pem->memory();
    const Certificate own(PEM_read_bio_X509_AUX(memory.get(), nullptr, nullptr, nullptr));
    if (!own) {
      ERR_clear_error();
      return problem(key, "there is no certificate in " + file);
    }
    if (SSL_CTX_use_certificate(context, own.get()) != 1)
      return problem(key, file + ": " + openssl_reason());
    while (X509* issuer = PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr)) {
      if (SSL_CTX_add0_chain_cert(context, issuer) != 1) {
        X509_free(issuer);
        return problem(key, file + ": " + openssl_reason());
      }
    }
    ERR_clear_error();  // the end of the file looks like an error
    names = names_of(own.get());
    facts = {std::filesystem::path(file).filename().string(), expiry_of(own.get())};
    return true;
  }

  bool load_key(SSL_CTX* context, const routing::CertificateConfig& files, const std::string& key) {
    const auto pem = read(files.key, key);
    if (!pem) return false;
    const Memory memory = pem->memory();
    const Key own(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_passphrase, nullptr));
    if (!own) {
      ERR_clear_error();
      return problem(key, "there is no private key in " + files.key +
                              ", or it is encrypted, which a server cannot ask about");
    }
    if (SSL_CTX_use_PrivateKey(context, own.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
      return problem(
          key, files.key + " does not belong to " + files.certificate + ": " + openssl_reason());
    return true;
  }

  std::vector<std::string>& problems_;
};

}  // namespace

TlsServer::Loaded TlsServer::load(const routing::ListenerTlsConfig& config,
                                  const Options& options) {
  Loaded loaded;
  Loading loading(loaded.problems);
  auto impl = std::make_unique<Impl>();
  const bool is_list = config.certificates.size() > 1;
  for (std::size_t i = 0; i < config.certificates.size(); ++i) {
    std::vector<std::string> names;
    CertificateFacts facts;
    const std::string key = is_list ? "certificates[" + std::to_string(i) + "]." : "";
    Context context = loading.make_context(config.certificates[i], key, options, names, facts);
    if (!context) continue;
    if (!loading.bind_sessions(context.get(), config.client_ca, options.certificate_optional))
      break;
    if (!config.client_ca.empty() && !loading.ask_for_certificates(context.get(), config.client_ca,
                                                                   options.certificate_optional))
      break;
    for (std::string& name : names) impl->by_name.emplace(std::move(name), context.get());
    impl->facts.push_back(std::move(facts));
    impl->contexts.push_back(std::move(context));
  }
  if (!loaded.problems.empty()) return loaded;
  SSL_CTX* first = impl->contexts.front().get();
  SSL_CTX_set_tlsext_servername_callback(first, Impl::on_server_name);
  SSL_CTX_set_tlsext_servername_arg(first, impl.get());
  loaded.server = std::shared_ptr<const TlsServer>(new TlsServer(std::move(impl)));
  return loaded;
}

TlsServer::TlsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsServer::~TlsServer() = default;

const std::vector<CertificateFacts>& TlsServer::certificates() const noexcept {
  return impl_->facts;
}

ssl_ctx_st* TlsServer::context() const noexcept {
  return impl_->contexts.front().get();
}

TlsSession TlsServer::make_session() const noexcept {
  TlsSession session(SSL_new(context()));
  if (session) SSL_set_accept_state(session.get());
  return session;
}

}  // namespace understudy::proxy

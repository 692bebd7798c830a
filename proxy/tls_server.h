#pragma once
// What a TLS listener answers with: certificates, trust anchors for client certificates, and one
// policy for all. Made when a config is loaded, immutable, shared by all threads; a connection
// keeps the one that it shook hands with, so that a reload cuts nobody off.
//
// The policy: TLS 1.2 and 1.3, forward secrecy and authenticated encryption alone, no
// renegotiation, no compression, no early data (RFC 8446 8: it can be replayed, and a replay here
// costs money). Sessions are resumed by ticket and by id. ALPN by our preference; a client that
// offers only what we do not speak is refused (RFC 7301 3.2).

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/error.h"
#include "proxy/tls_session.h"
#include "routing/config.h"

struct ssl_ctx_st;

namespace understudy::proxy {

struct CertificateFacts {
  std::string file;  // as in the config, without its directory
  std::chrono::system_clock::time_point expires;
};

class TlsServer {
 public:
  // A problem names the key below `tls` and what is wrong with its file.
  struct Loaded {
    std::shared_ptr<const TlsServer> server;  // null where there are problems
    std::vector<std::string> problems;
  };
  struct Options {
    std::size_t max_sessions = 0;
    // Clients may come without a certificate where `client_ca` asks for it, because they can prove
    // themselves in other ways too; one that is shown must be good.
    bool certificate_optional = false;
    bool offers_http2 = true;
  };
  static Loaded load(const routing::ListenerTlsConfig& config, const Options& options);
  ~TlsServer();

  const std::vector<CertificateFacts>& certificates() const noexcept;

  ssl_ctx_st* context() const noexcept;  // of the first certificate, which leads to the others
  // The server's end of a connection, which this must outlive. Null when memory is gone.
  TlsSession make_session() const noexcept;

 private:
  struct Impl;
  explicit TlsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy

#pragma once
// A blocking TLS client over a Socket, by OpenSSL alone: what the proxy meets is not its own code.

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/certificates.h"
#include "tests/support/socket.h"

namespace understudy::testing_support {

struct FreeTls {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const {
    // OpenSSL would forget the session of a connection that ends without a word.
    SSL_set_shutdown(session, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(session);
  }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};

struct TlsClientOptions {
  const Identity* authority = nullptr;  // trusted; null: the server is not verified
  std::string name = "bedrock.test";    // asked for (SNI) and verified; empty: not sent
  std::vector<std::string> protocols{"http/1.1"};
  const Identity* identity = nullptr;  // shown where the server asks
  int min_version = TLS1_2_VERSION, max_version = TLS1_3_VERSION;
  std::string ciphers{};           // of TLS 1.2 and before
  bool tickets = true;             // false: sessions are resumed by their id
  SSL_SESSION* session = nullptr;  // to be resumed
  std::string* secret = nullptr;   // see tell_client_secret()
};

class TlsClient {
 public:
  TlsClient(std::uint16_t port, const TlsClientOptions& options);

  // What went wrong with the handshake; empty where it is done.
  const std::string& problem() const { return problem_; }
  bool resumed() const { return SSL_session_reused(session_.get()) == 1; }
  std::string version() const { return SSL_get_version(session_.get()); }
  std::string protocol() const;     // by ALPN
  std::string server_name() const;  // common name of its certificate
  std::unique_ptr<SSL_SESSION, FreeTls> session() const {
    return std::unique_ptr<SSL_SESSION, FreeTls>(SSL_get1_session(session_.get()));
  }
  SSL* native() const { return session_.get(); }

  // As Socket's; `end` is an end that the server announced (close_notify), `reset` any other.
  Socket::Read read(std::string& to, std::size_t at_most = 65'536);
  bool write(std::string_view bytes);
  Socket& socket() { return socket_; }

 private:
  std::unique_ptr<SSL_CTX, FreeTls> context_;
  Socket socket_;
  std::unique_ptr<SSL, FreeTls> session_;
  std::string problem_;
};

}  // namespace understudy::testing_support

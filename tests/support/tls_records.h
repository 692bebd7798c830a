#pragma once
// Records of TLS 1.3 that no library would send, behind a handshake that one did.

#include <openssl/ssl.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace understudy::testing_support {

// `secret`, which must outlive the context, becomes a client's of the next handshake done
// (CLIENT_TRAFFIC_SECRET_0). Sessions of the context agree on TLS_AES_128_GCM_SHA256 or nothing.
void tell_client_secret(SSL_CTX* context, std::string& secret);

// What a client says by hand from then on, in order, instead of its library.
class HandmadeRecords {
 public:
  enum class Type : std::uint8_t { alert = 21, handshake = 22, application = 23 };

  explicit HandmadeRecords(std::string_view client_secret) : secret_(client_secret) {}

  // Each call counts: not twice in one expression.
  std::string next(Type type, std::string_view content);
  // Behind a whole KeyUpdate (RFC 8446 7.2).
  void update_key();

 private:
  std::string secret_;
  std::uint64_t number_ = 0;
};

}  // namespace understudy::testing_support

#include "proxy/tls_alpn.h"

#include <openssl/ssl.h>

#include <array>

namespace understudy::proxy {

bool offer_h2(TlsStream& stream) noexcept {
  constexpr std::array<unsigned char, 3> kNames = {2, 'h', '2'};  // each behind its length
  return SSL_set_alpn_protos(stream.native_handle(), kNames.data(), kNames.size()) == 0;
}

bool chose_h2(TlsStream& stream) noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(stream.native_handle(), &name, &size);
  return size == 2 && name[0] == 'h' && name[1] == '2';
}

}  // namespace understudy::proxy

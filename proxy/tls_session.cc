#include "proxy/tls_session.h"

#include <openssl/ssl.h>

namespace understudy::proxy {

void FreeTlsSession::operator()(ssl_st* session) const noexcept {
  // A session stays good when its connection ends without a word, as many clients' do (RFC 5246
  // 7.2.1); OpenSSL would forget it.
  SSL_set_shutdown(session, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(session);
}

}  // namespace understudy::proxy

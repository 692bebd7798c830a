#pragma once
// OpenSSL's state of one connection: which end of it this is, whom it accepts and what was agreed.

#include <memory>

struct ssl_st;

namespace understudy::proxy {

struct FreeTlsSession {
  void operator()(ssl_st* session) const noexcept;
};
using TlsSession = std::unique_ptr<ssl_st, FreeTlsSession>;

}  // namespace understudy::proxy

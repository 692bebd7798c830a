#include "proxy/commands/address_url.h"

namespace understudy::proxy {

std::string url_of(const routing::Address& address, std::uint16_t port, bool tls) {
  const bool bare_v6 =
      address.host.find(':') != std::string::npos && !address.host.starts_with('[');
  return (tls ? "https://" : "http://") + (bare_v6 ? "[" + address.host + "]" : address.host) +
         ":" + std::to_string(port);
}

}  // namespace understudy::proxy

#pragma once
// TLS contexts for upstreams by their trust anchors. Those with the same anchors share one: the
// system's bundle takes milliseconds and megabytes to load. Belongs to one thread at a time; the
// contexts may be used by all.

#include <map>
#include <memory>
#include <string>

#include "proxy/tls.h"

namespace understudy::proxy {

class TlsContexts {
 public:
  Result<std::shared_ptr<boost::asio::ssl::context>> of(const std::string& ca_file) {
    if (const auto found = made_.find(ca_file); found != made_.end()) return found->second;
    auto made = make_client_tls(ca_file);
    if (made) made_.emplace(ca_file, *made);
    return made;
  }

 private:
  std::map<std::string, std::shared_ptr<boost::asio::ssl::context>> made_;
};

}  // namespace understudy::proxy

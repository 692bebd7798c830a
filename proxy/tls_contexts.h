#pragma once
// TLS contexts for upstreams by their trust anchors. Those with the same anchors share one: the
// system's bundle takes milliseconds and megabytes to load. A file that holds something else than
// before is loaded anew. Belongs to one thread at a time; the contexts may be used by all.

#include <cstdint>
#include <map>
#include <string>

#include "proxy/read_file.h"
#include "proxy/tls.h"
#include "proxy/trust_anchors.h"
#include "routing/hash.h"

namespace understudy::proxy {

class TlsContexts {
 public:
  Result<TrustAnchors> of(const std::string& ca_file) {
    const std::uint64_t fingerprint = fingerprint_of(ca_file);
    const auto found = made_.find(ca_file);
    if (found != made_.end() && found->second.fingerprint == fingerprint) return found->second;
    auto made = make_client_tls(ca_file);
    if (!made) return made.error();
    return made_.insert_or_assign(ca_file, TrustAnchors{std::move(*made), fingerprint})
        .first->second;
  }

 private:
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20;
  static std::uint64_t fingerprint_of(const std::string& ca_file) {
    if (ca_file.empty()) return 0;
    return routing::hash64(read_file(ca_file, kMaxBytes).value_or(""));
  }

  std::map<std::string, TrustAnchors> made_;
};

}  // namespace understudy::proxy

#pragma once
// Whom an upstream's certificate is held against. A plain value.

#include <cstdint>
#include <memory>

namespace boost::asio::ssl {
class context;
}

namespace understudy::proxy {

struct TrustAnchors {
  std::shared_ptr<boost::asio::ssl::context> context;  // null: none are needed
  std::uint64_t fingerprint = 0;  // of the file's bytes; 0: the system's anchors
};

}  // namespace understudy::proxy

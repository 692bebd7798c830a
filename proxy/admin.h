#pragma once
// The admin port: metrics, health, the status page and the API, on a thread of its own so that it
// answers while the proxy is busy. Loopback only. Owned by the serve command.

#include <cstdint>
#include <memory>

#include "proxy/admin_api.h"
#include "proxy/error.h"
#include "routing/config.h"

namespace understudy::proxy {

class Admin {
 public:
  // Binds and begins to answer. The sources must stay valid until the Admin is gone.
  static Result<std::unique_ptr<Admin>> start(const routing::Address& address,
                                              AdminSources sources);
  // Closes its connections and joins its thread; waits for a reload under way.
  ~Admin();

  std::uint16_t port() const noexcept;  // the real one where the address says 0

 private:
  struct Impl;
  explicit Admin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy

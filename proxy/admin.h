#pragma once
// The admin port: metrics, health, the status page and the API, on a thread of its own so that it
// answers while the proxy is busy; beyond loopback for those only who bring the token or a client
// certificate. Beside it, where the config asks for it, a read-only port for scrapers and probes.
// Owned by the serve command.

#include <cstdint>
#include <memory>

#include "proxy/admin_api.h"
#include "proxy/error.h"
#include "routing/config.h"

namespace understudy::proxy {

class Admin {
 public:
  // Binds and begins to answer. The sources must stay valid until the Admin is gone.
  static Result<std::unique_ptr<Admin>> start(const routing::AdminConfig& config,
                                              AdminSources sources);
  // Closes its connections and joins its thread; waits for a reload under way.
  ~Admin();

  std::uint16_t port() const noexcept;            // the real one where the address says 0
  std::uint16_t read_only_port() const noexcept;  // 0: there is none

 private:
  struct Impl;
  explicit Admin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy

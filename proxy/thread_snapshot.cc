#include "proxy/thread_snapshot.h"

namespace understudy::proxy {
namespace {

// Everything a pool is made of: two upstreams that agree in it share one.
std::string pool_key(const UpstreamTarget& upstream, const routing::Endpoint& endpoint) {
  const auto& config = upstream.config;
  std::string key = endpoint.tls ? "https://" : "http://";
  key.append(endpoint.host).append(":").append(std::to_string(endpoint.port));
  key.append(" ").append(config.ca_file);
  key.append(" ").append(std::to_string(upstream.tls.fingerprint));  // also where the file changed
  key.append(" ").append(std::to_string(config.max_idle_connections));
  key.append(" ").append(std::to_string(config.pool_idle_timeout.count()));
  key.append(" ").append(std::to_string(config.tcp_keep_alive.count()));
  key.append(" ").append(std::to_string(config.dns_refresh.count()));
  key.append(" ").append(std::to_string(config.dns_keep.count()));
  return key;
}

}  // namespace

std::shared_ptr<UpstreamPool> PoolSet::pool_for(const UpstreamTarget& upstream,
                                                const routing::Endpoint& endpoint) {
  auto& known = pools_[pool_key(upstream, endpoint)];
  if (auto pool = known.lock()) return pool;
  auto pool = std::make_shared<UpstreamPool>(
      resources_, endpoint, endpoint.tls ? upstream.tls.context : nullptr,
      UpstreamPool::Settings{.addresses = {upstream.config.dns_refresh, upstream.config.dns_keep},
                             .tcp_keep_alive = upstream.config.tcp_keep_alive,
                             .max_idle = upstream.config.max_idle_connections,
                             .idle_timeout = upstream.config.pool_idle_timeout});
  known = pool;
  return pool;
}

std::shared_ptr<const ThreadSnapshot> PoolSet::apply(std::shared_ptr<const Snapshot> snapshot) {
  if (latest_ && latest_->snapshot == snapshot) return latest_;
  auto view = std::make_shared<ThreadSnapshot>();
  for (const auto& upstream : snapshot->upstreams) {
    view->runtime.push_back(pool_for(*upstream, upstream->config.endpoint));
    view->control_plane.push_back(pool_for(*upstream, upstream->config.control_endpoint));
  }
  view->snapshot = std::move(snapshot);
  std::erase_if(pools_, [](const auto& entry) { return entry.second.expired(); });
  latest_ = view;
  return view;
}

void PoolSet::close_idle() noexcept {
  for (const auto& [key, known] : pools_) {
    if (const auto pool = known.lock()) pool->close_idle();
  }
}

}  // namespace understudy::proxy

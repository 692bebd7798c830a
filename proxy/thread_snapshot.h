#pragma once
// A snapshot as one thread sees it: with that thread's connection pools beside the upstreams. Pools
// of upstreams that a reload did not change go on with their connections.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/snapshot.h"
#include "proxy/upstream_pool.h"

namespace understudy::proxy {

struct ThreadSnapshot {
  std::shared_ptr<const Snapshot> snapshot;
  // In the order of Config::upstreams.
  std::vector<std::shared_ptr<UpstreamPool>> runtime;
  std::vector<std::shared_ptr<UpstreamPool>> control_plane;

  const std::shared_ptr<UpstreamPool>& pool(std::size_t upstream, routing::Surface surface) const {
    return surface == routing::Surface::runtime ? runtime[upstream] : control_plane[upstream];
  }
};

class PoolSet {
 public:
  explicit PoolSet(ThreadResources& resources) : resources_(resources) {}

  std::shared_ptr<const ThreadSnapshot> apply(std::shared_ptr<const Snapshot> snapshot);
  // Closes every resting connection, so that the thread can run out of work.
  void close_idle() noexcept;

 private:
  std::shared_ptr<UpstreamPool> pool_for(const UpstreamTarget& upstream,
                                         const routing::Endpoint& endpoint);

  ThreadResources& resources_;
  std::map<std::string, std::weak_ptr<UpstreamPool>> pools_;
  std::shared_ptr<const ThreadSnapshot> latest_;
};

}  // namespace understudy::proxy

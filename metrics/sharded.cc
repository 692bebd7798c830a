#include "metrics/sharded.h"

namespace understudy::metrics {

std::size_t shard_of_this_thread() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kShards;
  return mine;
}

}  // namespace understudy::metrics

#pragma once
// The share of a route's conversations that the candidate serves at this moment: one word that all
// threads read at each decision, so that a rollback is one store. The word goes with the route's
// plan, not with the snapshot: a reload that leaves the plan alone goes on with it. The config's
// own percent or stages bound it from above wherever it is read (RouteTable::decide).

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "routing/percent.h"

namespace understudy::routing {

// Any thread may read and write.
class LiveShare {
 public:
  explicit LiveShare(Percent share) noexcept : hundredths_(share.hundredths) {}
  LiveShare(const LiveShare&) = delete;
  LiveShare& operator=(const LiveShare&) = delete;

  Percent now() const noexcept { return {hundredths_.load(std::memory_order_acquire)}; }
  void set(Percent share) noexcept {
    hundredths_.store(share.hundredths, std::memory_order_release);
  }

 private:
  std::atomic<std::uint32_t> hundredths_;
};

using LiveShares = std::vector<std::shared_ptr<LiveShare>>;  // as Config::routes

}  // namespace understudy::routing

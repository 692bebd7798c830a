#pragma once
// The share of a route's conversations that the candidate serves at this moment: one word that all
// threads read at each decision, so that a rollback is one store. It takes away the drills with the
// share: they, too, would let the candidate serve. The word goes with the route's plan, not with
// the snapshot: a reload that leaves the plan alone goes on with it. The config's own percent or
// stages bound it from above wherever it is read (RouteTable::decide).

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "routing/percent.h"

namespace understudy::routing {

// Any thread may read and write.
class LiveShare {
 public:
  explicit LiveShare(Percent share) noexcept : word_(share.hundredths) {}
  LiveShare(const LiveShare&) = delete;
  LiveShare& operator=(const LiveShare&) = delete;

  Percent now() const noexcept {
    const std::uint32_t word = word_.load(std::memory_order_acquire);
    return {word == kWithdrawn ? 0 : word};
  }
  // The route is rolled back.
  bool withdrawn() const noexcept { return word_.load(std::memory_order_acquire) == kWithdrawn; }

  void set(Percent share) noexcept { word_.store(share.hundredths, std::memory_order_release); }
  void withdraw() noexcept { word_.store(kWithdrawn, std::memory_order_release); }

 private:
  static constexpr std::uint32_t kWithdrawn = ~std::uint32_t{0};
  std::atomic<std::uint32_t> word_;  // hundredths of a percent, or kWithdrawn
};

using LiveShares = std::vector<std::shared_ptr<LiveShare>>;  // as Config::routes

}  // namespace understudy::routing

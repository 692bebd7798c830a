#pragma once
// Counters that many threads bump and one reads now and then. Every thread has a shard of its own
// as long as there are no more threads than shards; beyond that they share, still without a lock.
// Relaxed throughout: a sum is exact once the threads rest, and never goes back.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace understudy::metrics {

inline constexpr std::size_t kShards = 16;

// The calling thread's shard, given out in turn.
std::size_t shard_of_this_thread() noexcept;

inline void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) noexcept {
  counter.fetch_add(by, std::memory_order_relaxed);
}

// N counters that belong together, each with its shards.
template <std::size_t N>
class ShardedCounters {
 public:
  void add(std::size_t which, std::uint64_t by = 1) noexcept {
    bump(shards_[shard_of_this_thread()].counters[which], by);
  }
  std::uint64_t sum(std::size_t which) const noexcept {
    std::uint64_t total = 0;
    for (const Shard& shard : shards_) {
      total += shard.counters[which].load(std::memory_order_relaxed);
    }
    return total;
  }

 private:
  struct alignas(64) Shard {
    std::array<std::atomic<std::uint64_t>, N> counters{};
  };
  std::array<Shard, kShards> shards_{};
};

// Times in buckets whose upper bounds are seconds, inclusive as Prometheus has it; one more bucket
// holds the rest.
template <std::size_t N>
class TimeHistogram {
 public:
  using Bounds = std::array<double, N>;
  struct Totals {
    std::array<std::uint64_t, N + 1> buckets{};  // not cumulative
    double sum_seconds = 0.0;
    std::uint64_t count() const noexcept {
      std::uint64_t all = 0;
      for (const std::uint64_t bucket : buckets) all += bucket;
      return all;
    }
  };

  // `bounds` must outlive the histogram.
  explicit TimeHistogram(const Bounds& bounds) noexcept : bounds_(&bounds) {}

  void observe(std::chrono::nanoseconds time) noexcept {
    const auto nanos = std::max<std::chrono::nanoseconds::rep>(time.count(), 0);
    const double seconds = static_cast<double>(nanos) * 1e-9;
    const auto bucket = static_cast<std::size_t>(
        std::lower_bound(bounds_->begin(), bounds_->end(), seconds) - bounds_->begin());
    Shard& shard = shards_[shard_of_this_thread()];
    bump(shard.buckets[bucket]);
    bump(shard.sum_nanos, static_cast<std::uint64_t>(nanos));
  }

  Totals totals() const noexcept {
    Totals totals;
    for (const Shard& shard : shards_) {
      for (std::size_t i = 0; i <= N; ++i) {
        totals.buckets[i] += shard.buckets[i].load(std::memory_order_relaxed);
      }
      totals.sum_seconds +=
          static_cast<double>(shard.sum_nanos.load(std::memory_order_relaxed)) * 1e-9;
    }
    return totals;
  }
  std::span<const double> bounds() const noexcept { return *bounds_; }

 private:
  struct alignas(64) Shard {
    std::array<std::atomic<std::uint64_t>, N + 1> buckets{};
    std::atomic<std::uint64_t> sum_nanos{0};
  };
  const Bounds* bounds_;
  std::array<Shard, kShards> shards_{};
};

}  // namespace understudy::metrics

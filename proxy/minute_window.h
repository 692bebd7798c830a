#pragma once
// Amounts of the last 60 seconds, second by second: what is taken is within a limit in any such
// minute, not only on average. Any thread; shadow work and status alone, so a lock is no matter.

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace understudy::proxy {

// What was taken, so that it can be put right when more is known.
struct TokenReservation {
  std::uint64_t tokens = 0;
  std::int64_t second = 0;
};

class MinuteWindow {
 public:
  static constexpr std::int64_t kSeconds = 60;
  using Time = std::chrono::steady_clock::time_point;

  // False, and nothing taken, where the last 60 seconds with `amount` would exceed `limit`.
  bool take(std::uint64_t amount, std::uint64_t limit, Time now, TokenReservation& taken) noexcept;
  // It came to `tokens` after all. Without effect once the reservation has left the window.
  void correct(const TokenReservation& taken, std::uint64_t tokens) noexcept;
  std::uint64_t sum(Time now) const noexcept;

 private:
  struct Slot {
    std::int64_t second = -1;
    std::uint64_t amount = 0;
  };
  Slot& slot(std::int64_t second) noexcept {
    return slots_[static_cast<std::size_t>(second % kSeconds)];
  }
  std::uint64_t sum_until(std::int64_t second) const noexcept;

  mutable std::mutex mutex_;
  std::array<Slot, static_cast<std::size_t>(kSeconds)> slots_{};
};

}  // namespace understudy::proxy

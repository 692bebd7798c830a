#include "proxy/minute_window.h"

#include <algorithm>

namespace understudy::proxy {
namespace {

std::int64_t second_of(MinuteWindow::Time now) noexcept {
  return std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
}

}  // namespace

std::uint64_t MinuteWindow::sum_until(std::int64_t second) const noexcept {
  std::uint64_t sum = 0;
  for (const Slot& one : slots_) {
    if (one.second > second - kSeconds) sum += one.amount;
  }
  return sum;
}

bool MinuteWindow::take(std::uint64_t amount, std::uint64_t limit, Time now,
                        TokenReservation& taken) noexcept {
  const std::int64_t second = second_of(now);
  const std::lock_guard lock(mutex_);
  const std::uint64_t used = sum_until(second);
  if (used > limit || amount > limit - used) return false;
  Slot& into = slot(second);
  if (into.second != second) into = {.second = second, .amount = 0};
  into.amount += amount;
  taken = {.tokens = amount, .second = second};
  return true;
}

void MinuteWindow::correct(const TokenReservation& taken, std::uint64_t tokens) noexcept {
  const std::lock_guard lock(mutex_);
  Slot& into = slot(taken.second);
  if (into.second != taken.second) return;
  into.amount = into.amount - std::min(into.amount, taken.tokens) + tokens;
}

std::uint64_t MinuteWindow::sum(Time now) const noexcept {
  const std::lock_guard lock(mutex_);
  return sum_until(second_of(now));
}

}  // namespace understudy::proxy

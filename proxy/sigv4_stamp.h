#pragma once
// The time as AWS Signature Version 4 writes it. Pure.

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace understudy::proxy {

// The time of signing as "20260131T235959Z"; its first kDayChars are the day of the scope.
class Stamp {
 public:
  static constexpr std::size_t kDayChars = 8;

  // In seconds: a date that a client made up overflows the system clock's nanoseconds.
  explicit Stamp(std::chrono::sys_seconds now) {
    const auto day = std::chrono::floor<std::chrono::days>(now);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{now - day};
    const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
    put(0, year / 100);
    put(2, year % 100);
    put(4, static_cast<unsigned>(date.month()));
    put(6, static_cast<unsigned>(date.day()));
    put(9, static_cast<unsigned>(time.hours().count()));
    put(11, static_cast<unsigned>(time.minutes().count()));
    put(13, static_cast<unsigned>(time.seconds().count()));
  }
  template <typename Duration>
  explicit Stamp(std::chrono::sys_time<Duration> now)
      : Stamp(std::chrono::floor<std::chrono::seconds>(now)) {}

  std::string_view text() const { return {text_.data(), text_.size()}; }

 private:
  void put(std::size_t at, unsigned two_digits) {
    text_[at] = static_cast<char>('0' + two_digits / 10 % 10);
    text_[at + 1] = static_cast<char>('0' + two_digits % 10);
  }
  std::array<char, 16> text_{'0', '0', '0', '0', '0', '0', '0', '0',
                             'T', '0', '0', '0', '0', '0', '0', 'Z'};
};

}  // namespace understudy::proxy

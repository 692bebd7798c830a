#include "routing/day.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace understudy::routing {

namespace {

std::optional<int> number(std::string_view digits) noexcept {
  int value = 0;
  const bool fit =
      std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }) &&
      std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc{};
  return fit ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<std::chrono::sys_days> day_from_text(std::string_view text) noexcept {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = number(text.substr(0, 4));
  const auto month = number(text.substr(5, 2));
  const auto day = number(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date};
}

std::string day_text(std::chrono::sys_days day) {
  const std::chrono::year_month_day date{day};
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text.data();
}

std::chrono::sys_days today() noexcept {
  return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
}

}  // namespace understudy::routing

#pragma once
// Days of the calendar, and as text: "2026-11-20".

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::routing {

// None where the text is no day.
std::optional<std::chrono::sys_days> day_from_text(std::string_view text) noexcept;
std::string day_text(std::chrono::sys_days day);
// In UTC, as AWS counts days.
std::chrono::sys_days today() noexcept;

}  // namespace understudy::routing

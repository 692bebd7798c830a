#pragma once
// Structured log: one JSON object per line on standard error. Any thread; a line is written whole.
// Values are what the caller names: there is no way to log a message head, a body or a Secret. At
// most 10 lines a second per event; what is left out is counted in the next line of that event.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "routing/config.h"

namespace understudy::proxy {

struct LogField {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;
};

using LogLevel = routing::LogConfig::Level;

void set_log_level(LogLevel level) noexcept;

// `event` is a constant such as "config_reloaded"; it identifies the line for people and for the
// rate limit.
void log(LogLevel level, std::string_view event,
         std::initializer_list<LogField> fields = {}) noexcept;

inline void log_info(std::string_view event, std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::info, event, fields);
}
inline void log_warn(std::string_view event, std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::warn, event, fields);
}
inline void log_error(std::string_view event,
                      std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::error, event, fields);
}

}  // namespace understudy::proxy

#include "proxy/log.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace understudy::proxy {
namespace {

// A write of at most PIPE_BUF bytes to a pipe is atomic, so that lines of several threads never
// mix.
constexpr std::size_t kMaxLineBytes = 4096;
constexpr std::size_t kReservedForEnd = 2;  // "}\n"
constexpr std::int64_t kLinesPerSecond = 10;
// Events are constants of the source; the cap only keeps a mistake from growing the table.
constexpr std::size_t kMaxEvents = 256;

std::atomic<LogLevel> g_level{LogLevel::info};

std::string_view label(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

class RateLimit {
 public:
  // How many lines of the event were left out since its last one; none where this line is to be
  // left out too.
  std::optional<std::int64_t> admit(std::string_view event) {
    const auto second = std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now())
                            .time_since_epoch()
                            .count();
    const std::lock_guard lock(mutex_);
    Window& window = window_of(event);
    if (window.second != second) {
      window.second = second;
      window.lines = 0;
    }
    if (window.lines == kLinesPerSecond) {
      ++window.suppressed;
      return std::nullopt;
    }
    ++window.lines;
    return std::exchange(window.suppressed, 0);
  }

 private:
  struct Window {
    std::int64_t second = -1;
    std::int64_t lines = 0;
    std::int64_t suppressed = 0;
  };

  Window& window_of(std::string_view event) {
    if (const auto found = windows_.find(event); found != windows_.end()) return found->second;
    if (windows_.size() == kMaxEvents) return overflow_;
    return windows_[std::string(event)];
  }

  std::mutex mutex_;
  // Guarded by mutex_:
  std::map<std::string, Window, std::less<>> windows_;
  Window overflow_;
};

// Never destroyed: threads may log while the process ends.
RateLimit& rate_limit() {
  static auto& limit = *new RateLimit;
  return limit;
}

// How many bytes the well-formed UTF-8 sequence at the front has (Unicode 15, table 3-7); 0 where
// there is none.
std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xED && byte(1) >= 0xA0;
  const bool beyond = lead == 0xF4 && byte(1) >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

// Builds one line; what does not fit is cut inside a value or left out as a whole field, so it
// stays valid JSON.
class Line {
 public:
  void append_raw(std::string_view text) { text_.append(text); }

  void append_string(std::string_view value) {
    text_ += '"';
    const std::size_t end = kMaxLineBytes - kReservedForEnd - 1;
    while (!value.empty()) {
      const std::size_t length = utf8_length(value);
      std::array<char, 8> storage{};
      const std::string_view written =
          length == 0 ? "\xEF\xBF\xBD" : escaped(value.substr(0, length), storage);
      if (text_.size() + written.size() > end) break;
      text_ += written;
      value.remove_prefix(length == 0 ? 1 : length);
    }
    text_ += '"';
  }

  void append_field(const LogField& field) {
    // Room for the key, its quotes and the longest number; a string takes what is left.
    if (text_.size() + field.key.size() + 40 > kMaxLineBytes - kReservedForEnd) return;
    text_ += ',';
    append_string(field.key);
    text_ += ':';
    std::visit([this](auto value) { append_value(value); }, field.value);
  }

  void write() {
    text_ += "}\n";
    // A failing standard error leaves nobody to tell.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text_.data(), text_.size());
  }

 private:
  static std::string_view escaped(std::string_view character, std::array<char, 8>& storage) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(character[0]);
    if (byte == '"') return "\\\"";
    if (byte == '\\') return "\\\\";
    if (byte == '\n') return "\\n";
    if (byte == '\t') return "\\t";
    if (byte >= 0x20 && byte != 0x7F) return character;
    storage = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 0xF]};
    return {storage.data(), 6};
  }

  void append_value(std::string_view value) { append_string(value); }
  void append_value(bool value) { text_ += value ? "true" : "false"; }
  void append_value(std::int64_t value) { append_number(value); }
  void append_value(double value) {
    if (std::isfinite(value)) {
      append_number(value);
    } else {
      text_ += "null";  // JSON has no word for it
    }
  }

  template <typename Number>
  void append_number(Number value) {
    std::array<char, 32> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc{}) text_.append(digits.data(), end);
  }

  std::string text_;
};

std::string now_in_utc() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
  std::string result(text.data(), length);
  const std::string millis = std::to_string(since_epoch.count() % 1000);
  return result.append(3 - millis.size(), '0').append(millis).append("Z");
}

}  // namespace

void set_log_level(LogLevel level) noexcept {
  g_level.store(level, std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) noexcept {
  if (level < g_level.load(std::memory_order_relaxed)) return;
  try {
    const auto suppressed = rate_limit().admit(event);
    if (!suppressed) return;
    Line line;
    line.append_raw("{\"time\":\"");
    line.append_raw(now_in_utc());
    line.append_raw("\",\"level\":\"");
    line.append_raw(label(level));
    line.append_raw("\",\"event\":");
    line.append_string(event);
    if (*suppressed > 0) line.append_field({"suppressed", *suppressed});
    for (const LogField& field : fields) line.append_field(field);
    line.write();
  } catch (...) {
    // Out of memory: a log line is the last thing worth failing for.
  }
}

}  // namespace understudy::proxy

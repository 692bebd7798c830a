#include "proxy/aws/timestamp.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace understudy::proxy::aws {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// Takes pieces off the front of a text; once something does not fit, nothing does any more.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  unsigned digits(std::size_t count) {
    unsigned value = 0;
    if (rest_.size() < count) ok_ = false;
    for (std::size_t i = 0; ok_ && i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') ok_ = false;
      value = value * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    if (ok_) rest_.remove_prefix(count);
    return ok_ ? value : 0;
  }
  bool take(std::string_view what) {
    if (!ok_ || !rest_.starts_with(what)) return false;
    rest_.remove_prefix(what.size());
    return true;
  }
  void need(char what) { ok_ = take({&what, 1}); }
  void fraction() {
    if (!take(".")) return;
    const std::size_t end = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (end == 0) ok_ = false;
    rest_.remove_prefix(end);
  }
  bool done() const { return ok_ && rest_.empty(); }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// What the local time is ahead of UTC.
seconds zone(Reader& text) {
  if (text.take("Z") || text.take("UTC")) return seconds(0);
  const bool ahead = text.take("+");
  if (!ahead && !text.take("-")) return seconds(0);
  const auto hour = hours(text.digits(2));
  text.take(":");
  const seconds offset = hour + minutes(text.digits(2));
  return ahead ? offset : -offset;
}

}  // namespace

std::optional<WallTime> parse_timestamp(std::string_view text) {
  Reader reader(text);
  const unsigned year = reader.digits(4);
  const bool extended = reader.take("-");
  const unsigned month = reader.digits(2);
  if (extended) reader.need('-');
  const unsigned day = reader.digits(2);
  if (!reader.take("T")) reader.need(' ');
  const unsigned hour = reader.digits(2);
  if (extended) reader.need(':');
  const unsigned minute = reader.digits(2);
  if (extended) reader.need(':');
  const unsigned second = reader.digits(2);
  reader.fraction();
  const seconds offset = zone(reader);
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(month), std::chrono::day(day)};
  if (!reader.done() || year < 1970 || !date.ok() || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  // The clock counts nanoseconds and ends in the year 2262: what lies behind it might as well last
  // for ever, and must not wrap around.
  if (year > 2261) return WallTime::max();
  return std::chrono::sys_days(date) + hours(hour) + minutes(minute) + seconds(second) - offset;
}

std::optional<seconds> parse_seconds(std::string_view text) {
  constexpr std::int64_t kMost = std::int64_t{10} * 366 * 86'400;
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failure == std::errc{} && end == text.data() + text.size();
  if (!whole || value < 0 || value > kMost) return std::nullopt;
  return seconds(value);
}

std::string format_timestamp(WallTime when) {
  const auto day = std::chrono::floor<days>(when);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{std::chrono::floor<seconds>(when - day)};
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text;
}

}  // namespace understudy::proxy::aws

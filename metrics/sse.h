#pragma once
// Server-sent events (WHATWG HTML, "9.2.6 Interpreting an event stream"), decoded as they come in
// pieces of any size. Bounded; one decoder for one stream, on one thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::metrics {

// Views into the decoder, valid until its next call.
struct SseEvent {
  std::string_view type;  // of the `event` field; empty where there was none, which means "message"
  std::string_view data;  // the `data` lines, joined by '\n'
};

class SseDecoder {
 public:
  static constexpr std::size_t kMaxType = 128;  // a longer one is cut

  // An event whose data exceed `max_event_bytes` breaks the stream off: there are no more.
  explicit SseDecoder(std::size_t max_event_bytes = std::size_t{32} << 20) noexcept
      : max_event_bytes_(max_event_bytes) {}

  // The next event that `bytes` completes; takes what it has read off their front. None where they
  // end before the next event does: then all of them are taken.
  std::optional<SseEvent> next(std::string_view& bytes);

  // How many bytes were taken so far: behind the event that next() gave last.
  std::uint64_t taken() const noexcept { return taken_; }
  bool failed() const noexcept { return failed_; }

 private:
  bool take_line(std::string_view& bytes);
  void read_line(std::string_view line);
  void drop(std::string_view& bytes, std::size_t count) noexcept;

  const std::size_t max_event_bytes_;
  std::uint64_t taken_ = 0;
  std::string partial_;    // of a line that has not ended
  std::string_view line_;  // that take_line() found: in the caller's bytes, or in `whole_line_`
  std::string whole_line_;
  std::string type_, data_;
  bool has_data_ = false;
  bool given_ = false;         // the event in type_ and data_ was handed out
  bool first_line_ = true;     // a byte order mark may stand before it
  bool after_return_ = false;  // a line feed that comes now belongs to the line before
  bool failed_ = false;
};

}  // namespace understudy::metrics

#include "metrics/sse.h"

#include <algorithm>

namespace understudy::metrics {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Where the line ends that `bytes` begin with. Two searches of the library's are faster than one of
// our own, and carriage returns are rare.
std::size_t line_end(std::string_view bytes) noexcept {
  const std::string_view before_feed = bytes.substr(0, bytes.find('\n'));
  const std::size_t carriage_return = before_feed.find('\r');
  if (carriage_return != std::string_view::npos) return carriage_return;
  return before_feed.size() < bytes.size() ? before_feed.size() : std::string_view::npos;
}

}  // namespace

void SseDecoder::drop(std::string_view& bytes, std::size_t count) noexcept {
  bytes.remove_prefix(count);
  taken_ += count;
}

// True when a line has ended; it stands in `line_` until the next call.
bool SseDecoder::take_line(std::string_view& bytes) {
  if (after_return_ && !bytes.empty()) {
    after_return_ = false;
    if (bytes.front() == '\n') drop(bytes, 1);
  }
  const std::size_t end = line_end(bytes);
  const std::string_view piece = bytes.substr(0, end);
  if (partial_.size() + piece.size() > max_event_bytes_) {
    failed_ = true;
    return false;
  }
  if (end == std::string_view::npos) {
    partial_.append(piece);
    drop(bytes, bytes.size());
    return false;
  }
  if (partial_.empty()) {
    line_ = piece;
  } else {
    partial_.append(piece);
    whole_line_.swap(partial_);
    partial_.clear();
    line_ = whole_line_;
  }
  after_return_ = bytes[end] == '\r';
  drop(bytes, end + 1);
  // The feed of the same line end, where it is here already: what follows begins behind it.
  if (after_return_ && !bytes.empty()) {
    after_return_ = false;
    if (bytes.front() == '\n') drop(bytes, 1);
  }
  if (first_line_ && line_.starts_with(kByteOrderMark)) line_.remove_prefix(kByteOrderMark.size());
  first_line_ = false;
  return true;
}

void SseDecoder::read_line(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == 0) return;  // a comment
  const std::string_view name = line.substr(0, colon);
  std::string_view value =
      colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") {
    type_ = value.substr(0, kMaxType);
  } else if (name == "data") {
    if (data_.size() + value.size() + 1 > max_event_bytes_) {
      failed_ = true;
      return;
    }
    if (has_data_) data_.push_back('\n');
    data_.append(value);
    has_data_ = true;
  }
}

std::optional<SseEvent> SseDecoder::next(std::string_view& bytes) {
  if (given_) {
    type_.clear();
    data_.clear();
    has_data_ = given_ = false;
  }
  while (!failed_ && take_line(bytes)) {
    if (!line_.empty()) {
      read_line(line_);
      continue;
    }
    if (has_data_) {
      given_ = true;
      return SseEvent{type_, data_};
    }
    type_.clear();  // an event without data is none
  }
  if (failed_) drop(bytes, bytes.size());
  return std::nullopt;
}

}  // namespace understudy::metrics

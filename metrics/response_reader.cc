#include "metrics/response_reader.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "metrics/event_stream.h"

namespace understudy::metrics {

namespace {

// What is kept of the head: enough for every field Bedrock sends, bounded against an upstream that
// sends more.
constexpr std::size_t kMaxFieldsBytes = 8u << 10;
constexpr std::size_t kSmallestBlock = 4u << 10;
constexpr std::size_t kLargestBlock = 256u << 10;

constexpr std::string_view kEventStreamType = "application/vnd.amazon.eventstream";
constexpr std::string_view kSseType = "text/event-stream";

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool begins_with(std::string_view text, std::string_view lower_case_prefix) noexcept {
  return text.size() >= lower_case_prefix.size() &&
         std::equal(lower_case_prefix.begin(), lower_case_prefix.end(), text.begin(),
                    [](char wanted, char c) { return wanted == lower(c); });
}

std::size_t total_size(const std::vector<Block>& blocks) noexcept {
  return std::accumulate(blocks.begin(), blocks.end(), std::size_t{0},
                         [](std::size_t sum, const Block& block) { return sum + block.size(); });
}

std::string joined(const std::vector<Block>& blocks) {
  std::string text;
  text.reserve(total_size(blocks));
  for (const Block& block : blocks) text += block.view();
  return text;
}

void append(Block& block, std::string_view bytes) noexcept {
  std::memcpy(block.data() + block.size(), bytes.data(), bytes.size());
  block.set_size(block.size() + bytes.size());
}

}  // namespace

void CapturedAnswer::clear() noexcept {
  fields.clear();
  for (auto* blocks : {&beginning, &tail}) blocks->clear();
  for (auto* marks : {&first_frames, &last_frames}) marks->clear();
  *this = {.fields = std::move(fields),
           .beginning = std::move(beginning),
           .tail = std::move(tail),
           .first_frames = std::move(first_frames),
           .last_frames = std::move(last_frames)};
}

bool CapturedAnswer::holds_all() const noexcept {
  return total_size(beginning) == body_bytes;
}

std::size_t CapturedAnswer::kept_bytes() const noexcept {
  return total_size(beginning) + total_size(tail);
}

std::string CapturedAnswer::beginning_text() const {
  return joined(beginning);
}

std::string CapturedAnswer::tail_text() const {
  return joined(tail);
}

std::optional<std::string> CapturedAnswer::whole_text() const {
  std::string text = beginning_text();
  if (text.size() == body_bytes) return text;
  if (text.size() != tail_offset) return std::nullopt;
  text += tail_text();
  return text;
}

std::optional<std::string_view> CapturedAnswer::whole_text_in(std::string& room) const {
  if (beginning.size() == 1 && holds_all()) return beginning.front().view();
  auto text = whole_text();
  if (!text) return std::nullopt;
  room = *std::move(text);
  return room;
}

std::optional<TimePoint> CapturedAnswer::arrival_before(std::uint64_t offset) const noexcept {
  const auto first_that_holds = [offset](const std::vector<FrameMark>& marks) {
    return std::find_if(marks.begin(), marks.end(),
                        [offset](const FrameMark& mark) { return mark.offset >= offset; });
  };
  const auto early = first_that_holds(first_frames);
  if (early != first_frames.end()) return early->arrived;
  const auto late = first_that_holds(last_frames);
  // Before the first of the last pieces there may be others, of which nothing is known.
  const bool gapless = frame_count == first_frames.size() + last_frames.size();
  if (late == last_frames.end() || (late == last_frames.begin() && !gapless)) return std::nullopt;
  return late->arrived;
}

void ResponseReader::on_head(int status, std::span<const routing::Field> fields) {
  captured_.status = status;
  for (const routing::Field& field : fields) {
    const bool content_type =
        field.name.size() == 12 && routing::equals_ignoring_case(field.name, "content-type");
    if (!content_type && !begins_with(field.name, "x-amzn-")) continue;
    if (content_type && begins_with(field.value, kEventStreamType)) {
      captured_.form = BodyForm::event_stream;
    } else if (content_type && begins_with(field.value, kSseType)) {
      captured_.form = BodyForm::sse;
    }
    const std::size_t needed = field.name.size() + field.value.size() + 3;
    if (captured_.fields.size() + needed > kMaxFieldsBytes) continue;
    if (field.value.find('\n') != std::string_view::npos) continue;  // would forge a line
    if (captured_.fields.empty()) captured_.fields.reserve(512);
    const std::size_t at = captured_.fields.size();
    captured_.fields.append(field.name);
    std::transform(captured_.fields.begin() + static_cast<std::ptrdiff_t>(at),
                   captured_.fields.end(),
                   captured_.fields.begin() + static_cast<std::ptrdiff_t>(at), lower);
    captured_.fields.append(": ").append(field.value).push_back('\n');
  }
}

void ResponseReader::on_body(std::string_view bytes, TimePoint now) {
  if (captured_.form == BodyForm::event_stream && !captured_.malformed_frames) {
    walk_frames(bytes, now);
  } else if (captured_.form == BodyForm::sse && !bytes.empty()) {
    frame_offset_ = captured_.body_bytes + bytes.size();
    mark_frame(now);
  }
  const std::string_view first =
      bytes.substr(0, budget_.beginning_bytes - std::min(budget_.beginning_bytes, beginning_kept_));
  keep_beginning(first);
  captured_.body_bytes += first.size();
  if (first.size() < bytes.size()) {
    if (budget_.tail_bytes != 0) keep_tail(bytes.substr(first.size()));
    captured_.body_bytes += bytes.size() - first.size();
  }
}

void ResponseReader::keep_beginning(std::string_view bytes) {
  std::vector<Block>& blocks = captured_.beginning;
  while (!bytes.empty()) {
    if (blocks.empty() || blocks.back().size() == blocks.back().capacity()) {
      // Blocks grow with the answer, so that a short one holds little and a long one is not many
      // pieces.
      const std::size_t wanted = std::clamp(beginning_kept_, kSmallestBlock, kLargestBlock);
      blocks.push_back(pool_->take(std::min(wanted, budget_.beginning_bytes - beginning_kept_)));
    }
    Block& block = blocks.back();
    const std::string_view piece = bytes.substr(0, block.capacity() - block.size());
    append(block, piece);
    beginning_kept_ += piece.size();
    bytes.remove_prefix(piece.size());
  }
}

// Halves lie at fixed places of the body (beginning + n * tail_bytes), so that what is kept does
// not depend on how the bytes were cut into pieces.
void ResponseReader::keep_tail(std::string_view bytes) {
  const std::uint64_t half = budget_.tail_bytes;
  const std::uint64_t begin = captured_.body_bytes - beginning_kept_;  // within the tail's domain
  const std::uint64_t last_half = (begin + bytes.size() - 1) / half;
  const std::uint64_t needed_from = last_half == 0 ? 0 : (last_half - 1) * half;
  std::uint64_t at = begin;
  if (needed_from > begin) {  // halves that this piece would fill and push out again are not copied
    at = needed_from;
    bytes.remove_prefix(static_cast<std::size_t>(needed_from - begin));
    if (older_) older_.set_size(0);
    if (newer_) newer_.set_size(0);
  }
  while (!bytes.empty()) {
    if (at % half == 0 && newer_ && newer_.size() != 0) {
      std::swap(older_, newer_);
      if (newer_) newer_.set_size(0);
    }
    if (!newer_) newer_ = pool_->take(budget_.tail_bytes);
    const std::string_view piece = bytes.substr(0, budget_.tail_bytes - newer_.size());
    append(newer_, piece);
    at += piece.size();
    bytes.remove_prefix(piece.size());
  }
}

void ResponseReader::walk_frames(std::string_view bytes, TimePoint now) {
  std::uint64_t at = captured_.body_bytes;
  while (!bytes.empty()) {
    if (frame_left_ == 0) {
      if (prelude_bytes_ == 0) frame_offset_ = at;
      const std::string_view piece = bytes.substr(0, prelude_.size() - prelude_bytes_);
      std::memcpy(prelude_.data() + prelude_bytes_, piece.data(), piece.size());
      prelude_bytes_ += piece.size();
      at += piece.size();
      bytes.remove_prefix(piece.size());
      if (prelude_bytes_ < prelude_.size()) return;
      const auto lengths = read_prelude({prelude_.data(), prelude_.size()});
      if (!lengths) {
        captured_.malformed_frames = true;
        return;
      }
      frame_left_ = lengths->total - prelude_.size();
    }
    const std::uint64_t step = std::min<std::uint64_t>(frame_left_, bytes.size());
    frame_left_ -= step;
    at += step;
    bytes.remove_prefix(static_cast<std::size_t>(step));
    if (frame_left_ == 0) mark_frame(now);
  }
}

void ResponseReader::mark_frame(TimePoint now) {
  prelude_bytes_ = 0;
  if (captured_.frame_count != 0) {
    captured_.longest_gap =
        std::max(captured_.longest_gap, std::chrono::nanoseconds{now - last_arrival_});
  }
  last_arrival_ = now;
  ++captured_.frame_count;
  const FrameMark mark{.offset = frame_offset_, .arrived = now};
  if (captured_.first_frames.size() < CapturedAnswer::kFirstMarks) {
    if (captured_.first_frames.empty()) {
      captured_.first_frames.reserve(CapturedAnswer::kFirstMarks);
    }
    captured_.first_frames.push_back(mark);
  } else if (captured_.last_frames.size() < CapturedAnswer::kLastMarks) {
    if (captured_.last_frames.empty()) captured_.last_frames.reserve(CapturedAnswer::kLastMarks);
    captured_.last_frames.push_back(mark);
  } else {
    captured_.last_frames[last_mark_] = mark;
    last_mark_ = (last_mark_ + 1) % CapturedAnswer::kLastMarks;
  }
}

CapturedAnswer ResponseReader::finish(AnswerEnd end) {
  captured_.end = end;
  // A body that ends properly inside a frame is as broken as one with a wrong length.
  if (end == AnswerEnd::complete && (frame_left_ != 0 || prelude_bytes_ != 0)) {
    captured_.malformed_frames = true;
  }
  std::rotate(captured_.last_frames.begin(),
              captured_.last_frames.begin() + static_cast<std::ptrdiff_t>(last_mark_),
              captured_.last_frames.end());
  for (Block* half : {&older_, &newer_}) {
    if (*half && half->size() != 0) captured_.tail.push_back(std::move(*half));
  }
  captured_.tail_offset = captured_.body_bytes - total_size(captured_.tail);
  return std::move(captured_);
}

}  // namespace understudy::metrics

#pragma once
// Looks at an answer's bytes as they pass by, on the thread that relays them. It never alters,
// never waits and never parses JSON: it keeps a bounded part of the bytes and notes when
// event-stream frames arrived. What the bytes mean is read later, elsewhere (answer.h).

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/blocks.h"
#include "routing/fields.h"

namespace understudy::metrics {

using TimePoint = std::chrono::steady_clock::time_point;

// `event_stream` is AWS's binary framing, `sse` the text form of server-sent events.
enum class BodyForm : std::uint8_t { whole, event_stream, sse };

// How the answer's body ended.
enum class AnswerEnd : std::uint8_t {
  complete,   // by its own framing
  cut,        // the upstream ended it before its time
  abandoned,  // we stopped reading (client gone, time-out, too large)
};

struct FrameMark {
  std::uint64_t offset = 0;  // of the frame's first byte in the body; SSE: see first_frames
  TimePoint arrived;         // of its last byte
};

// A finished answer as far as it was kept: its beginning and, where it was longer than the budget,
// its end.
struct CapturedAnswer {
  static constexpr std::size_t kFirstMarks = 16;
  static constexpr std::size_t kLastMarks = 16;

  int status = 0;
  std::string
      fields;  // "name: value\n" of content-type and every x-amzn-* field, names in lower case
  BodyForm form = BodyForm::whole;
  AnswerEnd end = AnswerEnd::complete;
  bool malformed_frames = false;  // the framing broke: the lengths or checksums cannot be
  std::uint64_t body_bytes = 0;   // of the whole answer
  std::vector<Block> beginning;
  std::vector<Block> tail;        // empty where `beginning` holds all
  std::uint64_t tail_offset = 0;  // of the tail's first byte in the body
  // Event streams. The ends of SSE's events are only known by looking at each byte, which nobody
  // does while relaying: there, each piece that arrived is marked with the offset behind it.
  std::uint64_t frame_count = 0;
  std::vector<FrameMark> first_frames;  // at most kFirstMarks
  std::vector<FrameMark>
      last_frames;  // at most kLastMarks, in order, not overlapping `first_frames`
  std::chrono::nanoseconds longest_gap{};  // between two frames

  // Forgets the answer and keeps the memory of its strings and lists for the next one.
  void clear() noexcept;
  bool holds_all() const noexcept;
  std::size_t kept_bytes() const noexcept;
  // What was kept of the beginning, and of the tail, as one piece (analysis thread).
  std::string beginning_text() const;
  std::string tail_text() const;
  // The whole body, if no byte of it was let go: the tail may begin where the beginning ends.
  std::optional<std::string> whole_text() const;
  // The same without a copy where it lies in one piece; else it is put into `room`.
  std::optional<std::string_view> whole_text_in(std::string& room) const;
  // When the byte before `offset` came, of a body in pieces (SSE); none where that was not kept.
  std::optional<TimePoint> arrival_before(std::uint64_t offset) const noexcept;
};

class ResponseReader {
 public:
  // Keeps the first `beginning_bytes` of the body and, beyond them, the last `tail_bytes` or a
  // little more.
  struct Budget {
    std::size_t beginning_bytes = 4u << 10;
    std::size_t tail_bytes = 8u << 10;
  };

  // `pool` is the calling thread's and must outlive the captured answer. `cleared` is one to fill.
  ResponseReader(BlockPool& pool, Budget budget, CapturedAnswer cleared = {}) noexcept
      : pool_(&pool), budget_(budget), captured_(std::move(cleared)) {}

  void on_head(int status, std::span<const routing::Field> fields);
  void on_body(std::string_view bytes, TimePoint now);
  // Keeps no more of the beginning than it has; the tail goes on. For when the memory for copies is
  // used up.
  void stop_keeping() noexcept { budget_.beginning_bytes = beginning_kept_; }
  // Hands out what was captured. Call once, last.
  CapturedAnswer finish(AnswerEnd end);

 private:
  void keep_beginning(std::string_view bytes);
  void keep_tail(std::string_view bytes);
  void mark_frame(TimePoint now);
  void walk_frames(std::string_view bytes, TimePoint now);

  BlockPool* pool_;
  Budget budget_;
  CapturedAnswer captured_;
  // The tail is two halves: when the newer is full it becomes the older, whose bytes are forgotten.
  Block older_, newer_;
  std::size_t beginning_kept_ = 0;
  // The frame under way.
  std::array<char, 12> prelude_{};
  std::uint64_t frame_offset_ = 0;
  std::uint64_t frame_left_ = 0;  // bytes of the frame still to come, once its prelude is known
  std::size_t prelude_bytes_ = 0;
  std::size_t last_mark_ = 0;  // where the ring of last marks is written next
  TimePoint last_arrival_{};
};

}  // namespace understudy::metrics

#include "metrics/sse_reading.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "metrics/families/families.h"
#include "metrics/json_reader.h"
#include "metrics/sse.h"

namespace understudy::metrics {

namespace {

using families::AnswerBuilder;
using routing::Operation;

// Where the first event that begins in `tail` begins: JSON holds no raw line end, so an empty line
// is always the end of an event.
std::size_t first_event_in(std::string_view tail) {
  std::size_t begin = tail.size();
  for (const std::string_view gap : {"\n\n", "\r\n\r\n", "\r\r"}) {
    const std::size_t at = tail.find(gap);
    if (at != std::string_view::npos) begin = std::min(begin, at + gap.size());
  }
  return begin;
}

class SseReading {
 public:
  SseReading(Operation operation, const CapturedAnswer& captured, AnswerBuilder& into)
      : operation_(operation), captured_(captured), into_(into) {}

  StreamOutcome run();

 private:
  void walk(std::string_view bytes, std::uint64_t offset);
  void read_event(const SseEvent& event);
  bool read_json(Json json);
  void note_content(std::uint64_t end);

  Operation operation_;
  const CapturedAnswer& captured_;
  AnswerBuilder& into_;
  JsonParser parser_;
  StreamOutcome seen_;
  bool done_ = false;  // OpenAI's "[DONE]" came
};

StreamOutcome SseReading::run() {
  seen_.broken = captured_.end != AnswerEnd::complete;
  const auto text = captured_.whole_text();
  if (text) {
    walk(*text, 0);
  } else {
    walk(captured_.beginning_text(), 0);
    const std::string tail = captured_.tail_text();
    const std::size_t begin = first_event_in(tail);
    walk(std::string_view{tail}.substr(begin), captured_.tail_offset + begin);
  }
  // A chat's finish_reason comes before its usage: only the mark behind both is the end.
  const bool ended = operation_ == Operation::chat_completions ? done_ : into_.finished();
  seen_.broken = seen_.broken || !ended;
  seen_.understood = seen_.understood && !seen_.broken && text.has_value();
  return seen_;
}

void SseReading::walk(std::string_view bytes, std::uint64_t offset) {
  SseDecoder decoder;
  while (const auto event = decoder.next(bytes)) {
    read_event(*event);
    if (into_.take_content_mark()) note_content(offset + decoder.taken());
  }
  seen_.broken = seen_.broken || decoder.failed();
}

void SseReading::read_event(const SseEvent& event) {
  if (event.data == "[DONE]") {
    done_ = true;
    return;
  }
  const auto json = parser_.parse(event.data);
  if (!json) {
    seen_.broken = true;
    return;
  }
  seen_.understood = read_json(*json) || seen_.understood;
}

bool SseReading::read_json(Json json) {
  switch (operation_) {
    case Operation::messages:
      return families::read_anthropic(json, into_);
    case Operation::responses:
      return families::read_response_event(json, into_);
    case Operation::chat_completions:
      if (const auto error = member(json, "error"); error && is_object(*error)) {
        into_.fail(string_at(*error, "type").value_or(""),
                   string_at(*error, "message").value_or(""));
        return true;
      }
      return families::read_openai(json, into_);
    default:
      return false;
  }
}

void SseReading::note_content(std::uint64_t end) {
  const auto when = captured_.arrival_before(end);
  if (!when) return;
  if (!seen_.first_content) seen_.first_content = when;
  seen_.last_content = when;
}

}  // namespace

StreamOutcome read_sse(Operation operation, const CapturedAnswer& captured, AnswerBuilder& into) {
  return SseReading{operation, captured, into}.run();
}

}  // namespace understudy::metrics

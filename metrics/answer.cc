#include "metrics/answer.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "metrics/base64.h"
#include "metrics/event_stream.h"
#include "metrics/families/families.h"
#include "metrics/http_status.h"
#include "metrics/json_reader.h"
#include "metrics/sse_reading.h"
#include "metrics/usage.h"
#include "routing/json_scan.h"

namespace understudy::metrics {

namespace {

using families::AnswerBuilder;
using routing::Operation;

constexpr std::size_t kMaxErrorType = 128;
constexpr std::size_t kMaxErrorMessage = 4u << 10;

// "com.amazon.coral#Name" and "Name:http://..." are both the name (Smithy's AWS restJson1
// protocol).
std::string error_name(std::string_view type) {
  type = type.substr(0, type.find(':'));
  type.remove_prefix(type.rfind('#') + 1);  // npos + 1 is 0
  return std::string{type.substr(0, kMaxErrorType)};
}

// Streams spell "throttlingException", header fields "ThrottlingException".
std::string exception_name(std::string_view type) {
  std::string name = error_name(type);
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') {
    name[0] = static_cast<char>(name[0] - ('a' - 'A'));
  }
  return name;
}

// A success by its status that tells of a failure later on. Throttling does not become the model's
// fault by coming late: ThrottlingException in an event stream, OpenAI's and Anthropic's words in
// server-sent events and in bodies.
ErrorClass class_of_late_error(std::string_view type, ErrorClass otherwise) noexcept {
  for (const std::string_view word :
       {"ThrottlingException", "rate_limit_error", "rate_limit_exceeded"}) {
    if (type == word) return ErrorClass::throttled;
  }
  return otherwise;
}

std::string_view message_of(Json error) {
  const auto message = string_at(error, "message");
  return (message ? message : string_at(error, "Message")).value_or("");
}

void read_error(const CapturedAnswer& captured, Observation& seen) {
  seen.error_type = error_name(captured_field(captured.fields, "x-amzn-errortype"));
  std::string room;
  const auto text = captured.whole_text_in(room);
  if (!text) return;
  JsonParser parser;
  const auto body = parser.parse(*text);
  if (!body) return;
  // The second wire puts it one level down: {"error": {"type", "message", ...}}.
  const Json error = member(*body, "error").value_or(*body);
  for (const std::string_view key : {"__type", "type"}) {
    if (seen.error_type.empty()) seen.error_type = error_name(string_at(error, key).value_or(""));
  }
  seen.error_message = message_of(error).substr(0, kMaxErrorMessage);
}

bool read_count(Json body, std::string_view key, AnswerBuilder& into) {
  const auto count = count_at(body, key);
  if (!count) return false;
  into.add_text(std::to_string(*count));
  return true;
}

bool read_body(Operation operation, Json body, AnswerBuilder& into) {
  switch (operation) {
    case Operation::converse:
      return families::read_converse(body, into);
    case Operation::count_tokens:
      return read_count(body, "inputTokens", into);
    case Operation::messages_count_tokens:
      return read_count(body, "input_tokens", into);
    case Operation::invoke_model:
      return families::read_model_json(body, into);
    case Operation::messages:
      return families::read_anthropic(body, into);
    case Operation::chat_completions:
      return families::read_openai(body, into);
    case Operation::responses:
      return families::read_response(body, into);
    case Operation::converse_stream:
    case Operation::invoke_model_with_response_stream:
    case Operation::invoke_model_with_bidirectional_stream:
    case Operation::apply_guardrail:
    case Operation::invoke_guardrail_checks:
    case Operation::start_async_invoke:
    case Operation::get_async_invoke:
    case Operation::list_async_invokes:
    case Operation::other:
      break;
  }
  return false;
}

// Passes over what the model says. False where the usage is not found that way: of Converse and
// OpenAI it is a member of that name, and of what calls itself an Anthropic message.
bool read_usage_only(Operation operation, std::string_view body, AnswerBuilder& into) {
  bool is_known = operation == Operation::converse || operation == Operation::chat_completions;
  const bool may_be_message =
      operation == Operation::messages || operation == Operation::invoke_model;
  routing::JsonScan scan(body);
  if (!(is_known || may_be_message) || !scan.enter_object()) return false;
  std::string_view usage, key;
  while (scan.next_member(key)) {
    if (key.find('\\') != key.npos) return false;  // it may be any name
    const std::string_view value = scan.skip();
    if (usage.empty() && key == "usage") usage = value;
    if (may_be_message && key == "type") is_known = value == R"("message")";
  }
  if (!is_known || !scan.at_end() || !usage.starts_with('{')) return false;
  JsonParser parser;
  const auto parsed = parser.parse(usage);
  if (parsed) read_usage(*parsed, into.body_usage());
  return parsed.has_value();
}

// The last value behind `"key":` in a piece of JSON text. A quotation mark inside a string is
// escaped, so `"key"` cannot be the model's text.
std::string_view behind_last_key(std::string_view text, std::string_view key) {
  const std::string quoted = "\"" + std::string{key} + "\":";
  const std::size_t at = text.rfind(quoted);
  return at == std::string_view::npos ? std::string_view{} : text.substr(at + quoted.size());
}

// Of an answer whose middle was let go: Converse puts stopReason and usage last, and so do most
// model bodies.
void read_tail(std::string_view tail, AnswerBuilder& into) {
  for (const std::string_view key : {"stopReason", "stop_reason", "finish_reason"}) {
    const std::string_view value = behind_last_key(tail, key);
    if (!value.starts_with('"')) continue;
    into.set_stop_reason(value.substr(1, value.find('"', 1) - 1));
    break;
  }
  const std::string_view value = behind_last_key(tail, "usage");
  // The object ends at one of the brackets behind it; objects within (cacheDetails,
  // serverToolUsage) make it several tries.
  constexpr int kTries = 16;
  JsonParser parser;
  std::size_t end = value.find('}');
  for (int i = 0; i < kTries && end != std::string_view::npos;
       ++i, end = value.find('}', end + 1)) {
    const auto usage = parser.parse(value.substr(0, end + 1));
    if (!usage) continue;
    read_usage(*usage, into.body_usage());
    return;
  }
}

// Reads the frames of an event stream and when those with content came.
class StreamReading {
 public:
  StreamReading(Operation operation, const CapturedAnswer& captured, AnswerBuilder& into)
      : operation_(operation), captured_(captured), into_(into) {}

  StreamOutcome run();

 private:
  void walk_all();
  void walk(std::string_view bytes, std::uint64_t offset);
  void read_frame(const Frame& frame);
  void read_event(const Frame& frame);
  void note_content(std::uint64_t offset);
  std::optional<std::uint64_t> first_frame_in_tail() const;

  Operation operation_;
  const CapturedAnswer& captured_;
  AnswerBuilder& into_;
  JsonParser parser_, inner_parser_;
  std::optional<TimePoint> first_content_, last_content_;
  bool understood_ = false;
  bool broken_ = false;
  bool gapless_ = false;
};

StreamOutcome StreamReading::run() {
  walk_all();
  return {.understood = understood_ && !broken_ && gapless_,
          .broken = broken_ || !into_.finished(),
          .first_content = first_content_,
          .last_content = last_content_};
}

void StreamReading::walk_all() {
  broken_ = captured_.malformed_frames || captured_.end != AnswerEnd::complete;
  if (const auto text = captured_.whole_text()) {
    gapless_ = true;
    walk(*text, 0);
    return;
  }
  walk(captured_.beginning_text(), 0);
  const auto resumed = first_frame_in_tail();
  if (!resumed) return;
  const std::string tail = captured_.tail_text();
  const auto skipped = static_cast<std::size_t>(*resumed - captured_.tail_offset);
  walk(std::string_view{tail}.substr(std::min(skipped, tail.size())), *resumed);
}

// The tail begins anywhere; the marks say where its first whole frame does.
std::optional<std::uint64_t> StreamReading::first_frame_in_tail() const {
  if (captured_.tail.empty()) return std::nullopt;
  for (const auto* marks : {&captured_.first_frames, &captured_.last_frames}) {
    for (const FrameMark& mark : *marks) {
      if (mark.offset >= captured_.tail_offset) return mark.offset;
    }
  }
  return std::nullopt;
}

void StreamReading::walk(std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const DecodedFrame decoded = decode_frame(bytes);
    if (decoded.status == FrameStatus::malformed) broken_ = true;
    if (decoded.status != FrameStatus::ok) return;
    read_frame(decoded.frame);
    if (into_.take_content_mark()) note_content(offset);
    bytes.remove_prefix(decoded.frame.size);
    offset += decoded.frame.size;
  }
}

void StreamReading::read_frame(const Frame& frame) {
  if (frame.message_type == "exception") {
    const auto payload = parser_.parse(frame.payload);
    into_.fail(exception_name(frame.event_type), payload ? message_of(*payload) : "");
  } else if (frame.message_type == "error") {
    into_.fail(error_name(frame.event_type), frame.error_message);
  } else {
    read_event(frame);
  }
}

// Events that nobody knows are skipped, as every client does.
void StreamReading::read_event(const Frame& frame) {
  const auto payload = parser_.parse(frame.payload);
  if (!payload) {
    broken_ = broken_ || frame.event_type == "chunk" || frame.event_type == "contentBlockDelta";
    return;
  }
  if (operation_ == Operation::converse_stream) {
    understood_ = families::read_converse_event(frame.event_type, *payload, into_) || understood_;
    return;
  }
  const auto encoded = string_at(*payload, "bytes");
  if (frame.event_type != "chunk" || !encoded) return;
  const auto text = decode_base64(*encoded);
  const auto inner = text ? inner_parser_.parse(*text) : std::nullopt;
  if (!inner) {
    broken_ = true;
    return;
  }
  understood_ = families::read_model_json(*inner, into_) || understood_;
}

void StreamReading::note_content(std::uint64_t offset) {
  for (const auto* marks : {&captured_.first_frames, &captured_.last_frames}) {
    for (const FrameMark& mark : *marks) {
      if (mark.offset != offset) continue;
      if (!first_content_) first_content_ = mark.arrived;
      last_content_ = mark.arrived;
      return;
    }
  }
}

void set_stream_times(const AttemptFacts& facts, const StreamOutcome& stream, Observation& seen) {
  if (!stream.first_content) return;
  seen.first_token = *stream.first_content - facts.begun;
  const std::int64_t tokens = seen.usage.output.value_or(0);
  if (tokens < 2 || *stream.last_content <= *stream.first_content) return;
  seen.time_per_output_token = (*stream.last_content - *stream.first_content) / (tokens - 1);
}

void read_stream(const AttemptFacts& facts, const CapturedAnswer& captured, Observation& seen) {
  AnswerBuilder builder;
  const StreamOutcome stream = captured.form == BodyForm::sse
                                   ? read_sse(facts.operation, captured, builder)
                                   : StreamReading{facts.operation, captured, builder}.run();
  seen.stream = StreamShape{.events = captured.frame_count,
                            .longest_gap = captured.longest_gap,
                            .in_order = builder.in_order()};
  seen.usage = merged(builder.billed_usage(), builder.body_usage());
  set_stream_times(facts, stream, seen);
  seen.error_type = builder.error_type();
  seen.error_message = builder.error_message().substr(0, kMaxErrorMessage);
  if (!seen.error_type.empty()) {
    seen.error_class = class_of_late_error(seen.error_type, ErrorClass::stream_broken);
  } else if (stream.broken) {
    seen.error_class = ErrorClass::stream_broken;
  }
  seen.answer = builder.take_answer();
  seen.answer.parsed = stream.understood;
}

void read_whole(const AttemptFacts& facts, const CapturedAnswer& captured, Detail detail,
                Observation& seen) {
  AnswerBuilder builder;
  std::string room;
  if (const auto text = captured.whole_text_in(room)) {
    const bool is_done =
        detail == Detail::figures && read_usage_only(facts.operation, *text, builder);
    if (!is_done) {
      JsonParser parser;
      const auto body = parser.parse(*text);
      const bool understood = body && read_body(facts.operation, *body, builder);
      seen.answer = builder.take_answer();
      seen.answer.parsed = understood;
    }
  } else {
    read_tail(captured.tail_text(), builder);
    seen.answer = builder.take_answer();
  }
  seen.usage = merged(usage_of_fields(captured.fields), builder.body_usage());
  // A response can be a success by its status and tell of a failure in its body (Responses).
  seen.error_type = builder.error_type();
  seen.error_message = builder.error_message().substr(0, kMaxErrorMessage);
  if (!seen.error_type.empty())
    seen.error_class = class_of_late_error(seen.error_type, ErrorClass::server_error);
  if (captured.end != AnswerEnd::complete) seen.error_class = ErrorClass::stream_broken;
}

void read_captured(const AttemptFacts& facts, const CapturedAnswer& captured, Detail detail,
                   Observation& seen) {
  seen.status = captured.status;
  seen.error_class = class_of_status(captured.status);
  if (seen.error_class != ErrorClass::ok) {
    if (captured.status != 0) read_error(captured, seen);
    return;
  }
  if (captured.form != BodyForm::whole) {
    read_stream(facts, captured, seen);
  } else {
    read_whole(facts, captured, detail, seen);
  }
  if (!seen.answer.parsed) {
    seen.answer.text.clear();
    seen.answer.tool_calls.clear();
  }
}

nanoseconds between(TimePoint begun, TimePoint later) {
  return std::max<nanoseconds>(later - begun, nanoseconds{0});
}

}  // namespace

ErrorClass class_of_status(int status) noexcept {
  if (status == 0) return ErrorClass::transport;
  if (is_success(status)) return ErrorClass::ok;
  if (status == 429) return ErrorClass::throttled;
  if (status == 408) return ErrorClass::timeout;
  // 424 is ModelErrorException: the request was fine, the model failed.
  if (status >= 500 || status == 424) return ErrorClass::server_error;
  return ErrorClass::client_error;
}

Observation read_answer(const AttemptFacts& facts, const CapturedAnswer& captured, Detail detail) {
  Observation seen;
  seen.variant = facts.variant;
  seen.leg = facts.leg;
  seen.operation = facts.operation;
  seen.model_id = facts.model_id;
  seen.total = between(facts.begun, facts.ended);
  seen.first_byte = between(facts.begun, facts.first_byte);
  try {
    read_captured(facts, captured, detail, seen);
  } catch (const std::exception&) {
    seen.answer = {};  // memory ran out on a huge answer: it is one that could not be read
  }
  return seen;
}

}  // namespace understudy::metrics

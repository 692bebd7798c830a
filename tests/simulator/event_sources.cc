#include "tests/simulator/event_sources.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "tests/simulator/bodies.h"
#include "tests/simulator/event_stream_encoder.h"
#include "tests/simulator/random.h"

namespace understudy::simulator {
namespace {

std::string garbage_bytes(std::size_t size, std::uint64_t seed) {
  Random random{seed};
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random.next() & 0xffu);
  return out;
}

std::string exception_payload(const std::string& name) {
  std::string payload = "{\"message\":\"simulated " + name + "\"";
  if (name == "modelStreamErrorException") {
    payload += ",\"originalMessage\":\"simulated by the model\",\"originalStatusCode\":500";
  }
  return payload + "}";
}

EventSource endless(std::string opening, std::string rest) {
  return [opening = std::move(opening), rest = std::move(rest),
          opened = false]() mutable -> std::optional<StreamEvent> {
    return StreamEvent{std::exchange(opened, true) ? rest : opening, 0};
  };
}

EventSource with_bad_crc(EventSource events, std::uint32_t nth) {
  return [events = std::move(events), nth, index = 0u]() mutable {
    auto event = events();
    if (event && index++ == nth) break_crc(event->bytes);
    return event;
  };
}

EventSource ending_in(EventSource events, std::uint32_t nth, std::string error) {
  return [events = std::move(events), nth, error = std::move(error),
          index = 0u]() mutable -> std::optional<StreamEvent> {
    if (index++ == nth) return StreamEvent{error, 0};
    return index > nth ? std::nullopt : events();
  };
}

}  // namespace

EventSource from_events(std::vector<StreamEvent> events) {
  return
      [events = std::move(events), index = std::size_t{0}]() mutable -> std::optional<StreamEvent> {
        if (index == events.size()) return std::nullopt;
        return std::move(events[index++]);
      };
}

EventSource echo_events(std::string bytes, std::size_t chunk_bytes, double delay_ms) {
  return [bytes = std::move(bytes), chunk_bytes, delay_ms,
          at = std::size_t{0}]() mutable -> std::optional<StreamEvent> {
    if (at >= bytes.size()) return std::nullopt;
    const std::string_view piece = std::string_view{bytes}.substr(at, chunk_bytes);
    at += piece.size();
    return StreamEvent{chunk_event(piece, at), delay_ms};
  };
}

EventSource filler_events(std::uint64_t total_bytes, std::size_t chunk_bytes, double delay_ms) {
  return [left = total_bytes, total_bytes, chunk_bytes, delay_ms,
          ended = false]() mutable -> std::optional<StreamEvent> {
    if (left == 0 && ended) return std::nullopt;
    if (left == 0) {
      ended = true;
      const std::string tokens = std::to_string(total_bytes / 4);
      return StreamEvent{
          chunk_event("{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{"
                      "\"inputTokenCount\":1,"
                      "\"outputTokenCount\":" +
                          tokens + ",\"invocationLatency\":1,\"firstByteLatency\":1}}",
                      0),
          0};
    }
    const std::uint64_t size = std::min<std::uint64_t>(left, chunk_bytes);
    left -= size;
    return StreamEvent{chunk_event("{\"data\":\"" + std::string(size, 'x') + "\"}", left),
                       delay_ms};
  };
}

void spoil(Reply& reply) {
  constexpr std::size_t kBlock = std::size_t{64} << 10;
  const bool streamed = static_cast<bool>(reply.events);
  const Fault& fault = reply.fault;
  switch (fault.kind) {
    case FaultKind::garbage:
      if (streamed) {
        reply.events = from_events({{garbage_bytes(700, 1), 0}, {garbage_bytes(50, 2), 0}});
      } else {
        reply.body = garbage_bytes(700, 3);
      }
      return;
    case FaultKind::huge: {
      std::string delta =
          encode_event("contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"" +
                                                std::string(kBlock, 'h') + "\"},\"p\":\"ab\"}");
      reply.events = streamed ? endless(delta, delta)
                              : endless("{\"output\":{\"message\":{\"content\":[{\"text\":\"",
                                        std::string(kBlock, 'h'));
      return;
    }
    case FaultKind::bad_crc:
      if (streamed) reply.events = with_bad_crc(std::move(reply.events), fault.count);
      return;
    case FaultKind::exception_midstream:
      if (streamed) {
        reply.events =
            ending_in(std::move(reply.events), fault.count,
                      reply.error_event.empty()
                          ? encode_exception(fault.exception, exception_payload(fault.exception))
                          : reply.error_event);
      }
      return;
    default:
      return;
  }
}

}  // namespace understudy::simulator

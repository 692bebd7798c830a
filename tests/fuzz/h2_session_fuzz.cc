// An HTTP/2 client that sends anything, behind a right greeting or not, to a session that answers
// whatever becomes a request. What becomes a head is held against the gate behind it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/h2_session.h"

namespace {

using namespace understudy;
using namespace std::chrono_literals;

void expect(bool holds) {
  if (!holds) std::abort();
}

// A head that the gate takes has one line per field and ends where it ends.
void check_head(const proxy::H2Stream& stream) {
  if (stream.problem) return expect(stream.problem->status >= 400);
  const std::string_view head = stream.head.view();
  std::size_t searched = 0;
  expect(proxy::find_head_end(head, searched) == head.size());
  proxy::RequestHead request;
  if (proxy::scan_request_head(head, {}, request)) return;
  expect(request.framing != proxy::Framing::chunked);
  expect(head.find("\nhost: ") == head.rfind("\nhost: "));
}

using Parts = std::array<std::string_view, 2>;

// From the first byte to the end of the session.
void converse(const routing::LimitsConfig& limits, proxy::BodyBudget& bodies,
              std::string_view bytes, std::size_t step, unsigned choice, const Parts& parts) {
  metrics::BlockPool blocks;
  proxy::H2Session::TimePoint now{1h};
  proxy::H2Session session(limits, blocks, bodies, now);
  for (std::size_t at = 0; at < bytes.size() && !session.finished(); at += step) {
    session.receive(bytes.substr(at, step), now += 1ms);
    for (const auto& event : session.take_events()) {
      using Kind = proxy::H2Session::Event::Kind;
      proxy::H2Stream* stream = event.stream == 0 ? nullptr : session.find(event.stream);
      if (!stream) continue;
      if (event.kind == Kind::head) check_head(*stream);
      expect(stream->body.size() <= limits.max_body_bytes);
      if (event.kind == Kind::gone) session.release(event.stream);
      if (event.kind == Kind::too_large || event.kind == Kind::no_room ||
          event.kind == Kind::complete)
        session.answer(*stream, {.status = 200, .has_body = choice % 3 != 0}, parts, true);
      stream = session.find(event.stream);
      if (stream && event.kind == Kind::progress && choice % 5 == 0) session.cut(*stream);
    }
    proxy::H2Output output;
    session.collect(output, now);
    session.sent(output);
    for (const std::int32_t id : output.streams()) {
      proxy::H2Stream* stream = session.find(id);
      if (stream && !stream->sending()) session.release(id);
    }
  }
  session.abandon();
  for (const auto& event : session.take_events()) session.release(event.stream);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static const std::string body(40'000, 'x');
  const Parts parts{std::string_view{body}.substr(0, data[0] * 150u), "tail"};
  const bool greets = data[1] % 2 == 0;
  const std::size_t step = 1 + data[1] / 2u;
  std::string bytes = greets ? std::string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"} +
                                   std::string{"\0\0\0\4\0\0\0\0\0", 9}
                             : std::string{};
  bytes.append(reinterpret_cast<const char*>(data) + 2, size - 2);

  routing::LimitsConfig limits;
  limits.max_body_bytes = 2'000;
  proxy::BodyBudget bodies;
  bodies.allow(1);  // a step: of two streams with a body the second finds no room
  converse(limits, bodies, bytes, step, data[0], parts);
  expect(bodies.held() == 0);
  return 0;
}

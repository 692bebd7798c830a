// The request of InvokeModelWithBidirectionalStream as a hostile client sends it, in pieces of any
// size, to every kind of resigner. What passes must be frames that the upstream takes for ours, and
// no piece may matter for what comes out.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/event_stream.h"
#include "proxy/event_signing.h"

namespace {

using namespace understudy;
using proxy::EventChain;
using proxy::EventResigner;

void expect(bool holds) {
  if (!holds) std::abort();
}

EventChain chain(const char* secret) {
  return EventChain({.secret = proxy::Secret(secret),
                     .region = "us-east-1",
                     .service = "bedrock",
                     .signature = std::string(64, 'a')});
}

constexpr EventChain::Milliseconds kNow{std::chrono::milliseconds{1'795'212'301'121}};

struct Outcome {
  bool taken = true;
  bool whole = true;  // nothing stands half; told of what was taken only
  std::string out;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome pass(EventResigner events, std::string_view bytes, std::size_t step) {
  Outcome outcome;
  for (std::size_t at = 0; outcome.taken && at < bytes.size(); at += step)
    outcome.taken = static_cast<bool>(events.take(bytes.substr(at, step), kNow, outcome.out));
  outcome.whole = outcome.taken && events.between_frames();
  return outcome;
}

// Frames without end or rest; their events.
std::vector<std::string> events_in(std::string_view frames) {
  std::vector<std::string> events;
  while (!frames.empty()) {
    const auto decoded = metrics::decode_frame(frames);
    expect(decoded.status == metrics::FrameStatus::ok);
    events.emplace_back(decoded.frame.payload);
    frames.remove_prefix(decoded.frame.size);
  }
  return events;
}

void check(const std::optional<EventChain>& client, std::string_view bytes, std::size_t step) {
  const Outcome unsigned_out = pass(EventResigner(client, std::nullopt), bytes, step);
  // Without keys of ours nothing is changed, and nothing comes out that did not go in.
  expect(bytes.starts_with(unsigned_out.out));
  const Outcome whole = pass(EventResigner(client, chain("ours")), bytes, bytes.size() + 1);
  const Outcome pieces = pass(EventResigner(client, chain("ours")), bytes, step);
  expect(whole == pieces);
  expect(whole.taken == unsigned_out.taken && whole.whole == unsigned_out.whole);
  expect(events_in(whole.out) == events_in(unsigned_out.out));
  // The upstream, which checks our signatures, takes every frame.
  const Outcome upstream =
      pass(EventResigner(chain("ours"), std::nullopt), whole.out, whole.out.size() + 1);
  expect(upstream.taken && upstream.whole && upstream.out == whole.out);
}

// A stream that its sender signed; an empty event ends it.
std::string signed_stream(std::string_view bytes, const char* secret) {
  EventChain client = chain(secret);
  std::string frames;
  while (!bytes.empty()) {
    const std::size_t size =
        std::min<std::size_t>(bytes.size(), static_cast<unsigned char>(bytes.front()));
    frames.append(proxy::signed_frame(client, kNow, bytes.substr(0, size)));
    if (size == 0) break;
    bytes.remove_prefix(size);
  }
  return frames;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const std::size_t step = 1 + data[0];
  const std::string_view rest(reinterpret_cast<const char*>(data) + 4, size - 4);
  // Random bytes hardly ever have right checksums: every other input is signed frames, whole and
  // then with one byte wrong.
  if (data[1] % 2 == 0) {
    check(std::nullopt, rest, step);
    check(chain("theirs"), rest, step);
    return 0;
  }
  std::string bytes = signed_stream(rest.substr(0, 2'048), "theirs");
  const Outcome right = pass(EventResigner(chain("theirs"), std::nullopt), bytes, step);
  expect(right.taken && right.whole && right.out == bytes);
  if (bytes.empty()) return 0;
  const Outcome stranger = pass(EventResigner(chain("theirs"), chain("ours")),
                                signed_stream(rest.substr(0, 2'048), "a stranger's"), step);
  expect(!stranger.taken && stranger.out.empty());
  bytes[(data[2] * 256u + data[3]) % bytes.size()] ^= static_cast<char>(1 + data[1] / 2);
  check(std::nullopt, bytes, step);
  check(chain("theirs"), bytes, step);
  return 0;
}

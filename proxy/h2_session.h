#pragma once
// The protocol of one client connection over HTTP/2, without its socket: bytes go in, events come
// out; answers go in, bytes come out. The only door to nghttp2. Its callbacks only note what
// happened: whoever fed the bytes looks at events() afterwards. Belongs to one thread; never
// throws but std::bad_alloc.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "metrics/blocks.h"
#include "proxy/body_budget.h"
#include "proxy/downstream.h"
#include "proxy/h2_fields.h"
#include "proxy/h2_flood.h"
#include "proxy/h2_output.h"
#include "proxy/h2_stream.h"
#include "routing/config.h"

struct nghttp2_session;

namespace understudy::proxy {

class H2Session {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Event {
    enum class Kind : std::uint8_t {
      head,       // head or problem stands in the stream; it is held from now on
      progress,   // of the body
      too_large,  // the body; what follows is dropped
      no_room,    // for it in all bodies' budget; the same
      complete,   // the request is whole
      gone,       // the client will not have the (rest of the) answer
      hopeless,   // far beyond the limit that its stream's problem tells; it is reset
      malformed,  // a frame or request that the library refused by itself; stream 0
      round_trip  // announce_end() has reached the client; stream 0
    };
    Kind kind;
    std::int32_t stream;
  };

  // `limits` may change between calls; it, the pool and the budget outlive the session.
  H2Session(const routing::LimitsConfig& limits, metrics::BlockPool& blocks, BodyBudget& bodies,
            TimePoint now);
  ~H2Session();
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  // --- In. The connection preface (RFC 9113 3.4) is part of the bytes.
  void receive(std::string_view bytes, TimePoint now);
  // What happened since they were last taken. Given the emptied list back, the next ones cost no
  // memory.
  std::vector<Event> take_events(std::vector<Event> emptied = {}) {
    return std::exchange(events_, std::move(emptied));
  }
  // The limit that a flood broke, once; the session is then ending.
  std::string_view take_broken_limit() noexcept { return std::exchange(broken_limit_, {}); }
  bool greeted() const noexcept { return greeted_; }  // the client's SETTINGS came
  // The stream whose head is not yet whole, or 0.
  std::int32_t reading_head() const noexcept { return reading_head_; }
  std::size_t open_streams() const noexcept { return streams_.size(); }

  // --- Answers. Null where there is no such stream any more.
  H2Stream* find(std::int32_t stream) noexcept;
  void tell_to_continue(H2Stream& stream);
  // The head and what there is of the body. What the head refers to may go when it returns, the
  // parts must live until sending() and in_flight are over.
  void answer(H2Stream& stream, const AnswerHead& head, std::span<const std::string_view> parts,
              bool last);
  // More of the body, once sending() is over.
  void give(H2Stream& stream, std::span<const std::string_view> parts, bool last);
  // The request's body is wanted as it comes, however large the whole: no more of it comes than the
  // stream's window, which taken() opens again.
  void stream_body(H2Stream& stream) noexcept;
  void taken(H2Stream& stream, std::size_t size);
  // The request is refused: its body is not wanted.
  void drop_body(H2Stream& stream);
  // The answer is cut: the client must see that (RST_STREAM INTERNAL_ERROR).
  void cut(H2Stream& stream);
  // Its holder is done with it.
  void release(std::int32_t stream);
  // Gives back what ended streams left to the next ones.
  void release_spares() noexcept;

  // --- Out. Fills `output` with what can be sent now; `sent` must follow when it is.
  void collect(H2Output& output, TimePoint now);
  void sent(const H2Output& output);

  // --- The end. announce_end(): new streams are still taken, in case they are on their way;
  // end_gently(): no new ones, those that are open are finished; end(): nothing more.
  void announce_end();
  void end_gently();
  void end();
  // Announced, and nobody has said yet that the client knows.
  bool awaits_round_trip() const noexcept { return announced_ && !ends_gently_ && !ended_; }
  // The connection is lost: all streams are gone. No write may be under way.
  void abandon();
  // Nothing more is to be read or sent.
  bool finished() const noexcept;

 private:
  struct Callbacks;

  void flood(std::string_view limit) noexcept;
  void end_with(std::uint32_t error) noexcept;
  bool carry_out_end();
  void submit(H2Stream& stream, const AnswerHead& head, bool with_body);
  void note(Event::Kind kind, std::int32_t stream) { events_.push_back({kind, stream}); }
  void begin_head(std::int32_t id);
  void end_head(H2Stream& stream);
  void end_request(H2Stream& stream);
  void take_body(H2Stream& stream, std::string_view bytes);
  void refer(H2Stream& stream, std::size_t size);
  void closed(H2Stream& stream);
  void erase_if_done(H2Stream& stream);

  const routing::LimitsConfig& limits_;
  metrics::BlockPool& blocks_;
  BodyBudget& bodies_;
  nghttp2_session* session_ = nullptr;
  H2FloodGuard flood_;
  using Streams = std::unordered_map<std::int32_t, H2Stream>;
  Streams streams_;
  std::vector<Streams::node_type> spare_streams_;  // of ended ones
  H2RequestFields fields_;                         // of the request whose head is being read
  H2Stream* heading_ = nullptr;                    // that one
  std::vector<Event> events_;
  std::string_view broken_limit_;  // not yet told
  H2Output* output_ = nullptr;     // while it is collected
  TimePoint now_;                  // of the call under way
  bool greeted_ = false;
  std::int32_t reading_head_ = 0;
  std::int32_t last_opened_ = 0;
  bool announced_ = false, ends_gently_ = false;
  std::optional<std::uint32_t> end_with_;  // the error code of our GOAWAY
  bool ended_ = false;                     // that one was handed in
  bool failed_ = false;                    // the bytes are no HTTP/2
};

}  // namespace understudy::proxy

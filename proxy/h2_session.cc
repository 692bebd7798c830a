#include "proxy/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <new>

namespace understudy::proxy {
namespace {

constexpr std::size_t kCopiedBelow = 1024;  // a small part costs less copied than as a buffer
constexpr std::uint8_t kFirstUnknownFrame = 0x0A;  // RFC 9113 knows those below
constexpr std::uint8_t kPriorityUpdate = 0x10;     // RFC 9218 7.1
constexpr std::size_t kMostHeadBytes = 1u << 20;   // of an answer, compressed

std::string_view view(const std::uint8_t* data, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(data), size};
}

// By reference: nghttp2 copies what it is given.
nghttp2_nv field(std::string_view name, std::string_view value) noexcept {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

template <std::size_t Size>
std::string_view decimal(std::array<char, Size>& digits, std::uint64_t number) noexcept {
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

bool ends_stream(const nghttp2_frame_hd& head) noexcept {
  return (head.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

// Of the frames that cost the client next to nothing.
std::optional<H2Frame> counted_as(const nghttp2_frame_hd& head) noexcept {
  switch (head.type) {
    case NGHTTP2_PRIORITY:
    case kPriorityUpdate:
      return H2Frame::priority;
    case NGHTTP2_RST_STREAM:
      return H2Frame::reset;
    case NGHTTP2_SETTINGS:
      return H2Frame::settings;
    case NGHTTP2_PING:
      return H2Frame::ping;
    case NGHTTP2_WINDOW_UPDATE:
      return H2Frame::window_update;
    default:
      if (head.type >= kFirstUnknownFrame) return H2Frame::unknown;
      return std::nullopt;
  }
}

struct DeleteOption {
  void operator()(nghttp2_option* option) const noexcept { nghttp2_option_del(option); }
};

std::unique_ptr<nghttp2_option, DeleteOption> make_option(const routing::Http2Limits& limits) {
  nghttp2_option* made = nullptr;
  if (nghttp2_option_new(&made) != 0) throw std::bad_alloc();
  std::unique_ptr<nghttp2_option, DeleteOption> option(made);
  nghttp2_option_set_no_auto_window_update(made, 1);
  nghttp2_option_set_max_send_header_block_length(made, kMostHeadBytes);
  nghttp2_option_set_max_continuations(made, limits.max_continuations);
  nghttp2_option_set_max_outbound_ack(made, limits.max_pending_acks);
  // A net below our own count, which says what it is that has been too much.
  nghttp2_option_set_stream_reset_rate_limit(made, 2 * limits.resets_received.burst,
                                             2 * limits.resets_received.per_second + 1);
  // Unknown frames are told to us, so that they can be counted.
  for (unsigned type = kFirstUnknownFrame; type <= 0xFF; ++type)
    nghttp2_option_set_user_recv_extension_type(made, static_cast<std::uint8_t>(type));
  return option;
}

}  // namespace

// --- What goes out

void H2Output::copy(std::string_view bytes) {
  if (bytes.empty()) return;
  if (pieces_.empty() || pieces_.back().data) pieces_.push_back({nullptr, frames_.size(), 0});
  frames_.append(bytes);
  pieces_.back().size += bytes.size();
  bytes_ += bytes.size();
}

void H2Output::refer(std::string_view bytes) {
  if (bytes.size() < kCopiedBelow) return copy(bytes);
  pieces_.push_back({bytes.data(), 0, bytes.size()});
  bytes_ += bytes.size();
}

void H2Output::touch(std::int32_t stream) {
  if (streams_.empty() || streams_.back() != stream) streams_.push_back(stream);
}

// --- What nghttp2 calls. Nothing may be thrown through it.

struct H2Session::Callbacks {
  static H2Session& self(void* user) noexcept { return *static_cast<H2Session*>(user); }

  static int begin_frame(nghttp2_session* library, const nghttp2_frame_hd* head, void* user) {
    H2Session& session = self(user);
    if (head->type != NGHTTP2_CONTINUATION) session.reading_head_ = 0;
    // A stream that was passed over can no more be opened (RFC 9113 5.1.1); the library would
    // ignore it. What it still knows to be closed it tells by itself.
    if (head->type == NGHTTP2_HEADERS && head->stream_id <= session.last_opened_ &&
        !nghttp2_session_find_stream(library, head->stream_id))
      session.end_with(NGHTTP2_PROTOCOL_ERROR);
    if (const auto frame = counted_as(*head))
      session.flood(session.flood_.received(*frame, session.now_));
    return 0;
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) try {
    H2Session& session = self(user);
    session.reading_head_ = frame->hd.stream_id;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) session.begin_head(frame->hd.stream_id);
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  // Trailers are dropped: merged into the fields they would be an injection.
  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                    std::uint8_t, void* user) try {
    H2Session& session = self(user);
    H2Stream* stream = session.find(frame->hd.stream_id);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST || !stream) return 0;
    const bool worth_it =
        stream->fields.add(view(name, name_size), view(value, value_size),
                           {session.limits_.max_header_bytes, session.limits_.max_header_fields});
    return worth_it ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  // The library would leave such a field out; we refuse what has one.
  static int invalid_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t*,
                            std::size_t, const std::uint8_t*, std::size_t, std::uint8_t,
                            void* user) {
    if (H2Stream* stream = self(user).find(frame->hd.stream_id)) stream->fields.refuse();
    return 0;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) try {
    H2Session& session = self(user);
    H2Stream* stream = session.find(frame->hd.stream_id);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        session.reading_head_ = 0;
        if (stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST) session.end_head(*stream);
        break;
      case NGHTTP2_DATA: {
        const bool empty = frame->hd.length == frame->data.padlen && !ends_stream(frame->hd);
        session.flood(
            session.flood_.received(empty ? H2Frame::empty_data : H2Frame::data, session.now_));
        break;
      }
      case NGHTTP2_SETTINGS:
        session.greeted_ = true;
        break;
      case NGHTTP2_PING:
        if (session.announced_ && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
          session.note(Event::Kind::round_trip, 0);
        break;
      default:
        break;
    }
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (stream && may_end && ends_stream(frame->hd)) session.end_request(*stream);
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int data(nghttp2_session* library, std::uint8_t, std::int32_t id,
                  const std::uint8_t* bytes, std::size_t size, void* user) try {
    H2Session& session = self(user);
    if (H2Stream* stream = session.find(id)) session.take_body(*stream, view(bytes, size));
    // Taken: the client may send as much again.
    nghttp2_session_consume(library, id, size);
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int invalid_frame(nghttp2_session*, const nghttp2_frame*, int, void* user) try {
    H2Session& session = self(user);
    session.reading_head_ = 0;
    session.note(Event::Kind::malformed, 0);
    session.flood(session.flood_.glitch());
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int unpack_extension(nghttp2_session*, void**, const nghttp2_frame_hd*, void*) {
    return NGHTTP2_ERR_CANCEL;  // not for us
  }
  static int extension_chunk(nghttp2_session*, const nghttp2_frame_hd*, const std::uint8_t*,
                             std::size_t, void*) {
    return 0;
  }

  static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) try {
    H2Session& session = self(user);
    if (H2Stream* stream = session.find(id)) session.closed(*stream);
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  // How much of the answer goes into the next DATA frame; send_data() then delivers it.
  static ssize_t read_answer(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t room,
                             std::uint32_t* flags, nghttp2_data_source* source, void*) {
    const H2Stream& stream = *static_cast<H2Stream*>(source->ptr);
    if (stream.unsent == 0 && !stream.last_given) return NGHTTP2_ERR_DEFERRED;
    const std::size_t size = std::min(room, stream.unsent);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size == stream.unsent && stream.last_given) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t size,
                       nghttp2_data_source* source, void* user) try {
    constexpr std::size_t kFrameHead = 9;
    H2Session& session = self(user);
    if (session.output_->full()) return NGHTTP2_ERR_WOULDBLOCK;
    session.output_->copy(view(head, kFrameHead));
    session.refer(*static_cast<H2Stream*>(source->ptr), size);
    session.flood_.data_sent();
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int frame_sent(nghttp2_session* library, const nghttp2_frame* frame, void* user) try {
    H2Session& session = self(user);
    H2Stream* stream = session.find(frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_RST_STREAM && !(stream && stream->cut))
      session.flood(session.flood_.reset_sent(session.now_));
    const bool of_answer = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!stream || !stream->answered || !of_answer) return 0;
    stream->head_sent = true;
    session.output_->touch(stream->id);
    if (!ends_stream(frame->hd)) return 0;
    stream->answer_ended = true;
    // The answer is whole, the request need not be: only now may its rest be refused. A reset
    // before would take the answer back out of the library's queue.
    if (!stream->request_ended)
      nghttp2_submit_rst_stream(library, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int frame_not_sent(nghttp2_session* library, const nghttp2_frame* frame, int, void* user) {
    H2Stream* stream = self(user).find(frame->hd.stream_id);
    if (stream && !stream->closed && frame->hd.type == NGHTTP2_HEADERS)
      nghttp2_submit_rst_stream(library, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR);
    return 0;
  }

  // The same for all sessions; the library copies it.
  static const nghttp2_session_callbacks* all() {
    static nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* c = nullptr;
      if (nghttp2_session_callbacks_new(&c) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_begin_frame_callback(c, begin_frame);
      nghttp2_session_callbacks_set_on_begin_headers_callback(c, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(c, header);
      nghttp2_session_callbacks_set_on_invalid_header_callback(c, invalid_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(c, frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, data);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, invalid_frame);
      nghttp2_session_callbacks_set_unpack_extension_callback(c, unpack_extension);
      nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(c, extension_chunk);
      nghttp2_session_callbacks_set_on_stream_close_callback(c, stream_closed);
      nghttp2_session_callbacks_set_send_data_callback(c, send_data);
      nghttp2_session_callbacks_set_on_frame_send_callback(c, frame_sent);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(c, frame_not_sent);
      return c;
    }();
    return made;
  }
};

H2Session::H2Session(const routing::LimitsConfig& limits, metrics::BlockPool& blocks, TimePoint now)
    : limits_(limits), blocks_(blocks), flood_(limits.http2, now), now_(now) {
  const routing::Http2Limits& http2 = limits.http2;
  const auto option = make_option(http2);
  if (nghttp2_session_server_new2(&session_, Callbacks::all(), this, option.get()) != 0)
    throw std::bad_alloc();
  const auto number = [](std::size_t value) { return static_cast<std::uint32_t>(value); };
  const std::array<nghttp2_settings_entry, 3> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, number(http2.max_concurrent_streams)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, number(http2.stream_window_bytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, number(limits.max_header_bytes)},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(http2.connection_window_bytes));
}

H2Session::~H2Session() {
  nghttp2_session_del(session_);
}

// --- In

void H2Session::receive(std::string_view bytes, TimePoint now) {
  now_ = now;
  if (failed_) return;
  const auto taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) {
    failed_ = true;
    switch (static_cast<int>(taken)) {
      case NGHTTP2_ERR_FLOODED:
        flood("max_pending_acks");
        break;
      case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
        flood("max_continuations");
        break;
      case NGHTTP2_ERR_TOO_MANY_SETTINGS:
        flood("settings");
        break;
      default:
        note(Event::Kind::malformed, 0);
        end_with(NGHTTP2_PROTOCOL_ERROR);
        break;
    }
  }
  carry_out_end();
  if (flood_.streams() >= limits_.http2.max_streams) announce_end();
}

void H2Session::flood(std::string_view limit) noexcept {
  if (limit.empty() || end_with_) return;
  broken_limit_ = limit;
  end_with(NGHTTP2_ENHANCE_YOUR_CALM);
}

void H2Session::end_with(std::uint32_t error) noexcept {
  if (!end_with_) end_with_ = error;
}

// Not from a callback. True when it made something to send.
bool H2Session::carry_out_end() {
  if (!end_with_ || std::exchange(ended_, true)) return false;
  nghttp2_session_terminate_session(session_, *end_with_);
  return true;
}

H2Stream* H2Session::find(std::int32_t stream) noexcept {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : found->second.get();
}

void H2Session::begin_head(std::int32_t id) {
  flood_.stream_opened();
  last_opened_ = id;
  streams_.emplace(id, std::make_unique<H2Stream>(id));
}

void H2Session::end_head(H2Stream& stream) {
  stream.problem = stream.fields.finish(blocks_, stream.head);
  stream.fields = {};
  stream.held = true;
  note(Event::Kind::head, stream.id);
}

void H2Session::end_request(H2Stream& stream) {
  stream.request_ended = true;
  note(Event::Kind::complete, stream.id);
}

// Into the block where the bytes stay: hashed there, sent from there, handed to the copy by
// reference.
void H2Session::take_body(H2Stream& stream, std::string_view bytes) {
  if (stream.drops_body) return;
  const std::size_t there = stream.body.size();
  if (there + bytes.size() > limits_.max_body_bytes) {
    drop_body(stream);
    note(Event::Kind::too_large, stream.id);
    return;
  }
  if (!stream.body || stream.body.capacity() - there < bytes.size()) {
    metrics::Block larger = blocks_.take(std::max(there + bytes.size(), 2 * there));
    if (there > 0) std::memcpy(larger.data(), stream.body.data(), there);
    stream.body = std::move(larger);
  }
  std::memcpy(stream.body.data() + there, bytes.data(), bytes.size());
  stream.body.set_size(there + bytes.size());
  const bool told = !events_.empty() && events_.back().stream == stream.id;
  if (!told) note(Event::Kind::progress, stream.id);
}

void H2Session::closed(H2Stream& stream) {
  stream.closed = true;
  if (stream.held && !stream.answer_ended) note(Event::Kind::gone, stream.id);
  erase_if_done(stream);
}

void H2Session::release(std::int32_t id) {
  H2Stream* stream = find(id);
  if (!stream) return;
  stream->held = false;
  drop_body(*stream);
  erase_if_done(*stream);
}

void H2Session::erase_if_done(H2Stream& stream) {
  if (stream.closed && !stream.held && !stream.in_flight) streams_.erase(stream.id);
}

// --- Answers

void H2Session::tell_to_continue(H2Stream& stream) {
  const nghttp2_nv status = field(":status", "100");
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, &status, 1, nullptr);
}

void H2Session::answer(H2Stream& stream, const AnswerHead& head,
                       std::span<const std::string_view> parts, bool last) {
  if (stream.closed) return;
  stream.answered = true;
  const bool empty = std::ranges::all_of(parts, &std::string_view::empty);
  const bool with_body = head.has_body && !(last && empty);
  if (with_body) {
    give(stream, parts, last);
  } else {
    stream.last_given = true;
  }
  submit(stream, head, with_body);
}

void H2Session::submit(H2Stream& stream, const AnswerHead& head, bool with_body) {
  std::vector<nghttp2_nv> fields;
  fields.reserve(head.fields.size() + head.added.size() + 2);
  std::array<char, 20> status, length;
  fields.push_back(field(":status", decimal(status, static_cast<std::uint64_t>(head.status))));
  // RFC 9113 8.2: names are in lower case. Room for all of them first, so that none moves.
  std::size_t name_bytes = 0;
  for (const auto some : {head.fields, head.added}) {
    for (const routing::Field& one : some) name_bytes += one.name.size();
  }
  scratch_.clear();
  scratch_.reserve(name_bytes);
  for (const auto some : {head.fields, head.added}) {
    for (const routing::Field& one : some) {
      const std::size_t begin = scratch_.size();
      for (const char c : one.name)
        scratch_.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
      fields.push_back(field({scratch_.data() + begin, one.name.size()}, one.value));
    }
  }
  if (head.content_length && head.status != 204)
    fields.push_back(field("content-length", decimal(length, *head.content_length)));
  const nghttp2_data_provider provider{.source = {.ptr = &stream},
                                       .read_callback = Callbacks::read_answer};
  if (nghttp2_submit_response(session_, stream.id, fields.data(), fields.size(),
                              with_body ? &provider : nullptr) != 0)
    cut(stream);
}

void H2Session::give(H2Stream& stream, std::span<const std::string_view> parts, bool last) {
  if (stream.closed || stream.last_given) return;
  if (stream.unsent == 0) {
    stream.parts.clear();
    stream.first_part = 0;
  }
  for (const std::string_view part : parts) {
    if (part.empty()) continue;
    stream.parts.push_back(part);
    stream.unsent += part.size();
  }
  stream.last_given = last;
  nghttp2_session_resume_data(session_, stream.id);  // does nothing where it was not deferred
}

void H2Session::refer(H2Stream& stream, std::size_t size) {
  stream.unsent -= size;
  while (size > 0) {
    std::string_view& part = stream.parts[stream.first_part];
    const std::size_t taken = std::min(size, part.size());
    output_->refer(part.substr(0, taken));
    part.remove_prefix(taken);
    size -= taken;
    if (part.empty()) ++stream.first_part;
  }
  stream.in_flight = true;
}

void H2Session::drop_body(H2Stream& stream) {
  stream.drops_body = true;
  stream.body = {};
}

void H2Session::cut(H2Stream& stream) {
  if (stream.closed) return;
  stream.cut = true;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_INTERNAL_ERROR);
}

// --- Out

void H2Session::collect(H2Output& output, TimePoint now) {
  now_ = now;
  output_ = &output;
  do {
    while (!output.full()) {
      const std::uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size < 0) failed_ = true;
      if (size <= 0) break;
      output.copy(view(data, static_cast<std::size_t>(size)));
    }
  } while (carry_out_end());
  output_ = nullptr;
}

void H2Session::sent(const H2Output& output) {
  for (const std::int32_t id : output.streams()) {
    H2Stream* stream = find(id);
    if (!stream) continue;
    stream->in_flight = false;
    erase_if_done(*stream);
  }
}

// --- The end

void H2Session::announce_end() {
  if (std::exchange(announced_, true) || ended_) return;
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

void H2Session::end_gently() {
  if (ended_) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void H2Session::end() {
  end_with(NGHTTP2_NO_ERROR);
  carry_out_end();
}

void H2Session::abandon() {
  failed_ = true;
  std::vector<std::int32_t> ids;
  ids.reserve(streams_.size());
  for (const auto& [id, stream] : streams_) ids.push_back(id);
  for (const std::int32_t id : ids) {
    H2Stream& stream = *streams_.at(id);
    stream.in_flight = false;
    if (!stream.closed) closed(stream);
  }
}

bool H2Session::finished() const noexcept {
  return nghttp2_session_want_write(session_) == 0 &&
         (failed_ || nghttp2_session_want_read(session_) == 0);
}

}  // namespace understudy::proxy

#include "proxy/h2_callbacks.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "proxy/frame_pool.h"

namespace understudy::proxy {
namespace {

constexpr std::uint8_t kFirstUnknownFrame = 0x0A;  // RFC 9113 knows those below
constexpr std::uint8_t kPriorityUpdate = 0x10;     // RFC 9218 7.1
constexpr std::size_t kMostHeadBytes = 1u << 20;   // of an answer, compressed

std::string_view view(const std::uint8_t* data, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(data), size};
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

// The library allocates seven times a stream, of sizes that come again with the next one: like
// frames. In front of what it is given stands the size, which it does not tell when it frees.
constexpr std::size_t kSizeRoom = alignof(std::max_align_t);

void* allocate(std::size_t size, void*) noexcept try {
  void* const memory = take_frame(kSizeRoom + size);
  std::memcpy(memory, &size, sizeof size);
  return static_cast<char*>(memory) + kSizeRoom;
} catch (const std::bad_alloc&) {
  return nullptr;
}

std::size_t size_of(void* given) noexcept {
  std::size_t size = 0;
  std::memcpy(&size, static_cast<char*>(given) - kSizeRoom, sizeof size);
  return size;
}

void deallocate(void* given, void*) noexcept {
  if (given) give_frame_back(static_cast<char*>(given) - kSizeRoom, kSizeRoom + size_of(given));
}

void* allocate_zeroed(std::size_t count, std::size_t size, void* user) noexcept {
  if (size != 0 && count > SIZE_MAX / 2 / size) return nullptr;
  void* const given = allocate(count * size, user);
  if (given) std::memset(given, 0, count * size);
  return given;
}

void* reallocate(void* before, std::size_t size, void* user) noexcept {
  void* const given = allocate(size, user);
  if (!given || !before) return given;
  std::memcpy(given, before, std::min(size, size_of(before)));
  deallocate(before, user);
  return given;
}

}  // namespace

nghttp2_session* H2Session::Callbacks::make_session(H2Session& session,
                                                    const routing::Http2Limits& limits) {
  nghttp2_session* made = nullptr;
  nghttp2_mem memory{nullptr, allocate, deallocate, allocate_zeroed, reallocate};  // is copied
  if (nghttp2_session_server_new3(&made, all(), &session, make_option(limits).get(), &memory) != 0)
    throw std::bad_alloc();
  return made;
}

int H2Session::Callbacks::begin_frame(nghttp2_session* library, const nghttp2_frame_hd* head,
                                      void* user) {
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

int H2Session::Callbacks::begin_headers(nghttp2_session*, const nghttp2_frame* frame,
                                        void* user) try {
  H2Session& session = self(user);
  session.reading_head_ = frame->hd.stream_id;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) session.begin_head(frame->hd.stream_id);
  return 0;
} catch (...) {
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

// Trailers are dropped: merged into the fields they would be an injection.
int H2Session::Callbacks::header(nghttp2_session*, const nghttp2_frame* frame,
                                 const std::uint8_t* name, std::size_t name_size,
                                 const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                                 void* user) try {
  H2Session& session = self(user);
  if (frame->headers.cat != NGHTTP2_HCAT_REQUEST || !session.heading_) return 0;
  const bool worth_it =
      session.fields_.add(view(name, name_size), view(value, value_size),
                          {session.limits_.max_header_bytes, session.limits_.max_header_fields});
  if (worth_it) return 0;
  session.heading_->problem = session.fields_.problem();
  session.note(Event::Kind::hopeless, session.heading_->id);
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
} catch (...) {
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

// The library would leave such a field out; we refuse what has one.
int H2Session::Callbacks::invalid_header(nghttp2_session*, const nghttp2_frame* frame,
                                         const std::uint8_t*, std::size_t, const std::uint8_t*,
                                         std::size_t, std::uint8_t, void* user) {
  H2Session& session = self(user);
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && session.heading_) session.fields_.refuse();
  return 0;
}

int H2Session::Callbacks::frame_received(nghttp2_session*, const nghttp2_frame* frame,
                                         void* user) try {
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
      if (session.awaits_round_trip() && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
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

int H2Session::Callbacks::data(nghttp2_session* library, std::uint8_t, std::int32_t id,
                               const std::uint8_t* bytes, std::size_t size, void* user) try {
  H2Session& session = self(user);
  H2Stream* stream = session.find(id);
  if (stream) session.take_body(*stream, view(bytes, size));
  // Taken: the client may send as much again. A body that is handed on in parts holds back its own
  // stream only.
  if (stream && stream->streams_body && !stream->drops_body) {
    nghttp2_session_consume_connection(library, size);
  } else {
    nghttp2_session_consume(library, id, size);
  }
  return 0;
} catch (...) {
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int H2Session::Callbacks::invalid_frame(nghttp2_session*, const nghttp2_frame*, int,
                                        void* user) try {
  H2Session& session = self(user);
  session.reading_head_ = 0;
  session.note(Event::Kind::malformed, 0);
  session.flood(session.flood_.glitch());
  return 0;
} catch (...) {
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int H2Session::Callbacks::unpack_extension(nghttp2_session*, void**, const nghttp2_frame_hd*,
                                           void*) {
  return NGHTTP2_ERR_CANCEL;  // not for us
}
int H2Session::Callbacks::extension_chunk(nghttp2_session*, const nghttp2_frame_hd*,
                                          const std::uint8_t*, std::size_t, void*) {
  return 0;
}

int H2Session::Callbacks::stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t,
                                        void* user) try {
  H2Session& session = self(user);
  if (H2Stream* stream = session.find(id)) session.closed(*stream);
  return 0;
} catch (...) {
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

ssize_t H2Session::Callbacks::read_answer(nghttp2_session*, std::int32_t, std::uint8_t*,
                                          std::size_t room, std::uint32_t* flags,
                                          nghttp2_data_source* source, void*) {
  const H2Stream& stream = *static_cast<H2Stream*>(source->ptr);
  if (stream.unsent == 0 && !stream.last_given) return NGHTTP2_ERR_DEFERRED;
  const std::size_t size = std::min(room, stream.unsent);
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (size == stream.unsent && stream.last_given) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(size);
}

int H2Session::Callbacks::send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head,
                                    std::size_t size, nghttp2_data_source* source, void* user) try {
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

int H2Session::Callbacks::frame_sent(nghttp2_session* library, const nghttp2_frame* frame,
                                     void* user) try {
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

int H2Session::Callbacks::frame_not_sent(nghttp2_session* library, const nghttp2_frame* frame, int,
                                         void* user) {
  H2Stream* stream = self(user).find(frame->hd.stream_id);
  if (stream && !stream->closed && frame->hd.type == NGHTTP2_HEADERS)
    nghttp2_submit_rst_stream(library, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR);
  return 0;
}

// The same for all sessions; the library copies it.
const nghttp2_session_callbacks* H2Session::Callbacks::all() {
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

}  // namespace understudy::proxy

#include "proxy/h2_session.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "proxy/field_text.h"
#include "proxy/h2_callbacks.h"

namespace understudy::proxy {
namespace {

constexpr std::size_t kMaxSpareStreams = 32;

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

constexpr char in_lower_case(char c) noexcept {
  return static_cast<char>(c | ((c >= 'A') & (c <= 'Z')) << 5);
}

template <std::size_t Size>
std::string_view decimal(std::array<char, Size>& digits, std::uint64_t number) noexcept {
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

}  // namespace

H2Session::H2Session(const routing::LimitsConfig& limits, metrics::BlockPool& blocks,
                     BodyBudget& bodies, TimePoint now)
    : limits_(limits), blocks_(blocks), bodies_(bodies), flood_(limits.http2, now), now_(now) {
  const routing::Http2Limits& http2 = limits.http2;
  session_ = Callbacks::make_session(*this, http2);
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
  return found == streams_.end() ? nullptr : &found->second;
}

void H2Session::begin_head(std::int32_t id) {
  flood_.stream_opened();
  last_opened_ = id;
  fields_.clear();
  if (spare_streams_.empty()) {
    heading_ = &streams_.try_emplace(id, id, bodies_).first->second;
    return;
  }
  auto node = std::move(spare_streams_.back());
  spare_streams_.pop_back();
  node.key() = id;
  node.mapped().become(id, bodies_);
  heading_ = &streams_.insert(std::move(node)).position->second;
}

void H2Session::end_head(H2Stream& stream) {
  stream.problem = fields_.finish(blocks_, stream.head);
  heading_ = nullptr;
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
  if (!stream.streams_body && there + bytes.size() > limits_.max_body_bytes) {
    drop_body(stream);
    return note(Event::Kind::too_large, stream.id);
  }
  if (!stream.streams_body && !stream.share.grow_to(there + bytes.size())) {
    drop_body(stream);
    return note(Event::Kind::no_room, stream.id);
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
  if (!stream.closed || stream.held || stream.in_flight) return;
  if (heading_ == &stream) heading_ = nullptr;
  stream.head = {};
  drop_body(stream);
  auto node = streams_.extract(stream.id);
  if (spare_streams_.size() < kMaxSpareStreams) spare_streams_.push_back(std::move(node));
}

void H2Session::release_spares() noexcept {
  std::vector<Streams::node_type>().swap(spare_streams_);
  fields_ = {};
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
  // The library copies them before anything else runs on the thread.
  static thread_local std::vector<nghttp2_nv> fields;
  static thread_local std::string names;
  fields.clear();
  std::array<char, 20> status, length;
  fields.push_back(field(":status", decimal(status, static_cast<std::uint64_t>(head.status))));
  // RFC 9113 8.2: names are in lower case. Room for all of them first, so that none moves.
  std::size_t name_bytes = 0;
  for (const auto some : {head.fields, head.added}) {
    for (const routing::Field& one : some) name_bytes += one.name.size();
  }
  if (names.size() < name_bytes) names.resize(name_bytes);
  char* to = names.data();
  for (const auto some : {head.fields, head.added}) {
    for (const routing::Field& one : some) {
      if (!is_field(one.name, one.value)) continue;  // as append_field() has it
      fields.push_back(field({to, one.name.size()}, one.value));
      to = std::ranges::transform(one.name, to, in_lower_case).out;
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

void H2Session::stream_body(H2Stream& stream) noexcept {
  stream.streams_body = true;
  stream.given_back = stream.body.size();
}

void H2Session::taken(H2Stream& stream, std::size_t size) {
  const std::size_t before = std::min(size, stream.given_back);
  stream.given_back -= before;
  if (!stream.closed) nghttp2_session_consume_stream(session_, stream.id, size - before);
}

void H2Session::drop_body(H2Stream& stream) {
  stream.drops_body = true;
  stream.body = {};
  stream.share.clear();
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
  if (std::exchange(ends_gently_, true) || ended_) return;
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
    H2Stream& stream = streams_.at(id);
    stream.in_flight = false;
    if (!stream.closed) closed(stream);
  }
}

bool H2Session::finished() const noexcept {
  return nghttp2_session_want_write(session_) == 0 &&
         (failed_ || nghttp2_session_want_read(session_) == 0);
}

}  // namespace understudy::proxy

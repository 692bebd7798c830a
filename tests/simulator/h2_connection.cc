#include "tests/simulator/h2_connection.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cctype>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "tests/simulator/operations.h"
#include "tests/simulator/serving.h"

namespace understudy::simulator {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBuffer = std::size_t{64} << 10;
constexpr std::size_t kMaxUnsent = std::size_t{256} << 10;
constexpr std::size_t kMaxHead = std::size_t{64} << 10;
constexpr std::size_t kMaxFrame = (std::size_t{24} << 20) + (std::size_t{128} << 10) + 16;

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

// The events in the frames of a request that is a stream of signed events: each frame carries one,
// encoded as Bedrock's own answers are.
class SignedFrames {
 public:
  // False when the bytes are no such frames.
  bool take(std::string_view bytes, std::string& events) {
    held_.append(bytes);
    while (held_.size() >= 12) {
      const std::size_t size = big_endian(held_);
      const std::size_t headers = big_endian(std::string_view{held_}.substr(4));
      if (size > kMaxFrame || size < 16 || headers > size - 16) return false;
      if (held_.size() < size) return true;
      events.append(held_, 12 + headers, size - 16 - headers);
      held_.erase(0, size);
    }
    return true;
  }

 private:
  std::string held_;
};

bool flows_both_ways(const Request& request) {
  return parse_operation(request.method, request.path()).operation ==
         Operation::invoke_model_with_bidirectional_stream;
}

struct Stream {
  Request request;
  std::size_t head_bytes = 0;
  bool both_ways = false;
  SignedFrames frames;
  std::string unsent;
  bool last = false;    // nothing follows it
  bool closed = false;  // for the client
};

class Http2Connection : public std::enable_shared_from_this<Http2Connection> {
 public:
  Http2Connection(tcp::socket socket, Service& service)
      : socket_(std::move(socket)), service_(service) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
    nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    constexpr std::uint32_t kWindow = 4u << 20;
    const std::array<nghttp2_settings_entry, 2> settings{
        {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000},
         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow}}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 4 * kWindow);
  }
  ~Http2Connection() { nghttp2_session_del(session_); }
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  asio::awaitable<void> serve() {
    boost::system::error_code ignored;
    socket_.set_option(tcp::no_delay{true}, ignored);
    service_.log().connected();
    std::vector<char> buffer(kReadBuffer);
    bool open = true;
    while (open) {
      auto [error, size] = co_await socket_.async_read_some(asio::buffer(buffer), kAwait);
      open =
          !error && nghttp2_session_mem_recv(
                        session_, reinterpret_cast<const std::uint8_t*>(buffer.data()), size) >= 0;
      for (const std::int32_t id : std::exchange(ready_, {}))
        asio::co_spawn(socket_.get_executor(), answer(shared_from_this(), id),
                       [](std::exception_ptr) {});
      co_await flush();
    }
    for (auto& [id, stream] : streams_) stream->closed = true;
    socket_.close(ignored);
  }

 private:
  using StreamPointer = std::shared_ptr<Stream>;
  static Http2Connection& self(void* user) { return *static_cast<Http2Connection*>(user); }
  StreamPointer find(std::int32_t id) const {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : found->second;
  }

  // --- What the library tells

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      self(user).streams_[frame->hd.stream_id] = std::make_shared<Stream>();
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                    std::uint8_t, void* user) {
    const auto stream = self(user).find(frame->hd.stream_id);
    if (!stream || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    stream->head_bytes += name_size + value_size;
    if (stream->head_bytes > kMaxHead) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    std::string key(reinterpret_cast<const char*>(name), name_size);
    std::string text(reinterpret_cast<const char*>(value), value_size);
    if (key == ":method") {
      stream->request.method = std::move(text);
    } else if (key == ":path") {
      stream->request.target = std::move(text);
    } else if (key == ":authority") {
      stream->request.headers.emplace_back("host", std::move(text));
    } else if (key != ":scheme") {
      stream->request.headers.emplace_back(std::move(key), std::move(text));
    }
    return 0;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Connection& connection = self(user);
    const auto stream = connection.find(frame->hd.stream_id);
    if (!stream) return 0;
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    const bool is_head =
        frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (is_head) stream->both_ways = flows_both_ways(stream->request);
    if (is_head ? (ends || stream->both_ways)
                : (ends && frame->hd.type == NGHTTP2_DATA && !stream->both_ways)) {
      connection.ready_.push_back(frame->hd.stream_id);
    }
    if (stream->both_ways && ends) connection.end(frame->hd.stream_id, *stream);
    return 0;
  }

  static int data(nghttp2_session* session, std::uint8_t, std::int32_t id,
                  const std::uint8_t* bytes, std::size_t size, void* user) {
    Http2Connection& connection = self(user);
    const auto stream = connection.find(id);
    if (!stream) return 0;
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    bool good = true;
    if (stream->both_ways) {
      good = stream->frames.take(text, stream->unsent) && stream->unsent.size() < kMaxFrame;
      nghttp2_session_resume_data(session, id);
    } else {
      good = stream->request.body.size() + size <= connection.service_.config().max_body_bytes;
      if (good) stream->request.body.append(text);
    }
    if (!good) nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
    return 0;
  }

  static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    Http2Connection& connection = self(user);
    if (const auto stream = connection.find(id)) stream->closed = true;
    connection.streams_.erase(id);
    return 0;
  }

  static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    Stream& stream = *static_cast<Stream*>(source->ptr);
    if (stream.unsent.empty() && !stream.last) return NGHTTP2_ERR_DEFERRED;
    const std::size_t size = std::min(room, stream.unsent.size());
    std::memcpy(to, stream.unsent.data(), size);
    stream.unsent.erase(0, size);
    if (stream.unsent.empty() && stream.last) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  // --- Answers

  static asio::awaitable<void> answer(std::shared_ptr<Http2Connection> connection,
                                      std::int32_t id) {
    const StreamPointer stream = connection->find(id);
    if (!stream) co_return;
    InFlight in_flight{connection->service_.log()};
    const Reply reply = handled(connection->service_, stream->request);
    if (!reply.both_ways && std::exchange(stream->both_ways, false)) stream->unsent.clear();
    const bool there = co_await connection->wait(*stream, reply.delay_ms);
    if (!there) co_return;
    if (reply.fault.kind == FaultKind::hang) co_return co_await connection->hang(*stream);
    if (reply.fault.kind == FaultKind::reset) co_return co_await connection->cut(id);
    connection->begin(id, *stream, reply);
    bool whole = true;
    if (!reply.both_ways) whole = co_await connection->send_body(id, *stream, reply);
    if (whole && !reply.both_ways) connection->end(id, *stream);
    co_await connection->flush();
    if (whole) co_return in_flight.complete();
    if (reply.fault.kind == FaultKind::truncate_midstream) co_await connection->cut(id);
    if (reply.fault.kind == FaultKind::hang_midstream) co_await connection->hang(*stream);
  }

  void begin(std::int32_t id, Stream& stream, const Reply& reply) {
    std::vector<std::pair<std::string, std::string>> fields{
        {":status", std::to_string(reply.status)},
        {"date", http_date()},
        {"x-amzn-requestid", request_id()}};
    if (!reply.events && !reply.both_ways)
      fields.emplace_back("content-length", std::to_string(reply.body.size()));
    for (const auto& [name, value] : reply.headers) {
      std::string lower = name;
      std::transform(lower.begin(), lower.end(), lower.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      fields.emplace_back(std::move(lower), value);
    }
    std::vector<nghttp2_nv> given;
    const auto bytes = [](std::string& text) {
      return reinterpret_cast<std::uint8_t*>(text.data());
    };
    for (auto& [name, value] : fields)
      given.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    const nghttp2_data_provider body{.source = {.ptr = &stream}, .read_callback = read_body};
    nghttp2_submit_response(session_, id, given.data(), given.size(), &body);
  }

  // False when it was cut, or the client left.
  asio::awaitable<bool> send_body(std::int32_t id, Stream& stream, const Reply& reply) {
    const bool cuts = reply.fault.kind == FaultKind::truncate_midstream ||
                      reply.fault.kind == FaultKind::hang_midstream;
    if (!reply.events) {
      const std::size_t size = stream.request.method == "HEAD" ? 0 : reply.body.size();
      stream.unsent.append(reply.body, 0, cuts ? size / 2 : size);
      nghttp2_session_resume_data(session_, id);
      co_return !cuts;
    }
    for (std::uint32_t sent = 0; !stream.closed; ++sent) {
      if (cuts && sent == reply.fault.count) co_return false;
      const auto event = reply.events();
      if (!event) co_return true;
      if (event->delay_ms > 0) co_await flush();
      if (!co_await wait(stream, event->delay_ms)) co_return false;
      stream.unsent.append(event->bytes);
      nghttp2_session_resume_data(session_, id);
      // A client that reads slowly is waited for.
      while (!stream.closed && stream.unsent.size() > kMaxUnsent) {
        co_await flush();
        if (!co_await wait(stream, 5)) co_return false;
      }
    }
    co_return false;
  }

  void end(std::int32_t id, Stream& stream) {
    stream.last = true;
    nghttp2_session_resume_data(session_, id);
  }

  asio::awaitable<void> cut(std::int32_t id) {
    co_await flush();
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
    co_await flush();
  }

  // Until the client leaves.
  asio::awaitable<void> hang(const Stream& stream) {
    bool there = true;
    while (there) there = co_await wait(stream, 250);
  }

  // False when the client left meanwhile.
  asio::awaitable<bool> wait(const Stream& stream, double delay_ms) {
    if (delay_ms > 0) {
      asio::steady_timer timer{socket_.get_executor()};
      timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
          std::chrono::duration<double, std::milli>(delay_ms)));
      co_await timer.async_wait(kAwait);
    }
    co_return !stream.closed;
  }

  // One writer at a time: whoever comes meanwhile is served by it.
  asio::awaitable<void> flush() {
    if (std::exchange(flushing_, true)) co_return;
    bool more = true;
    while (more) {
      std::string out;
      const std::uint8_t* bytes = nullptr;
      for (ssize_t size = 0;
           out.size() < kMaxUnsent && (size = nghttp2_session_mem_send(session_, &bytes)) > 0;)
        out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
      if (out.empty()) break;
      auto [error, count] = co_await asio::async_write(socket_, asio::buffer(out), kAwait);
      more = !error;
    }
    flushing_ = false;
  }

  tcp::socket socket_;
  Service& service_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, StreamPointer> streams_;
  std::vector<std::int32_t> ready_;  // whole, or flowing both ways, and not yet answered
  bool flushing_ = false;
};

}  // namespace

asio::awaitable<void> serve_http2(tcp::socket socket, Service& service) {
  const auto connection = std::make_shared<Http2Connection>(std::move(socket), service);
  co_await connection->serve();
}

}  // namespace understudy::simulator

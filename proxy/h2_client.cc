#include "proxy/h2_client.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "proxy/field_text.h"
#include "proxy/waiter.h"

namespace understudy::proxy {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kInputBytes = 16u << 10;
constexpr std::size_t kOutputBytes = 64u << 10;
constexpr std::uint32_t kWindowBytes = 256u << 10;  // of the answer that may wait for the client
constexpr std::size_t kFieldOverhead = 32;          // as RFC 9113 6.5.2 counts them
constexpr auto kLeaving = 2s;  // for the upstream to take the news that nobody waits any more

nghttp2_nv pair(const routing::Field& field) noexcept {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // it copies them
  };
  return {bytes(field.name), bytes(field.value), field.name.size(), field.value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

// As append_field() has it; the names of pseudo fields begin with a colon.
bool can_be_sent(const routing::Field& field) noexcept {
  return is_field(field.name.substr(field.name.starts_with(':') ? 1 : 0), field.value);
}

// What ends a stream is noted in it.
void unheard(std::exception_ptr) noexcept {}

std::string_view view(const std::uint8_t* data, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

// The connection and its one stream: a coroutine reads, one writes, each of which keeps it alive.
// nghttp2's callbacks only note what happened; who waits is woken behind them.
class H2Client::Stream final : public std::enable_shared_from_this<Stream>, private Deadline {
 public:
  Stream(std::shared_ptr<UpstreamPool> pool, std::unique_ptr<Transport> transport,
         const H2ClientLimits& limits)
      : Deadline(pool->resources().sweep),
        pool_(std::move(pool)),
        transport_(std::move(transport)),
        limits_(limits) {
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option* option = nullptr;
    const bool made = nghttp2_option_new(&option) == 0;
    if (made) nghttp2_option_set_no_auto_window_update(option, 1);
    const bool begun = made && nghttp2_session_client_new2(&session_, callbacks, this, option) == 0;
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (!begun) throw std::bad_alloc();
  }
  ~Stream() override { nghttp2_session_del(session_); }

  void begin(std::span<const routing::Field> fields) {
    const std::array<nghttp2_settings_entry, 2> settings{{
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindowBytes},
    }};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kWindowBytes);
    std::vector<nghttp2_nv> head;
    head.reserve(fields.size());
    for (const routing::Field& field : fields) {
      if (can_be_sent(field)) head.push_back(pair(field));
    }
    const nghttp2_data_provider provider{.source = {.ptr = this}, .read_callback = read_request};
    id_ = nghttp2_submit_request(session_, nullptr, head.data(), head.size(), &provider, nullptr);
    if (id_ < 0) throw std::bad_alloc();
    set(limits_.idle);
    spawn(pool_->resources().context, read_loop(shared_from_this()), unheard);
    spawn(pool_->resources().context, write_loop(shared_from_this()), unheard);
  }

  Task<Status> write(std::string_view bytes, bool last) {
    if (!closed_ && !failure_) {
      unsent_ = bytes;
      last_given_ = last;
      nghttp2_session_resume_data(session_, id_);
      want_output();
    }
    while (!closed_ && !failure_ && (!unsent_.empty() || writing_ || (last && !request_ended_)))
      co_await written_.wait();
    unsent_ = {};  // the bytes are the caller's again
    if (failure_) co_return *failure_;
    if (closed_ && !(last && request_ended_)) co_return ended_early();
    co_return Status{};
  }

  Task<Result<const ResponseHead*>> read_head() {
    while (!head_whole_ && !failure_) co_await came_.wait();
    if (!head_whole_) co_return *failure_;
    if (const auto problem = scan_response_head(
            head_text_, {.max_fields = 256, .max_target_bytes = 0}, false, head_))
      co_return Error{ErrorKind::bad_message, Side::upstream, std::string{problem->what}};
    co_return &head_;
  }

  Task<Result<Part>> read() {
    nghttp2_session_consume(session_, id_, std::exchange(handed_out_, 0));
    want_output();
    while (answer_.empty() && !answer_ended_ && !failure_) co_await came_.wait();
    if (answer_.empty() && !answer_ended_) co_return *failure_;
    handed_out_ = answer_.size();
    co_return Part{std::exchange(answer_, {}), answer_ended_};
  }

  // The first reason counts.
  void fail(Error error) {
    if (!failure_) failure_ = std::move(error);
    clear();
    transport_->close();
    wake_all();
  }

  // Tells the upstream, then closes: behind a write that is under way, but one that hangs is not
  // waited for.
  void leave() {
    if (std::exchange(leaving_, true)) return;
    if (!failure_)
      failure_ = Error{ErrorKind::cancelled, Side::internal, "the upstream's call was stopped"};
    if (transport_->is_open()) {
      if (!closed_) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
      nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
      set(kLeaving);
    }
    wake_all();
  }

 private:
  static Stream& self(void* user) noexcept { return *static_cast<Stream*>(user); }

  void want_output() {
    output_wanted_ = true;
    output_.wake();
  }

  // Each may end who waits, and with it the H2Client.
  void wake_all() {
    const auto keep = shared_from_this();
    want_output();
    came_.wake();
    written_.wake();
  }

  static Error ended_early() {
    return {ErrorKind::closed, Side::upstream, "the upstream ended the stream"};
  }

  void expired() noexcept override {
    fail({ErrorKind::timeout, Side::upstream,
          "stream with " + pool_->authority() + ": timed out (stream_idle_timeout)"});
  }

  // --- The connection

  static Task<void> read_loop(std::shared_ptr<Stream> self) {
    std::array<std::uint8_t, kInputBytes> buffer;
    while (self->transport_->is_open()) {
      const auto [error, size] =
          co_await self->transport_->read_some(asio::buffer(buffer.data(), buffer.size()));
      if (error) {
        self->fail({ErrorKind::closed, Side::upstream,
                    "stream with " + self->pool_->authority() + ": " + error.message()});
        break;
      }
      self->take({buffer.data(), size});
    }
  }

  void take(std::span<const std::uint8_t> bytes) {
    if (!leaving_) set(limits_.idle);
    if (nghttp2_session_mem_recv(session_, bytes.data(), bytes.size()) < 0)
      return fail({ErrorKind::bad_message, Side::upstream, "the upstream's bytes are no HTTP/2"});
    if (head_too_large_)
      return fail({ErrorKind::too_large, Side::upstream,
                   "the answer's head exceeds max_response_header_bytes"});
    if (head_malformed_)
      return fail(
          {ErrorKind::bad_message, Side::upstream, "the answer's head holds what no header may"});
    // What was told before the connection broke still counts.
    if (closed_ && !answer_ended_ && !failure_) failure_ = ended_early();
    wake_all();
  }

  static Task<void> write_loop(std::shared_ptr<Stream> self) {
    std::string bytes;
    while (self->transport_->is_open()) {
      bytes.clear();
      self->collect(bytes);
      if (bytes.empty() && self->leaving_) break;
      if (bytes.empty()) {
        self->output_wanted_ = false;
        self->written_.wake();  // who may at once have more
        if (!self->output_wanted_) co_await self->output_.wait();
        continue;
      }
      self->writing_ = true;
      const std::array piece{asio::const_buffer(bytes.data(), bytes.size())};
      const auto [error, size] = co_await self->transport_->write(piece);
      self->writing_ = false;
      if (error) {
        self->fail({ErrorKind::closed, Side::upstream,
                    "stream with " + self->pool_->authority() + ": " + error.message()});
        break;
      }
      if (!self->leaving_) self->set(self->limits_.idle);
    }
    self->clear();
    self->transport_->close();
  }

  void collect(std::string& bytes) {
    while (bytes.size() < kOutputBytes) {
      const std::uint8_t* data = nullptr;
      const auto size = nghttp2_session_mem_send(session_, &data);
      if (size < 0)
        return fail({ErrorKind::internal, Side::internal, "nghttp2 cannot send: no memory"});
      if (size == 0) return;
      bytes.append(view(data, static_cast<std::size_t>(size)));
    }
  }

  // --- As nghttp2 wants them

  static ssize_t read_request(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t room,
                              std::uint32_t* flags, nghttp2_data_source* source, void*) {
    Stream& my = self(source->ptr);
    if (my.unsent_.empty() && !my.last_given_) return NGHTTP2_ERR_DEFERRED;
    const std::size_t size = std::min(room, my.unsent_.size());
    std::copy_n(my.unsent_.data(), size, to);
    my.unsent_.remove_prefix(size);
    if (my.unsent_.empty() && my.last_given_) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      my.request_ended_ = true;
    }
    return static_cast<ssize_t>(size);
  }

  // Written down as HTTP/1.1 would bring it, for the gate that sees every head; trailers are
  // dropped.
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* user) try {
    Stream& my = self(user);
    if (frame->hd.type != NGHTTP2_HEADERS || my.head_whole_) return 0;
    my.head_bytes_ += name_size + value_size + kFieldOverhead;
    my.head_too_large_ = my.head_too_large_ || my.head_bytes_ > my.limits_.max_head_bytes;
    if (my.head_too_large_) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!is_field_value(view(value, value_size))) {
      my.head_malformed_ = true;
    } else if (view(name, name_size) == ":status") {
      my.head_text_ = "HTTP/1.1 " + std::string{view(value, value_size)} + " \r\n";
    } else {
      append_field(my.head_text_, view(name, name_size), view(value, value_size));
    }
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  // The library leaves such fields out, which will do for a blank too many; an answer that has a
  // line end in one is none.
  static int on_invalid_header(nghttp2_session*, const nghttp2_frame* frame,
                               const std::uint8_t* name, std::size_t name_size,
                               const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                               void* user) {
    Stream& my = self(user);
    const bool of_head = frame->hd.type == NGHTTP2_HEADERS && !my.head_whole_;
    if (of_head && !is_field(view(name, name_size), view(value, value_size)))
      my.head_malformed_ = true;
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) try {
    Stream& my = self(user);
    if (frame->hd.stream_id != my.id_) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && !my.head_whole_ && !my.head_malformed_) {
      constexpr std::size_t kStatusAt = 9;
      if (my.head_text_.size() > kStatusAt && my.head_text_[kStatusAt] == '1') {
        my.head_text_.clear();  // interim; its bytes count on, so that they are not without end
      } else {
        my.head_text_ += "\r\n";
        my.head_whole_ = true;
      }
    }
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) my.answer_ended_ = true;
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id,
                     const std::uint8_t* bytes, std::size_t size, void* user) try {
    Stream& my = self(user);
    if (my.leaving_ || id != my.id_) {
      nghttp2_session_consume(session, id, size);
    } else {
      my.answer_.append(view(bytes, size));
    }
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    Stream& my = self(user);
    if (id == my.id_) my.closed_ = true;
    return 0;
  }

  const std::shared_ptr<UpstreamPool> pool_;
  const std::unique_ptr<Transport> transport_;
  const H2ClientLimits limits_;
  nghttp2_session* session_ = nullptr;
  std::int32_t id_ = 0;

  std::string_view unsent_;  // of the body, not yet in frames
  bool last_given_ = false;
  bool request_ended_ = false;
  bool writing_ = false;

  std::string head_text_;
  std::size_t head_bytes_ = 0;
  bool head_too_large_ = false;
  bool head_malformed_ = false;
  bool head_whole_ = false;
  ResponseHead head_;  // views into head_text_
  std::string answer_;
  std::size_t handed_out_ = 0;  // of it, not yet given back to the window
  bool answer_ended_ = false;

  bool closed_ = false;  // for the library: nothing more goes or comes
  bool leaving_ = false;
  std::optional<Error> failure_;
  bool output_wanted_ = false;
  Waiter output_;   // the writing coroutine, until there is something to send
  Waiter written_;  // write()
  Waiter came_;     // read_head(), read()
};

H2Client::H2Client(std::shared_ptr<UpstreamPool> pool, const H2ClientLimits& limits)
    : pool_(std::move(pool)), limits_(limits), connecting_(pool_->resources().sweep) {}

H2Client::~H2Client() {
  if (stream_) stream_->leave();
}

Task<Status> H2Client::open(std::span<const routing::Field> fields) {
  auto connected =
      co_await pool_->connect(connecting_, limits_.connect, UpstreamPool::Protocol::h2);
  if (!connected) co_return connected.error();
  if (interrupted_)
    co_return Error{ErrorKind::cancelled, Side::internal, "stopped while connecting"};
  stream_ = std::make_shared<Stream>(pool_, std::move(*connected), limits_);
  stream_->begin(fields);
  co_return Status{};
}

Task<Status> H2Client::write(std::string_view bytes, bool last) {
  return stream_->write(bytes, last);
}

Task<Result<const ResponseHead*>> H2Client::read_head() {
  return stream_->read_head();
}

Task<Result<H2Client::Part>> H2Client::read() {
  return stream_->read();
}

void H2Client::interrupt() noexcept {
  const auto stream = stream_;
  interrupted_ = true;
  connecting_.interrupt();  // may end whoever waits, and with it this object
  if (stream) stream->leave();
}

}  // namespace understudy::proxy

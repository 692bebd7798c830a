#include "proxy/h2_connection.h"

#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "proxy/http_policy.h"
#include "proxy/log.h"

namespace understudy::proxy {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

// Room for what eight streams send at once: each read more costs, and what came by one read is
// answered by one write.
constexpr std::size_t kInputBlock = 32u << 10;
constexpr auto kIdleAfter = 250ms;  // a connection gives back what it keeps for the next request
constexpr auto kRoundTrip = 1s;  // for new streams that were under way when the end was announced

}  // namespace

H2Connection::H2Connection(WorkerContext& worker, const ServedListener& listener,
                           std::unique_ptr<Transport> transport, metrics::Block already_read)
    : Deadline(worker.resources.sweep),
      worker_(worker),
      listener_(listener),
      transport_(std::move(transport)),
      already_read_(std::move(already_read)),
      limits_(worker.current->snapshot().config().limits),
      session_(limits_, worker.resources.blocks, worker.bodies, steady_clock::now()),
      idle_release_(worker.resources.sweep, *this) {
  worker_.recorder.connection_opened();
}

H2Connection::~H2Connection() {
  worker_.recorder.connection_closed();
}

Task<void> H2Connection::run() {
  writing_ = true;
  spawn(worker_.resources.context, write_loop(),
        [self = shared_from_this()](std::exception_ptr failure) {
          if (failure) log_error("connection_failed");
          self->writing_ = false;
          self->transport_->end_and_close();
          self->all_ended_.wake();
        });
  if (const metrics::Block first = std::exchange(already_read_, {})) take(first.view());
  co_await read_loop();

  cut();
  while (writing_) co_await all_ended_.wait();
  session_.abandon();
  handle_events();
  while (!requests_.empty()) co_await all_ended_.wait();
  clear();
}

// A client that is idle is told that no more requests are taken; requests that are on their way
// meanwhile still are.
void H2Connection::finish() noexcept {
  session_.announce_end();
  watch();
  flush_soon();
}

void H2Connection::cut() noexcept {
  closed_ = true;
  transport_->close();
  output_.wake();
}

// --- Reading

Task<void> H2Connection::read_loop() {
  watch();
  while (true) {
    if (session_.open_streams() == 0) idle_release_.set(kIdleAfter);
    const auto unreadable = co_await transport_->wait_readable();
    idle_release_.clear();
    if (unreadable) co_return;
    const metrics::Block input = worker_.resources.blocks.take(kInputBlock);
    const auto [error, size] =
        co_await transport_->read_some(asio::buffer(input.data(), input.capacity()));
    if (error) co_return;
    take({input.data(), size});
  }
}

// Only while no write is under way: it refers to what is given back.
void H2Connection::release_idle() noexcept {
  if (session_.open_streams() > 0) return;
  if (!output_.waiting()) return idle_release_.set(kIdleAfter);
  session_.release_spares();
  std::vector<RequestHead>().swap(spare_heads_);
  std::vector<H2Session::Event>().swap(spare_events_);
  out_ = {};
  std::vector<asio::const_buffer>().swap(buffers_);
  worker_.trim.soon();
}

void H2Connection::take(std::string_view bytes) {
  limits_ = worker_.current->snapshot().config().limits;
  session_.receive(bytes, steady_clock::now());
  handle_events();
  watch();
  flush_soon();
}

// One event may end requests, and more events come of that.
void H2Connection::handle_events() {
  auto events = session_.take_events(std::exchange(spare_events_, {}));
  while (!events.empty()) {
    for (const H2Session::Event& event : events) handle(event);
    events.clear();
    events = session_.take_events(std::move(events));
  }
  spare_events_ = std::move(events);
  if (const auto limit = session_.take_broken_limit(); !limit.empty())
    worker_.recorder.refused(limit);
}

void H2Connection::handle(const H2Session::Event& event) {
  using Kind = H2Session::Event::Kind;
  if (event.kind == Kind::malformed) return worker_.recorder.refused("http2");
  if (event.kind == Kind::round_trip) return session_.end_gently();
  if (event.kind == Kind::hopeless) {
    const H2Stream* stream = session_.find(event.stream);
    if (stream && stream->problem) worker_.recorder.refused(stream->problem->rule);
    return;
  }
  if (event.kind == Kind::head) {
    H2Stream* stream = session_.find(event.stream);
    // Reset behind its head: it costs nothing more.
    if (!stream || stream->closed) return session_.release(event.stream);
    return requests_.try_emplace(event.stream, *this, *stream).first->second.head();
  }
  const auto found = requests_.find(event.stream);
  if (found == requests_.end()) return;
  H2Request& request = found->second;
  switch (event.kind) {
    case Kind::progress:
      return request.progress();
    case Kind::too_large:
      return request.refuse_body(kBodyTooLarge);
    case Kind::no_room:
      return request.refuse_body(kNoRoomForBody);
    case Kind::complete:
      return request.complete();
    case Kind::gone:
      return request.gone();
    default:
      return;
  }
}

// --- Requests

void H2Connection::start(std::int32_t stream, Task<void> answering) {
  spawn(worker_.resources.context, std::move(answering),
        [self = shared_from_this(), stream](std::exception_ptr failure) {
          if (failure) {  // a bug or no memory; it ends with this request
            log_error("request_failed");
            if (H2Stream* cut = self->session_.find(stream)) self->session_.cut(*cut);
          }
          self->ended(stream);
        });
}

void H2Connection::ended(std::int32_t stream) {
  requests_.erase(stream);
  session_.release(stream);
  watch();
  flush_soon();
  if (requests_.empty()) all_ended_.wake();
}

RequestHead H2Connection::take_head() noexcept {
  if (spare_heads_.empty()) return {};
  RequestHead head = std::move(spare_heads_.back());
  spare_heads_.pop_back();
  return head;
}

void H2Connection::give_back(RequestHead head) {
  constexpr std::size_t kMaxKept = 32;
  head.clear();
  if (spare_heads_.size() < kMaxKept) spare_heads_.push_back(std::move(head));
}

// The connection itself has taken the share of one.
bool H2Connection::begin_exchange() noexcept {
  if (exchanges_ > 0 && !worker_.files.take_if_there_is_room()) return false;
  ++exchanges_;
  return true;
}

void H2Connection::exchange_ended() noexcept {
  if (--exchanges_ > 0) worker_.files.give_back();
}

// --- Writing

void H2Connection::flush_soon() {
  if (awaiting_ == Awaiting::last_bytes || !output_.waiting() || std::exchange(flushing_, true))
    return;
  asio::post(worker_.resources.context, [self = shared_from_this()] {
    self->flushing_ = false;
    self->output_.wake();
  });
}

Task<void> H2Connection::write_loop() {
  while (!closed_) {
    bool more = true;
    while (more) more = co_await send_once();
    if (session_.finished() || closed_) break;
    co_await output_.wait();
  }
  // A close with unread input would reset the connection and could take the last bytes with it.
  if (closed_) co_return;
  transport_->shut_down_sending();
  awaiting_ = Awaiting::last_bytes;
  set(limits_.linger_timeout);
  co_await output_.wait();
}

// False when nothing is left to send, or nothing can be.
Task<bool> H2Connection::send_once() {
  H2Output& output = out_;
  output.clear();
  session_.collect(output, steady_clock::now());
  bool taken = true;
  if (!output.empty()) {
    buffers_.clear();
    output.for_each_piece(
        [&](const char* data, std::size_t size) { buffers_.emplace_back(data, size); });
    transport_->expire_after(limits_.write_timeout);
    const auto [error, size] = co_await transport_->write(buffers_);
    if (transport_->timed_out()) worker_.recorder.refused("write_timeout");
    transport_->never_expire();
    taken = !error;
  }
  session_.sent(output);
  for (const std::int32_t stream : output.streams()) {
    if (const auto found = requests_.find(stream); found != requests_.end())
      found->second.written();
  }
  handle_events();
  if (!taken) transport_->close();
  co_return taken && !closed_ && (!output.empty() || !output.streams().empty());
}

// --- Patience

void H2Connection::watch() {
  if (awaiting_ == Awaiting::last_bytes) return;
  Awaiting now = Awaiting::nothing;
  if (!session_.greeted()) {
    now = Awaiting::greeting;
  } else if (session_.reading_head() != 0) {
    now = Awaiting::head;
  } else if (session_.awaits_round_trip()) {
    now = Awaiting::round_trip;
  } else if (session_.open_streams() == 0) {
    now = Awaiting::request;
    if (awaiting_ != now) idle_release_.set(kIdleAfter);
  }
  if (now == awaiting_ && session_.reading_head() == awaited_head_) return;
  awaiting_ = now;
  awaited_head_ = session_.reading_head();
  if (now == Awaiting::nothing) {
    clear();
  } else {
    set(patience(now));
  }
}

milliseconds H2Connection::patience(Awaiting what) const noexcept {
  switch (what) {
    case Awaiting::round_trip:
      return kRoundTrip;
    case Awaiting::request:
      return limits_.http2.keep_alive_timeout;
    default:
      return limits_.header_timeout;
  }
}

void H2Connection::expired() noexcept {
  switch (std::exchange(awaiting_, Awaiting::nothing)) {
    case Awaiting::nothing:
      return;
    case Awaiting::greeting:
    case Awaiting::head:
      worker_.recorder.refused("header_timeout");
      session_.end();
      break;
    case Awaiting::round_trip:
      session_.end_gently();
      break;
    case Awaiting::request:
      worker_.recorder.refused("keep_alive_timeout");
      session_.end();
      break;
    case Awaiting::last_bytes:
      return transport_->close();
  }
  flush_soon();
}

}  // namespace understudy::proxy

#include "proxy/connection.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>
#include <utility>

#include "proxy/bidirectional_exchange.h"
#include "proxy/body_pace.h"
#include "proxy/chunked.h"
#include "proxy/error_answer.h"
#include "proxy/http_policy.h"
#include "proxy/log.h"

namespace understudy::proxy {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kInputBlock = 8u << 10;
constexpr auto kIdleAfter = 250ms;  // a connection gives back what it keeps for the next request

// How a client of HTTP/2 begins: so that it looks like a request to servers that do not know it
// (RFC 9113 3.4).
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\n";

constexpr HeadProblem kHeadTooLarge{431, "max_header_bytes",
                                    "The request's head is larger than max_header_bytes."};
constexpr HeadProblem kBadChunks{400, "chunks", "The request's chunked coding is malformed."};
constexpr HeadProblem kChunkOverhead{400, "max_chunk_overhead_bytes",
                                     "The request's chunks are more framing than data."};

// A body block that holds `size` bytes and room for `more`.
metrics::Block grown(metrics::BlockPool& pool, const metrics::Block& block, std::size_t more) {
  if (block && block.capacity() - block.size() >= more) return block;
  metrics::Block larger = pool.take(std::max(block.size() + more, 2 * block.size()));
  if (block) std::memcpy(larger.data(), block.data(), block.size());
  larger.set_size(block.size());
  return larger;
}

}  // namespace

// Names the exchange that runs, also when it ends by an exception.
class Connection::Running {
 public:
  Running(Exchange*& place, Exchange& exchange) noexcept : place_(place) { place_ = &exchange; }
  ~Running() { place_ = nullptr; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Exchange*& place_;
};

class Connection::IdleRelease final : public Deadline {
 public:
  IdleRelease(DeadlineSweep& sweep, Connection& connection)
      : Deadline(sweep, AtStop::is_dropped), connection_(connection) {}

 private:
  void expired() noexcept override { connection_.release_idle(); }
  Connection& connection_;
};

Connection::Connection(WorkerContext& worker, const ServedListener& listener,
                       std::unique_ptr<Transport> transport, bool may_be_http2)
    : worker_(worker),
      listener_(listener),
      transport_(std::move(transport)),
      may_be_http2_(may_be_http2),
      idle_release_(std::make_unique<IdleRelease>(worker.resources.sweep, *this)),
      answer_(worker.texts) {
  worker_.recorder.connection_opened();
  transport_->tell_hangup(this);
}

Connection::~Connection() {
  worker_.recorder.connection_closed();
}

Task<void> Connection::run() {
  // The wait for a head is here: an idle connection has no frame of a request. Not `while
  // (co_await one_request(..)) {}`: g++ 12 resumes that at a wrong place.
  for (bool another = true; another;) {
    limits_ = worker_.current->snapshot().config().limits;
    const auto head = co_await read_head();
    another = co_await one_request(head);
  }
  idle_release_->clear();
  if (is_http2_) co_return;
  if (!broken_) co_await transport_->say_end();
  transport_->close();
}

std::optional<Connection::Http2Start> Connection::take_http2() noexcept {
  if (!std::exchange(is_http2_, false)) return std::nullopt;
  input_.set_size(end_);
  transport_->tell_hangup(nullptr);
  return Http2Start{std::move(transport_), std::move(input_)};
}

// True when another request may follow. `head` is the caller's, who waits.
Task<bool> Connection::one_request(const Outcome<std::size_t>& head) {
  if (const auto* refusal = std::get_if<Refusal>(&head)) {
    co_await refuse(*refusal);
    co_return false;
  }
  if (std::exchange(may_be_http2_, false) && begin_ == 0 && unread().starts_with(kHttp2Preface)) {
    is_http2_ = true;
    co_return false;
  }
  keep_head(std::get<std::size_t>(head));
  in_request_ = true;
  Outcome<DownstreamRequest> received = examine_head();
  if (auto* request = std::get_if<DownstreamRequest>(&received)) {
    std::optional<Refusal> refusal;
    if (!take_buffered_body(*request)) refusal = co_await read_body(*request);
    if (!refusal) refusal = examine_body(*request);
    // What came of the body goes before the answer, which may take its time, and its share with it.
    if (refusal) received = *refusal;
  }
  if (const auto* refusal = std::get_if<Refusal>(&received)) {
    co_await refuse(*refusal);
    co_return false;
  }

  keep_alive_ = head_.keep_alive && !finishing_;
  const auto exchange = worker_.exchanges.make(
      worker_, std::get<DownstreamRequest>(std::move(received)), *static_cast<ResponseSink*>(this));
  const Running running(exchange_, *exchange);
  if (!has_input()) input_ = {};
  co_await exchange->run();
  head_.clear();
  head_bytes_ = {};
  in_request_ = false;
  co_return keep_alive_ && !broken_ && !finishing_ && !closed_;
}

// Copied out of the input, so that its views stay while further input comes in.
void Connection::keep_head(std::size_t size) {
  head_bytes_ = worker_.resources.blocks.take(size);
  std::memcpy(head_bytes_.data(), unread().data(), size);
  head_bytes_.set_size(size);
  begin_ += size;
}

Connection::Outcome<DownstreamRequest> Connection::examine_head() {
  const HeadLimits head_limits{.max_fields = limits_.max_header_fields,
                               .max_target_bytes = limits_.max_target_bytes};
  if (const auto problem = scan_request_head(head_bytes_.view(), head_limits, head_))
    return Refusal{*problem};
  auto admitted = admit(head_, listener_);
  if (const auto* problem = std::get_if<HeadProblem>(&admitted)) return Refusal{*problem};
  auto& target = std::get<routing::RequestTarget>(admitted);
  if (flows_both_ways(target)) return Refusal{kNeedsHttp2};
  DownstreamRequest request{
      .head = &head_, .target = std::move(target), .share = BodyShare(worker_.bodies)};
  if (const auto problem = request.client.check_head(listener_.target.clients, head_,
                                                     transport_->client_names(), worker_.verifier))
    return Refusal{*problem};
  return request;
}

std::optional<Connection::Refusal> Connection::examine_body(DownstreamRequest& request) {
  if (const auto problem = request.client.check_body(head_, request.body.view(), worker_.verifier))
    return Refusal{*problem};
  return std::nullopt;
}

void Connection::finish() noexcept {
  finishing_ = true;
  if (!transport_) return;
  // Idle, or in the middle of a head that will not be answered.
  if (!in_request_ && !has_input()) transport_->end_and_close();
}

void Connection::cut() noexcept {
  finishing_ = true;
  if (transport_) transport_->close();
  // It may be waiting for its upstream. Last: it may end at once, and with it this object.
  if (exchange_) exchange_->client_gone();
}

// --- Reading
// -------------------------------------------------------------------------------------------------------------

// Makes sure that there is free space behind `end_`.
void Connection::make_room() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (!input_) input_ = worker_.resources.blocks.take(kInputBlock);
  if (end_ < input_.capacity()) return;
  if (begin_ > 0) {
    std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
  } else {
    metrics::Block larger = worker_.resources.blocks.take(2 * input_.capacity());
    std::memcpy(larger.data(), input_.data(), end_);
    input_ = std::move(larger);
  }
  end_ -= begin_;
  begin_ = 0;
}

// Waits until something came in; false when nothing will. Who has nothing waits without a buffer.
Task<bool> Connection::more_input() {
  if (closed_) co_return false;
  if (!has_input()) {
    input_ = {};
    idle_release_->set(kIdleAfter);
  }
  boost::system::error_code error = co_await transport_->wait_readable();
  idle_release_->clear();
  if (!error) {
    make_room();
    std::size_t size = 0;
    std::tie(error, size) = co_await transport_->read_some(
        asio::buffer(input_.data() + end_, input_.capacity() - end_));
    end_ += size;
  }
  closed_ = static_cast<bool>(error);
  co_return !closed_;
}

void Connection::release_idle() noexcept {
  answer_.release();
  // A body may be what is waited for, and its head is needed yet.
  if (!in_request_) head_ = {};
  worker_.trim.soon();
}

// A client that closes while its answer is being made does not want it. One that closed its side
// before, behind a whole request, is answered: it may only have said that no more requests come.
void Connection::hung_up() noexcept {
  if (!exchange_) return;
  closed_ = true;
  exchange_->client_gone();
}

Task<Connection::Outcome<std::size_t>> Connection::read_head() {
  std::size_t searched = 0;
  bool timing_head = has_input();
  if (timing_head) {
    transport_->expire_after(limits_.header_timeout);
  } else {
    transport_->expire_at_rest_after(limits_.keep_alive_timeout);
  }
  while (true) {
    // An empty line before a request is passed over (RFC 9112 2.2).
    while (searched == 0 && unread().starts_with("\r\n")) begin_ += 2;
    if (has_input()) {
      const std::size_t end = find_head_end(unread(), searched);
      if (end != std::string_view::npos ? end > limits_.max_header_bytes
                                        : unread().size() > limits_.max_header_bytes) {
        co_return Refusal{kHeadTooLarge};
      }
      if (end != std::string_view::npos) {
        transport_->never_expire();
        co_return end;
      }
      if (!timing_head) {
        transport_->expire_after(limits_.header_timeout);
        timing_head = true;
      }
    }
    if (!co_await more_input()) {
      if (transport_->timed_out())
        worker_.recorder.refused(timing_head ? "header_timeout" : "keep_alive_timeout");
      co_return Refusal{Gone{}};
    }
  }
}

Task<bool> Connection::tell_to_continue() {
  if (!head_.expects_continue || has_input()) co_return true;
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  const std::array buffers{asio::const_buffer(kContinue.data(), kContinue.size())};
  transport_->expire_after(limits_.write_timeout);
  const auto [error, size] = co_await transport_->write(buffers);
  co_return !error;
}

Task<std::optional<Connection::Refusal>> Connection::read_body(DownstreamRequest& request) {
  if (head_.content_length > limits_.max_body_bytes) co_return Refusal{kBodyTooLarge};
  if (!co_await tell_to_continue()) co_return Refusal{Gone{}};
  // Not as one conditional expression: g++ 12 destroys what is awaited in its arms twice.
  std::optional<Refusal> refusal;
  BodyPace pace(limits_, BodyPace::Clock::now());
  if (head_.framing == Framing::content_length) {
    refusal = co_await read_sized_body(pace, request);
  } else {
    refusal = co_await read_chunked_body(pace, request);
  }
  if (transport_->timed_out()) worker_.recorder.refused(pace.limit());
  transport_->never_expire();
  co_return refusal;
}

// The usual case: there is no body, or all of it came with the head.
bool Connection::take_buffered_body(DownstreamRequest& request) {
  if (head_.framing == Framing::none) return true;
  if (head_.framing != Framing::content_length || head_.content_length > unread().size())
    return false;
  if (head_.content_length > limits_.max_body_bytes) return false;
  const auto size = static_cast<std::size_t>(head_.content_length);
  if (!request.share.grow_to(size)) return false;
  request.body = worker_.resources.blocks.take(size);
  std::memcpy(request.body.data(), unread().data(), size);
  request.body.set_size(size);
  begin_ += size;
  return true;
}

// Into the block where the bytes stay: hashed there, sent from there, handed to the copy by
// reference.
Task<std::optional<Connection::Refusal>> Connection::read_sized_body(BodyPace& pace,
                                                                     DownstreamRequest& request) {
  const auto size = static_cast<std::size_t>(head_.content_length);
  metrics::Block& body = request.body;
  body = worker_.resources.blocks.take(size);
  const std::size_t there = std::min(size, end_ - begin_);
  if (there > 0) std::memcpy(body.data(), unread().data(), there);
  body.set_size(there);
  begin_ += there;
  while (request.share.grow_to(body.size())) {
    if (body.size() == size) co_return std::nullopt;
    transport_->expire_after(pace.patience(body.size(), BodyPace::Clock::now()));
    const auto [error, got] =
        co_await transport_->read_some(asio::buffer(body.data() + body.size(), size - body.size()));
    if (error) {
      closed_ = true;
      co_return Refusal{Gone{}};
    }
    body.set_size(body.size() + got);
  }
  co_return Refusal{kNoRoomForBody};
}

Task<std::optional<Connection::Refusal>> Connection::read_chunked_body(BodyPace& pace,
                                                                       DownstreamRequest& request) {
  ChunkDecoder decoder(limits_.max_chunk_overhead_bytes);
  metrics::Block& body = request.body;
  while (true) {
    while (has_input()) {
      const auto step = decoder.next(unread());
      begin_ += step.consumed;
      if (!step.data.empty()) {
        if (body.size() + step.data.size() > limits_.max_body_bytes)
          co_return Refusal{kBodyTooLarge};
        if (!request.share.grow_to(body.size() + step.data.size()))
          co_return Refusal{kNoRoomForBody};
        body = grown(worker_.resources.blocks, body, step.data.size());
        std::memcpy(body.data() + body.size(), step.data.data(), step.data.size());
        body.set_size(body.size() + step.data.size());
      }
      if (step.state == ChunkDecoder::State::done) co_return std::nullopt;
      if (step.state == ChunkDecoder::State::malformed) co_return Refusal{kBadChunks};
      if (step.state == ChunkDecoder::State::too_much_framing) co_return Refusal{kChunkOverhead};
      // A chunk that is too large is refused when it is announced.
      if (decoder.announced() > limits_.max_body_bytes - body.size())
        co_return Refusal{kBodyTooLarge};
    }
    transport_->expire_after(pace.patience(body.size(), BodyPace::Clock::now()));
    if (!co_await more_input()) co_return Refusal{Gone{}};
  }
}

// --- Refusing
// ------------------------------------------------------------------------------------------------------------

Task<void> Connection::refuse(const Refusal& refusal) {
  if (std::holds_alternative<Gone>(refusal)) co_return;
  const HeadProblem& problem = std::get<HeadProblem>(refusal);
  worker_.recorder.refused(problem.rule);
  keep_alive_ = false;
  if (problem.status == 0) co_return;
  auto answer = make_error_answer(problem.status, exception_for(problem), problem.what,
                                  problem.rule, worker_.next_id().view(),
                                  routing::wire_of(head_.target, listener_.base_path));
  if (co_await proxy::send(*this, std::move(answer))) co_await linger();
}

// A close with unread input would reset the connection and could take the answer with it.
Task<void> Connection::linger() {
  co_await transport_->say_end();
  transport_->shut_down_sending();
  transport_->expire_after(limits_.linger_timeout);
  for (std::size_t seen = 0; seen < limits_.max_linger_bytes;) {
    begin_ = end_ = 0;
    if (!co_await more_input()) {
      if (transport_->timed_out()) worker_.recorder.refused("linger_timeout");
      co_return;
    }
    seen += end_ - begin_;
  }
  worker_.recorder.refused("max_linger_bytes");
}

// --- Writing
// -------------------------------------------------------------------------------------------------------------

// A whole answer goes when the others that are ready do (SendTurn); of a stream no byte waits.
Task<Status> Connection::send(bool is_whole) {
  if (answer_.buffers().empty()) co_return Status{};
  if (is_whole) co_await worker_.resources.sends.wait();
  transport_->expire_after(limits_.write_timeout);
  const auto [error, size] = co_await transport_->write(answer_.buffers());
  answer_.written();
  if (!error) {
    transport_->never_expire();
    co_return Status{};
  }
  if (transport_->timed_out()) worker_.recorder.refused("write_timeout");
  broken_ = true;
  co_return Error{ErrorKind::closed, Side::downstream, "the client does not take the answer"};
}

Task<Status> Connection::begin(const AnswerHead& head, std::span<const std::string_view> pieces,
                               bool last) {
  if (finishing_) keep_alive_ = false;
  keep_alive_ = answer_.begin(head, {.http_1_0 = head_.http_1_0, .keep_alive = keep_alive_});
  answer_.add(pieces, last);
  return send(last);
}

Task<Status> Connection::write(std::span<const std::string_view> pieces, bool last) {
  answer_.add(pieces, last);
  return send(false);
}

void Connection::truncate() noexcept {
  broken_ = true;
  transport_->reset();
}

}  // namespace understudy::proxy

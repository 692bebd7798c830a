#include "proxy/h2_request.h"

#include <array>
#include <utility>

#include "proxy/error_answer.h"
#include "proxy/h2_connection.h"
#include "proxy/http_policy.h"
#include "proxy/stream_auth.h"

namespace understudy::proxy {

namespace {

constexpr HeadProblem kNoFilesLeft{
    503, "open_files", "The proxy has as many requests under way as it may have files open."};

}  // namespace

// Names the exchange that runs, also when it ends by an exception.
template <typename Any>
class H2Request::Running {
 public:
  Running(Any*& place, Any& exchange) noexcept : place_(place) { place_ = &exchange; }
  ~Running() { place_ = nullptr; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Any*& place_;
};

H2Request::H2Request(H2Connection& connection, H2Stream& stream)
    : Deadline(connection.worker().resources.sweep),
      connection_(connection),
      stream_(stream),
      head_(connection.take_head()),
      pace_(connection.limits(), BodyPace::Clock::now()) {}

H2Request::~H2Request() {
  if (counted_) connection_.exchange_ended();
  connection_.give_back(std::move(head_));
}

// --- The request

void H2Request::head() {
  const routing::LimitsConfig& limits = connection_.limits();
  if (stream_.problem) return refuse(*stream_.problem);
  const HeadLimits head_limits{.max_fields = limits.max_header_fields,
                               .max_target_bytes = limits.max_target_bytes};
  if (const auto problem = scan_request_head(stream_.head.view(), head_limits, head_))
    return refuse(*problem);
  auto admitted = admit(head_, connection_.listener());
  if (const auto* problem = std::get_if<HeadProblem>(&admitted)) return refuse(*problem);
  WorkerContext& worker = connection_.worker();
  const auto& auth = connection_.listener().target.clients;
  if (const auto problem =
          client_.check_head(auth, head_, connection_.client_names(), worker.verifier))
    return refuse(*problem);
  const bool both_ways = flows_both_ways(std::get<routing::RequestTarget>(admitted));
  if (!both_ways && head_.content_length > limits.max_body_bytes) return refuse(kBodyTooLarge);
  target_ = std::get<routing::RequestTarget>(std::move(admitted));
  if (both_ways) {
    std::optional<EventChainSeed> seed;
    const auto problem =
        auth ? check_stream(*auth, head_, connection_.client_names(), worker.verifier, seed)
             : std::nullopt;
    if (problem) return refuse(*problem);
    if (!may_begin()) return refuse(kNoFilesLeft);
    answering_ = true;
    connection_.session().stream_body(stream_);
    return connection_.start(stream_.id, run_both_ways(std::move(seed)));
  }
  if (stream_.request_ended) return;
  if (head_.expects_continue) connection_.session().tell_to_continue(stream_);
  expect_more();
}

void H2Request::expect_more() {
  set(pace_.patience(stream_.body.size(), BodyPace::Clock::now()));
}

void H2Request::progress() {
  if (both_ways_) return came_.wake();
  if (!answering_) expect_more();
}

void H2Request::refuse_body(const HeadProblem& problem) {
  if (!answering_) refuse(problem);
}

void H2Request::complete() {
  if (both_ways_) return came_.wake();
  if (answering_) return;
  if (const auto problem =
          client_.check_body(head_, stream_.body.view(), connection_.worker().verifier))
    return refuse(*problem);
  if (!may_begin()) return refuse(kNoFilesLeft);
  answering_ = true;
  clear();
  connection_.start(stream_.id, run_exchange());
}

bool H2Request::may_begin() {
  counted_ = connection_.begin_exchange();
  return counted_;
}

void H2Request::refuse(const HeadProblem& problem) {
  answering_ = true;
  clear();
  connection_.worker().recorder.refused(problem.rule);
  connection_.session().drop_body(stream_);
  connection_.start(stream_.id, answer_refusal(problem));
}

Task<void> H2Request::answer_refusal(HeadProblem problem) {
  auto answer = make_error_answer(problem.status, exception_for(problem), problem.what,
                                  problem.rule, connection_.worker().next_id().view(),
                                  routing::wire_of(head_.target, connection_.listener().base_path));
  (void)co_await send(*this, std::move(answer));  // a client that is gone needs no answer
}

Task<void> H2Request::run_exchange() {
  WorkerContext& worker = connection_.worker();
  const auto exchange = worker.exchanges.make(worker,
                                              DownstreamRequest{.head = &head_,
                                                                .target = std::move(target_),
                                                                .body = std::move(stream_.body),
                                                                .share = std::move(stream_.share),
                                                                .client = std::move(client_)},
                                              *static_cast<ResponseSink*>(this));
  const Running<Exchange> running(exchange_, *exchange);
  co_await exchange->run();
}

Task<void> H2Request::run_both_ways(std::optional<EventChainSeed> seed) {
  BidirectionalExchange exchange(
      connection_.worker(),
      DownstreamRequest{
          .head = &head_, .target = std::move(target_), .body = {}, .client = std::move(client_)},
      std::move(seed), *this, *this);
  const Running<BidirectionalExchange> running(both_ways_, exchange);
  co_await exchange.run();
}

// The exchange hears of it at once, so that its upstream does. It may wait for a write that refers
// to its bytes: that goes on first.
void H2Request::gone() {
  clear();
  if (!answering_) return connection_.ended(stream_.id);
  const bool in_write = sent_.waiting();
  // There is one or the other, and where it waits for no write it may end at once, and with it this
  // object.
  if (exchange_) {
    exchange_->client_gone();
  } else if (both_ways_) {
    both_ways_->client_gone();
  }
  if (in_write) written();
}

void H2Request::expired() noexcept {
  connection_.worker().recorder.refused(answering_ ? "write_timeout" : pace_.limit());
  truncate();
}

// --- The answer

Task<Status> H2Request::begin(const AnswerHead& head, std::span<const std::string_view> pieces,
                              bool last) {
  AnswerHead answer = head;
  answer.has_body = head.has_body && head_.method != "HEAD";
  connection_.session().answer(stream_, answer, pieces, last);
  return until_sent();
}

Task<Status> H2Request::write(std::span<const std::string_view> pieces, bool last) {
  connection_.session().give(stream_, pieces, last);
  return until_sent();
}

// Until the socket has taken all of it: so a client that reads slowly holds back its upstream.
Task<Status> H2Request::until_sent() {
  connection_.flush_soon();
  set(connection_.limits().write_timeout);
  while (stream_.sending() || stream_.in_flight) co_await sent_.wait();
  clear();
  if (stream_.closed && !stream_.answer_ended)
    co_return Error{ErrorKind::closed, Side::downstream, "the client does not take the answer"};
  co_return Status{};
}

// --- A request that is read as it comes

Task<Result<RequestSource::Part>> H2Request::read() {
  if (handed_out_ > 0) {
    connection_.session().taken(stream_, std::exchange(handed_out_, 0));
    connection_.flush_soon();
  }
  while (!stopped_ && !stream_.closed && !stream_.request_ended && stream_.body.size() == 0)
    co_await came_.wait();
  if (stopped_)
    co_return Error{ErrorKind::cancelled, Side::internal, "nobody waits for the request"};
  if (stream_.closed && !stream_.request_ended)
    co_return Error{ErrorKind::closed, Side::downstream, "the client took its request back"};
  handed_out_ = stream_.body.size();
  co_return Part{std::exchange(stream_.body, {}), stream_.request_ended};
}

void H2Request::stop() noexcept {
  stopped_ = true;
  connection_.session().drop_body(stream_);
  came_.wake();
}

void H2Request::written() {
  if (!sent_.waiting()) return;
  set(connection_.limits().write_timeout);
  if (!stream_.sending() && !stream_.in_flight) sent_.wake();
}

void H2Request::truncate() noexcept {
  connection_.session().cut(stream_);
  connection_.flush_soon();
}

}  // namespace understudy::proxy

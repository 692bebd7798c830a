#pragma once
// InvokeModelWithBidirectionalStream: request and answer flow at the same time, for minutes, over
// HTTP/2 at both ends. The events of the request are signed anew one by one; nothing of them is
// kept, changed or copied. Made and run on an io thread; lives until run() ends.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/downstream.h"
#include "proxy/event_signing.h"
#include "proxy/h2_client.h"
#include "proxy/task.h"
#include "proxy/waiter.h"
#include "proxy/worker_context.h"
#include "routing/route_table.h"

namespace understudy::proxy {

// Whether a request is one of these.
bool flows_both_ways(const routing::RequestTarget& target) noexcept;

// Over HTTP/1.1 nothing of the answer could come before the request's end.
inline constexpr HeadProblem kNeedsHttp2{
    400, "http2_required",
    "InvokeModelWithBidirectionalStream needs HTTP/2: this connection speaks HTTP/1.1.",
    "ValidationException"};

// A request's body as it comes.
class RequestSource {
 public:
  virtual ~RequestSource() = default;
  struct Part {
    metrics::Block bytes;
    bool last = false;
  };
  // Waits until there is something. The client may send as much again when the next part is asked
  // for.
  virtual Task<Result<Part>> read() = 0;
  // Ends a read() that waits, and all to come, with ErrorKind::cancelled.
  virtual void stop() noexcept = 0;
};

class BidirectionalExchange {
 public:
  // `request` has no body; `seed` where the client's signatures are to be checked. `source` and
  // `client` outlive the exchange.
  BidirectionalExchange(WorkerContext& worker, DownstreamRequest request,
                        std::optional<EventChainSeed> seed, RequestSource& source,
                        ResponseSink& client);
  BidirectionalExchange(const BidirectionalExchange&) = delete;
  BidirectionalExchange& operator=(const BidirectionalExchange&) = delete;

  Task<void> run();

  // The client is gone: the upstream is told. Called on the exchange's thread while it runs; may
  // end it.
  void client_gone() noexcept;

 private:
  Task<Status> serve();
  Result<std::optional<EventChain>> build_request(const UpstreamTarget& upstream);
  EventChain sign(const UpstreamTarget& upstream, const AwsKeys& keys);
  void add_field(std::string_view name, std::string value);

  Task<void> send_request(EventResigner events);
  Task<Status> relay_answer();
  Task<Status> begin_answer(const ResponseHead& head);
  Task<void> answer_failure(const Error& error);
  Task<void> answer_error(int status, std::string_view type, std::string_view message,
                          std::string_view cause);
  const routing::VariantConfig& served_variant() const;
  metrics::RouteMeter& meter() const;

  WorkerContext& worker_;
  const std::shared_ptr<const WorkerSnapshot> worker_snapshot_;  // it began with
  const std::shared_ptr<const Snapshot>& snapshot_;
  DownstreamRequest request_;
  std::optional<EventChainSeed> seed_;
  RequestSource& source_;
  ResponseSink& client_;

  const metrics::TimePoint begun_;
  const ExchangeId id_;
  routing::RouteDecision decision_;
  routing::VariantConfig default_variant_;  // where no route matched
  std::string target_;
  std::deque<std::string> values_;      // of the fields that are ours
  std::vector<routing::Field> fields_;  // of the upstream's request

  std::optional<H2Client> upstream_;
  bool sending_ = false;  // the coroutine that reads the client is there
  Waiter sent_;           // run(), until it has ended
  std::optional<Error> request_failure_;
  bool client_gone_ = false;
  bool answer_begun_ = false;
  int status_ = 0;  // that the client got
};

}  // namespace understudy::proxy

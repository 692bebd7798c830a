#pragma once
// One HTTP/1.1 connection of a client: reads requests one after the other and lets an Exchange
// answer each. Belongs to one io thread. Holds no input buffer while an exchange runs or while it
// is idle.

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proxy/answer_encoder.h"
#include "proxy/downstream.h"
#include "proxy/downstream_connection.h"
#include "proxy/exchange.h"
#include "proxy/task.h"
#include "proxy/transport.h"
#include "proxy/worker_context.h"
#include "routing/config.h"

namespace understudy::proxy {

class BodyPace;

class Connection final : public DownstreamConnection,
                         private StreamSocket::HangupListener,
                         private ResponseSink {
 public:
  // `listener` outlives the connection. `may_be_http2`: nobody knows yet what the client speaks.
  Connection(WorkerContext& worker, const ServedListener& listener,
             std::unique_ptr<Transport> transport, bool may_be_http2);
  ~Connection() override;

  Task<void> run() override;
  void finish() noexcept override;
  void cut() noexcept override;

  // A client that began as one of HTTP/2 does: what it is to be served with instead.
  struct Http2Start {
    std::unique_ptr<Transport> transport;
    metrics::Block already_read;
  };
  // Once, when run() has ended. Only finish() and cut() may follow.
  std::optional<Http2Start> take_http2() noexcept;

 private:
  // What is wrong with a request, or that the client is gone.
  struct Gone {};
  using Refusal = std::variant<Gone, HeadProblem>;
  template <typename T>
  using Outcome = std::variant<T, Refusal>;

  // Gives back what a connection at rest has no use for.
  class IdleRelease;
  class Running;

  Task<Outcome<std::size_t>> read_head();  // its size
  Task<bool> one_request(const Outcome<std::size_t>& head);
  void keep_head(std::size_t size);
  // The request without its body.
  Outcome<DownstreamRequest> examine_head();
  bool take_buffered_body(DownstreamRequest& request);
  // Into the request, like the two below; none: it is whole.
  Task<std::optional<Refusal>> read_body(DownstreamRequest& request);
  Task<std::optional<Refusal>> read_sized_body(BodyPace& pace, DownstreamRequest& request);
  Task<std::optional<Refusal>> read_chunked_body(BodyPace& pace, DownstreamRequest& request);
  std::optional<Refusal> examine_body(DownstreamRequest& request);
  Task<bool> tell_to_continue();
  Task<void> refuse(const Refusal& refusal);
  Task<void> linger();
  Task<bool> more_input();

  void make_room();
  void release_idle() noexcept;
  void hung_up() noexcept override;
  std::string_view unread() const noexcept {
    return input_ ? std::string_view{input_.data() + begin_, end_ - begin_} : std::string_view{};
  }
  bool has_input() const noexcept { return begin_ != end_; }

  // ResponseSink, as HTTP/1.1.
  Task<Status> begin(const AnswerHead& head, std::span<const std::string_view> pieces,
                     bool last) override;
  Task<Status> write(std::span<const std::string_view> pieces, bool last) override;
  void truncate() noexcept override;
  Task<Status> send(bool is_whole);

  WorkerContext& worker_;
  const ServedListener& listener_;
  std::unique_ptr<Transport> transport_;
  routing::LimitsConfig limits_;  // in force when the request began

  bool may_be_http2_;  // until the first request
  bool is_http2_ = false;

  // Reading.
  metrics::Block input_;
  std::size_t begin_ = 0, end_ = 0;
  bool closed_ = false;  // nothing more comes in
  std::unique_ptr<IdleRelease> idle_release_;

  // The request under way.
  metrics::Block head_bytes_;
  RequestHead head_;
  Exchange* exchange_ = nullptr;
  bool in_request_ = false;  // from the end of its head to the end of its answer
  bool finishing_ = false;   // no request after this one
  bool broken_ = false;      // the answer was cut

  // Writing.
  bool keep_alive_ = true;
  AnswerEncoder answer_;
};

}  // namespace understudy::proxy

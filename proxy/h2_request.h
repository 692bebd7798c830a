#pragma once
// One request of an HTTP/2 connection: takes it through the gate, lets an Exchange answer it and
// sends the answer on its stream. Owned by the H2Connection, on its thread; lives until the answer
// has ended or the client is gone.

#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/bidirectional_exchange.h"
#include "proxy/body_pace.h"
#include "proxy/deadline.h"
#include "proxy/downstream.h"
#include "proxy/exchange.h"
#include "proxy/h2_session.h"
#include "proxy/task.h"
#include "proxy/waiter.h"

namespace understudy::proxy {

class H2Connection;

class H2Request final : private ResponseSink, private RequestSource, private Deadline {
 public:
  // The stream is held for it.
  H2Request(H2Connection& connection, H2Stream& stream);
  ~H2Request() override;

  // What the session told of the stream, in this order. Each may end and destroy the request.
  void head();
  void progress();
  void refuse_body(const HeadProblem& problem);
  void complete();
  void gone();
  // A write that had some of the answer in it is over.
  void written();

 private:
  template <typename Any>
  class Running;

  void expect_more();
  bool may_begin();
  void refuse(const HeadProblem& problem);
  Task<void> answer_refusal(HeadProblem problem);
  Task<void> run_exchange();
  Task<void> run_both_ways(std::optional<EventChainSeed> seed);
  void expired() noexcept override;

  // ResponseSink, as HTTP/2.
  Task<Status> begin(const AnswerHead& head, std::span<const std::string_view> pieces,
                     bool last) override;
  Task<Status> write(std::span<const std::string_view> pieces, bool last) override;
  void truncate() noexcept override;
  Task<Status> until_sent();

  // RequestSource.
  Task<Result<Part>> read() override;
  void stop() noexcept override;

  H2Connection& connection_;
  H2Stream& stream_;
  RequestHead head_;  // views into the stream's head
  routing::RequestTarget target_;
  Identification client_;
  BodyPace pace_;
  bool answering_ = false;  // by an exchange or a refusal
  bool counted_ = false;    // as an exchange under way
  Exchange* exchange_ = nullptr;
  BidirectionalExchange* both_ways_ = nullptr;  // at most one of the two
  std::size_t handed_out_ = 0;                  // of a streamed body, and not yet taken
  bool stopped_ = false;                        // nobody reads it any more
  Waiter came_;                                 // who reads it
  Waiter sent_;
};

}  // namespace understudy::proxy

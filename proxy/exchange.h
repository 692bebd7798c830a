#pragma once
// One downstream request and its served answer: the table of contents of what the proxy does. It
// does not know by which protocol the request came. Made and run on an io thread; lives until run()
// ends.

#include <memory>
#include <optional>
#include <string>

#include "metrics/answer.h"
#include "proxy/downstream.h"
#include "proxy/error_answer.h"
#include "proxy/served_capture.h"
#include "proxy/task.h"
#include "proxy/upstream_call.h"
#include "proxy/upstream_request.h"
#include "proxy/worker_context.h"
#include "routing/body_model.h"
#include "routing/route_table.h"

namespace understudy::proxy {

class Exchange {
 public:
  Exchange(WorkerContext& worker, DownstreamRequest request, ResponseSink& client);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Task<void> run();

  // The client will not read the answer: stop asking for it. Called on the exchange's thread while
  // it runs.
  void client_gone() noexcept;

 private:
  // The steps, in order; the last two in exchange_end.cc.
  void decide();
  void read_body_model();
  Task<Status> answer();
  Task<Status> attempt();
  Task<Status> rewrite_body();
  Status build_request();
  Task<Status> serve();
  Task<void> answer_failure(const Error& error);
  void record();
  void hand_over(const Status& outcome);

  bool may_take_over() const noexcept;
  void spare_gone_primary();
  void take_over();
  bool note_gone(metrics::ModelGone kind);
  void serve_by_candidate_alone();
  std::string_view asked_primary() const noexcept;
  std::string_view primary_upstream() const noexcept;
  GoneModels& gone_models() const;
  bool primary_was_good() const;
  bool may_fall_back() const noexcept;
  std::optional<metrics::FallbackReason> reason_to_fall_back(const Status& outcome) const noexcept;
  void fall_back(metrics::FallbackReason reason);
  void count_attempt();
  void change_to(routing::Variant variant);
  void tell_account(int status, metrics::TimePoint when);

  Task<Status> relay_unless_gone(UpstreamCall& call, ResponseHead& head);
  Task<Status> relay(UpstreamCall& call, const ResponseHead& head, Result<UpstreamCall::Part> part);
  Task<Status> pass_on(const ResponseHead& head, const UpstreamCall::Part& part);
  Task<void> answer_error(int status, std::string_view type, std::string_view message,
                          std::string_view cause);
  std::optional<routing::SkipReason> reason_to_skip(const Status& outcome) const noexcept;
  std::string_view sampling_key() const noexcept;
  void describe(PairContext& pair) const;
  void offer_copy(std::shared_ptr<ServedSlot> slot);
  bool has_failed(const Status& outcome) const noexcept;
  void weigh_failure(const Status& outcome);
  const routing::VariantConfig& served_variant() const;
  routing::ModelSwap served_swap() const;
  metrics::RouteMeter& meter() const;

  WorkerContext& worker_;
  const std::shared_ptr<const WorkerSnapshot> worker_snapshot_;  // it began with
  const std::shared_ptr<const Snapshot>& snapshot_;
  DownstreamRequest request_;
  ResponseSink& client_;

  const metrics::TimePoint begun_;
  metrics::TimePoint attempt_begun_ = begun_;
  const ExchangeId id_;
  const ScratchPool::Pointer scratch_;
  ModelPlace body_model_;  // where the body names the model; nowhere on the first wire
  bool stateful_ = false;
  routing::RouteDecision decision_;
  routing::VariantConfig default_variant_;  // where no route matched
  std::string rewritten_body_;  // what the served variant gets instead of the client's bytes
  std::optional<Sha256> body_hash_;

  std::optional<UpstreamCall> call_;
  std::optional<metrics::ModelGone> gone_;  // the primary's model is
  bool fell_back_ = false;                  // the primary answers for the candidate
  bool candidate_failed_ = false;           // which is why
  bool client_gone_ = false;
  bool answer_begun_ = false;          // something went to the client
  std::optional<bool> copies_rested_;  // before its own answers were counted
  int refused_status_ = 0;             // of an attempt whose answer nobody gets
  int status_ = 0;                     // that the client got
  ServedCapture capture_;
  metrics::TimePoint first_byte_{}, ended_{};
};

}  // namespace understudy::proxy

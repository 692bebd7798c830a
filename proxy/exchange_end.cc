// The end of an exchange: what is counted of it, what it is evidence of, and who gets a copy.

#include "metrics/answer.h"
#include "proxy/exchange.h"
#include "proxy/log.h"
#include "routing/sampling.h"

namespace understudy::proxy {

using routing::SkipReason;
using routing::Variant;

namespace {

ShadowJob::Attempt attempt_of(const RequestHead& head) noexcept {
  const auto count = routing::find_field(head.fields, "x-stainless-retry-count");
  if (!count) return ShadowJob::Attempt::untold;
  return *count == "0" ? ShadowJob::Attempt::first : ShadowJob::Attempt::repeated;
}

}  // namespace

void Exchange::record() {
  meter().request(request_.target.operation, decision_.served, metrics::Leg::served,
                  client_gone_ && !answer_begun_ ? 0 : status_, ended_ - attempt_begun_);
  tell_account(status_, ended_);
  // The one request that tried a model that was gone.
  if (status_ == 200 && decision_.route && decision_.served == Variant::primary &&
      gone_models().any() &&
      gone_models().remove(primary_upstream(), asked_primary(), attempt_begun_))
    log_warn("model_is_back",
             {{"route", std::string_view{decision_.route->name}}, {"model", asked_primary()}});
}

// A throttled variant's quota is for those who are served: the copies rest.
void Exchange::tell_account(int status, metrics::TimePoint when) {
  if (!decision_.eligible) return;
  ShadowAccount& account = *worker_snapshot_->accounts[decision_.route_index];
  if (!copies_rested_) copies_rested_ = account.suspended(when);
  account.primary_answered(*decision_.route, status, when);
}

std::optional<SkipReason> Exchange::reason_to_skip(const Status& outcome) const noexcept {
  if (!decision_.shadow) return decision_.skip;
  if (client_gone_) return SkipReason::client_gone;
  if (!outcome)
    return answer_begun_ && capture_.begun() ? SkipReason::primary_cut : SkipReason::primary_failed;
  if (status_ != 200) return SkipReason::primary_failed;
  if (request_.body.size() > decision_.route->shadow.max_body_bytes) return SkipReason::too_large;
  return std::nullopt;
}

void Exchange::hand_over(const Status& outcome) {
  if (!routing::is_understood(request_.target.operation)) return;
  std::shared_ptr<ServedSlot> slot;
  if (decision_.eligible) {
    meter().eligible();
    if (const auto reason = reason_to_skip(outcome)) {
      meter().skipped(*reason);
    } else if (capture_.refused()) {
      meter().dropped(metrics::DropReason::memory);
    } else {
      slot = std::make_shared<ServedSlot>();
    }
  }
  weigh_failure(outcome);
  if (!capture_.begun()) return;
  const auto end = outcome
                       ? metrics::AnswerEnd::complete
                       : (client_gone_ ? metrics::AnswerEnd::abandoned : metrics::AnswerEnd::cut);
  auto answer = capture_.take(end);
  ServedAnswerTask& task = *answer;
  task.facts.variant = decision_.served;
  task.facts.leg = metrics::Leg::served;
  task.facts.operation = request_.target.operation;
  task.facts.model_id =
      served_variant().model.empty() ? request_.target.model_id : served_variant().model;
  task.facts.begun = attempt_begun_;
  task.facts.first_byte = first_byte_;
  task.facts.ended = ended_;
  task.snapshot = snapshot_;
  if (decision_.route) task.route = decision_.route_index;
  task.meter = &meter();
  task.slot = slot;
  if (decision_.eligible && decision_.route->candidate->quota.limits() &&
      !routing::only_counts_tokens(request_.target.operation)) {
    task.request_body = request_.body;
    task.bytes += request_.body.size();
  }
  worker_.analysis.offer(AnalysisTask::Pointer(answer.release()));
  if (slot) offer_copy(std::move(slot));
}

// As a copy's failures are (report_failure()): what the client did wrong, a quota and our own part
// are nobody's fault.
bool Exchange::has_failed(const Status& outcome) const noexcept {
  if (outcome) {
    const metrics::ErrorClass ended = metrics::class_of_status(status_);
    return ended == metrics::ErrorClass::server_error || ended == metrics::ErrorClass::timeout;
  }
  const ErrorKind kind = outcome.error().kind;
  return outcome.error().side == Side::upstream &&
         (kind == ErrorKind::connect || kind == ErrorKind::timeout || kind == ErrorKind::closed ||
          kind == ErrorKind::bad_message);
}

// A drawn exchange that failed is evidence of who failed, where a copy would have been sent.
void Exchange::weigh_failure(const Status& outcome) {
  if (!decision_.eligible || !decision_.shadow || client_gone_) return;
  const bool failed = has_failed(outcome);
  if (!failed && !(candidate_failed_ && outcome && status_ == 200)) return;
  const routing::ShadowConfig& shadow = decision_.route->shadow;
  if (request_.body.size() > shadow.max_body_bytes) return;
  ShadowAccount& account = *worker_snapshot_->accounts[decision_.route_index];
  if (copies_rested_.value_or(false) || !account.has_room(shadow)) return;
  auto task = std::make_unique<FailedExchangeTask>();
  describe(task->pair);
  task->sampling_key = sampling_key();
  task->bytes = request_.body.size();
  (decision_.served == Variant::primary ? task->failed.primary : task->failed.candidate) = failed;
  if (candidate_failed_) task->failed.candidate = true;
  worker_.analysis.offer(AnalysisTask::Pointer(task.release()));
}

void Exchange::describe(PairContext& pair) const {
  pair.snapshot = snapshot_;
  pair.route = decision_.route_index;
  pair.exchange_id = id_.view();
  pair.asked_model = request_.target.model_id;
  pair.family = request_.head->family;
  if (!request_.client.caller().empty())
    pair.caller = routing::caller_label(snapshot_->config(), request_.client.caller());
  pair.request_body = request_.body;
  pair.account = worker_snapshot_->accounts[decision_.route_index];
}

void Exchange::offer_copy(std::shared_ptr<ServedSlot> slot) {
  const auto& account = worker_snapshot_->accounts[decision_.route_index];
  const auto admission = account->admit(decision_.route->shadow, ended_);
  if (admission.refused) return meter().dropped(*admission.refused);
  auto job = worker_.memory.copies.take();
  const RequestHead& head = *request_.head;
  job->is_probe = admission.is_probe;
  describe(job->pair);
  job->pair.served = std::move(slot);
  job->pair.is_weighed = candidate_failed_;
  // What was held for the served answer is the analysis' now; the copy holds the request.
  if (!job->held.emplace(worker_.dispatcher.memory()).grow(request_.body.size())) {
    if (job->is_probe) account->breaker.abandoned();
    return meter().dropped(metrics::DropReason::memory);
  }
  job->operation = request_.target.operation;
  job->served = decision_.served;
  job->invocation_id = head.invocation_id;
  job->attempt = attempt_of(head);
  job->sampling_key = sampling_key();
  job->forwarded = request_.target.forwarded;
  job->model_place = model_place(request_.target);
  job->body_model = body_model_;
  job->lines = scratch_->lines;
  job->content_type = head.content_type;
  job->client_authorization = head.authorization;
  job->client_api_key = head.api_key;
  job->body_hash = body_hash_;
  job->offered = ended_;
  if (const auto reason = worker_.dispatcher.offer(job)) meter().dropped(*reason);
}

}  // namespace understudy::proxy

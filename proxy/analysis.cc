#include "proxy/analysis.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <stdexcept>

#include "metrics/divergence/signals.h"
#include "metrics/http_status.h"
#include "metrics/json_reader.h"
#include "metrics/usage.h"
#include "proxy/log.h"
#include "proxy/shadow_account.h"
#include "routing/day.h"
#include "routing/sampling.h"

namespace understudy::proxy {

using routing::today;

namespace {

// How long finished work may lie before it is looked at: far below the second in which it must
// show, and no wake-up is asked of the io threads.
constexpr std::chrono::milliseconds kLookEvery{10};

// Where much is finished, it is looked at sooner, while what it consists of is still in the
// processor's cache, and before more of it lies about than is kept for the next.
constexpr std::chrono::milliseconds kLookSoonest{1};
constexpr std::size_t kManyTasks = 32;

std::chrono::microseconds pause_after(std::size_t tasks) {
  const auto pause =
      std::chrono::microseconds(kLookEvery) * kManyTasks / std::max(tasks, kManyTasks);
  return std::max<std::chrono::microseconds>(pause, kLookSoonest);
}

// Where processors are short, who relays answers goes before who studies them: what then finds no
// room in the queue is dropped and counted.
constexpr int kNiceness = 10;

// Each holds a thread while its disk hangs; with more, no other log is begun.
constexpr std::size_t kMaxEndedRecords = 4;

void price(metrics::Observation& observation, const metrics::Prices& prices) {
  observation.cost_usd = prices.cost(observation.model_id, observation.usage, today());
}

ExperimentContext experiment_of(const Snapshot& snapshot, std::size_t route) {
  const routing::RouteConfig& config = snapshot.config().routes[route];
  return {config.name,         snapshot.experiments[route],  config.verdict, snapshot.meters[route],
          snapshot.generation, keeps_text(snapshot.config())};
}

ExperimentContext experiment_of(const PairContext& pair) {
  return experiment_of(*pair.snapshot, pair.route);
}

bool by_candidate(const metrics::Observation& seen) noexcept {
  return seen.variant == routing::Variant::candidate;
}

bool is_throttled(const metrics::Observation& seen) noexcept {
  return seen.error_class == metrics::ErrorClass::throttled;
}

// A success whose body is not what the operation promises.
bool is_unreadable(const metrics::Observation& seen) noexcept {
  return seen.error_class == metrics::ErrorClass::ok && !seen.answer.parsed;
}

const std::string& primary_model(const PairContext& pair) {
  const std::string& model = pair.snapshot->config().routes[pair.route].primary.model;
  return model.empty() ? pair.asked_model : model;
}

std::string family_of(const PairContext& pair, const std::optional<metrics::Json>& request,
                      EvidenceBook& evidence) {
  return evidence.family(experiment_of(pair), pair.family, primary_model(pair), request);
}

void read_request(const PairContext& pair, EvidenceBook& evidence) {
  ServedSlot& slot = *pair.served;
  metrics::JsonParser parser;
  const auto request = parser.parse(pair.request_body.view());
  slot.expectations = metrics::Expectations::from_json(slot.observation->operation, request);
  slot.expectations->number_tolerance =
      pair.snapshot->config().routes[pair.route].verdict.number_tolerance;
  slot.family = family_of(pair, request, evidence);
}

// The primary's answer against the candidate's, whichever of them the client got, both held to what
// the request demands and to what the family's answers have been like; then added to the route's
// evidence: a shadow pair at once, the noise beside it when the control leg's comparison is there,
// too, whichever came first.
metrics::Comparison compare_and_weigh(const PairContext& pair, metrics::Leg leg,
                                      const metrics::Observation& other, EvidenceBook& evidence) {
  ServedSlot& slot = *pair.served;
  if (!slot.expectations) read_request(pair, evidence);
  // Two answers to the letter the same are common where nothing is left to chance.
  const metrics::TextTraits found_now{other.answer.text};
  const metrics::TextTraits& text = other.answer.text == slot.text->text() ? *slot.text : found_now;
  const ExperimentContext experiment = experiment_of(pair);
  slot.expectations->profile = evidence.profile(experiment, slot.family);
  slot.expectations->own_containment = evidence.own_containment(experiment, slot.family);
  struct Side {
    const metrics::Observation* observation;
    const metrics::TextTraits* text;
  };
  Side primary{&*slot.observation, &*slot.text};
  Side candidate{&other, &text};
  // A control's two answers are one variant's.
  if (by_candidate(*slot.observation) && !by_candidate(other)) std::swap(primary, candidate);
  const metrics::Comparison comparison =
      metrics::compare(*primary.observation, *candidate.observation, *slot.expectations,
                       *primary.text, *candidate.text);
  const bool answered = metrics::divergence::answered(*primary.observation) &&
                        metrics::divergence::answered(*candidate.observation);
  if (leg == metrics::Leg::control) {
    // Noise is the primary's; where the candidate served, it was the one to be asked again.
    if (answered && !by_candidate(other)) slot.control = comparison;
  } else {
    if (answered) slot.shadow = comparison;
    const auto cost = metrics::pair_cost(*pair.snapshot->prices, *primary.observation,
                                         *candidate.observation, today());
    slot.counts_as_evidence =
        !pair.is_weighed && evidence.record_pair(experiment, slot.family, pair.request_body.view(),
                                                 {.comparison = comparison,
                                                  .served = *primary.observation,
                                                  .other = *candidate.observation,
                                                  .cost = cost ? &*cost : nullptr,
                                                  .exchange_id = pair.exchange_id,
                                                  .language = primary.text->language(),
                                                  .in_pool = pair.in_pool});
    evidence.learn(experiment, slot.family, *primary.observation, *primary.text);
  }
  if (slot.shadow && slot.control && slot.counts_as_evidence)
    evidence.record_triple(experiment, slot.family, *slot.shadow, *slot.control,
                           pair.in_pool && pair.control_family.empty());
  return comparison;
}

}  // namespace

std::string family_named_by(const PairContext& pair) {
  metrics::JsonParser json;
  return metrics::named_family(pair.family, primary_model(pair),
                               json.parse(pair.request_body.view()));
}

bool is_left_out(PairContext& pair, std::string_view sampling_key) {
  const routing::Config& config = pair.snapshot->config();
  const routing::RouteConfig& route = config.routes[pair.route];
  if (route.shadow.settled == routing::kAllTraffic || !pair.account->any_settled()) return false;
  const auto place = routing::bucket(config.sampling_salt, "settled", route.name, sampling_key);
  pair.in_pool = routing::drawn(place, route.shadow.settled);
  if (pair.in_pool) return false;
  return pair.account->is_settled(family_named_by(pair));
}

// Unread, it is known at least whether it was cut.
void ServedAnswerTask::refused() noexcept {
  meter->unread_answer(facts.variant, facts.leg);
  if (metrics::is_success(captured.status) && captured.end == metrics::AnswerEnd::cut)
    meter->broken_answer(facts.variant);
}

void ServedAnswerTask::run(AnalysisThread& thread) {
  metrics::Observation observation =
      metrics::read_answer(facts, captured, slot ? metrics::Detail::all : metrics::Detail::figures);
  price(observation, *snapshot->prices);
  meter->answer(observation);
  // What a client leaves is no failure of the model's.
  if (metrics::is_success(captured.status) && captured.end != metrics::AnswerEnd::abandoned &&
      observation.error_class != metrics::ErrorClass::ok)
    meter->broken_answer(facts.variant);
  thread.models.note(route ? std::string_view{snapshot->config().routes[*route].name} : "default",
                     observation, std::chrono::system_clock::now());
  measure_volume(observation, thread.volumes);
  if (!slot) return;
  slot->request_id = metrics::captured_field(captured.fields, "x-amzn-requestid");
  slot->text.emplace(slot->observation.emplace(std::move(observation)).answer.text);
}

// What the request would ask of the candidate's quota.
void ServedAnswerTask::measure_volume(const metrics::Observation& served,
                                      VolumeBook& volumes) const {
  if (!route || request_body.size() == 0) return;
  const routing::RouteConfig& of_route = snapshot->config().routes[*route];
  const routing::VariantConfig& candidate = *of_route.candidate;
  const std::string_view asked =
      candidate.model.empty() ? std::string_view{served.model_id} : candidate.model;
  const auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - facts.begun);
  volumes.note(of_route.name, {.by_candidate = by_candidate(served),
                               .usage = served.usage,
                               .max_output = routing::max_output_tokens(request_body.view()),
                               .rule = quota_rule(*snapshot, candidate, asked),
                               .begun = std::chrono::system_clock::now() - ago});
}

void ServedAnswerTask::clear() noexcept {
  clear_for_reuse(facts.model_id);
  captured.clear();
  snapshot.reset();
  route.reset();
  slot.reset();
  request_body = {};
}

void PairTask::clear() noexcept {
  clear_for_reuse(facts.model_id);
  tokens = {};
  captured.clear();
  pair.reset();
}

void PairTask::drop() const noexcept {
  metrics::RouteMeter& meter = *pair->snapshot->meters[pair->route];
  if (facts.leg == metrics::Leg::control) {
    meter.control_dropped(metrics::DropReason::analysis);
  } else {
    meter.dropped(metrics::DropReason::analysis);
  }
}

void PairTask::refused() noexcept {
  pair->account->spent(std::nullopt);  // it was paid for, read or not
  pair->snapshot->meters[pair->route]->unread_answer(facts.variant, facts.leg);
  drop();
}

// What the call came to in money and tokens. A refused one costs nothing.
void PairTask::settle_budget(const metrics::Observation& other) const {
  ShadowAccount& account = *pair->account;
  if (other.error_class != metrics::ErrorClass::ok) return account.settle_tokens(tokens, 0);
  account.spent(other.cost_usd);
  if (const auto input = metrics::whole_input(other.usage))
    account.input_was(pair->request_body.size(), *input);
  const routing::RouteConfig& route = pair->snapshot->config().routes[pair->route];
  const auto& variant = by_candidate(other) ? *route.candidate : route.primary;
  const auto rule = quota_rule(*pair->snapshot, variant, other.model_id);
  if (const auto counted = metrics::counted_tokens(other.usage, rule))
    account.settle_tokens(tokens, *counted);
}

// The same request in the tokens of both models.
void PairTask::compare_inputs(const metrics::Observation& other, VolumeBook& volumes) const {
  const routing::RouteConfig& route = pair->snapshot->config().routes[pair->route];
  const auto& served = pair->served->observation;
  if (!route.candidate->quota.limits() || facts.leg != metrics::Leg::shadow || !served) return;
  const auto& primary = by_candidate(other) ? *served : other;
  const auto& candidate = by_candidate(other) ? other : *served;
  const auto by_primary = metrics::whole_input(primary.usage);
  const auto by_candidates = metrics::whole_input(candidate.usage);
  if (by_primary && by_candidates) volumes.note_pair(route.name, *by_primary, *by_candidates);
}

void PairTask::fail(metrics::FailReason reason) const noexcept {
  metrics::RouteMeter& meter = *pair->snapshot->meters[pair->route];
  if (facts.leg == metrics::Leg::control) {
    meter.control_failed(reason);
  } else {
    meter.failed(reason);
  }
}

void PairTask::count(const metrics::Comparison& comparison,
                     metrics::RouteMeter& meter) const noexcept {
  if (facts.leg == metrics::Leg::control) {
    meter.control_compared(comparison);
  } else {
    meter.compared(comparison);
  }
}

void PairTask::run(AnalysisThread& thread) {
  metrics::RouteMeter& meter = *pair->snapshot->meters[pair->route];
  metrics::Observation other = metrics::read_answer(facts, captured);
  price(other, *pair->snapshot->prices);
  meter.answer(other);
  settle_budget(other);
  compare_inputs(other, thread.volumes);
  thread.models.note(pair->snapshot->config().routes[pair->route].name, other,
                     std::chrono::system_clock::now());
  // The served answer found no room in the queue, so there is nothing to hold this one against.
  if (!pair->served->observation) return drop();
  const metrics::Observation& served = *pair->served->observation;
  // Throttled after a stream had begun.
  if (is_throttled(other) || is_throttled(served)) {
    if (facts.leg == metrics::Leg::shadow && is_throttled(other))
      thread.evidence.record_missing(experiment_of(*pair));
    return fail(metrics::FailReason::throttled);
  }
  // What cannot be read can be held against nothing. Where the client's own answer cannot be, the
  // copy's proves nothing against anybody.
  if (is_unreadable(served)) return fail(metrics::FailReason::unreadable);
  if (is_unreadable(other)) {
    fail(metrics::FailReason::unreadable);
    if (facts.leg == metrics::Leg::control) return;
    other.error_class = metrics::ErrorClass::stream_broken;
    compare_and_weigh(*pair, facts.leg, other, thread.evidence);
    return;
  }
  const metrics::Comparison comparison =
      compare_and_weigh(*pair, facts.leg, other, thread.evidence);
  count(comparison, meter);
  if (thread.records) record(*thread.records, other, comparison);
}

void PairTask::record(metrics::RecordLog& records, const metrics::Observation& other,
                      const metrics::Comparison& comparison) const {
  records.append({.exchange_id = pair->exchange_id,
                  .route = pair->snapshot->config().routes[pair->route].name,
                  .family = pair->served->family,
                  .caller = pair->caller,
                  .request_id_served = pair->served->request_id,
                  .request_id_other =
                      std::string{metrics::captured_field(captured.fields, "x-amzn-requestid")},
                  .leg = facts.leg,
                  .request_body = pair->request_body.view(),
                  .served = &*pair->served->observation,
                  .other = &other,
                  .comparison = &comparison});
}

void FailedCopyTask::run(AnalysisThread& thread) {
  if (reason == metrics::FailReason::throttled)
    return thread.evidence.record_missing(experiment_of(*pair));
  const auto& served = pair->served->observation;
  if (!served || is_throttled(*served) || is_unreadable(*served)) return;
  metrics::Observation other;
  other.variant = facts.variant;
  other.leg = facts.leg;
  other.operation = facts.operation;
  other.model_id = facts.model_id;
  other.error_class = reason == metrics::FailReason::timeout ? metrics::ErrorClass::timeout
                                                             : metrics::ErrorClass::transport;
  compare_and_weigh(*pair, facts.leg, other, thread.evidence);
}

void FailedExchangeTask::run(AnalysisThread& thread) {
  const std::string_view body = pair.request_body.view();
  const routing::RouteConfig& route = pair.snapshot->config().routes[pair.route];
  if ((route.shadow.skip_probes && routing::is_probe(body)) || is_left_out(pair, sampling_key))
    return;
  metrics::JsonParser parser;
  failed.in_pool = pair.in_pool;
  const std::string family = family_of(pair, parser.parse(body), thread.evidence);
  thread.evidence.record_failure(experiment_of(pair), family, body, failed);
}

Analysis::Analysis(const routing::Config& config, metrics::Recorder& recorder,
                   metrics::StateStore& store)
    : recorder_(recorder),
      max_queued_(config.limits.max_analysis_queue),
      max_bytes_(config.limits.max_analysis_bytes),
      evidence_(config.state_directory, store),
      volumes_(config.state_directory, store) {
  new_records_ = config.records;
  has_new_records_ = true;
  thread_ = std::thread([this] { loop(); });
  pthread_setname_np(thread_.native_handle(), "analysis");
}

Analysis::~Analysis() {
  stopping_ = true;
  thread_.join();
}

void Analysis::offer(AnalysisTask::Pointer task) noexcept {
  const std::size_t bytes = task->bytes;
  const std::size_t ahead = queued_.fetch_add(1, std::memory_order_relaxed);
  const std::size_t held = queued_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (ahead < max_queued_.load(std::memory_order_relaxed) &&
      held <= max_bytes_.load(std::memory_order_relaxed)) {
    return tasks_.push(std::move(task));
  }
  queued_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  queued_.fetch_sub(1, std::memory_order_relaxed);
  task->refused();
}

void Analysis::apply(const routing::Config& config) {
  max_queued_ = config.limits.max_analysis_queue;
  max_bytes_ = config.limits.max_analysis_bytes;
  const std::lock_guard lock(records_mutex_);
  new_records_ = config.records;
  has_new_records_ = true;
}

void Analysis::take_new_records() {
  if (!has_new_records_.load(std::memory_order_relaxed) || !has_new_records_.exchange(false))
    return;
  std::optional<routing::RecordsConfig> config;
  {
    const std::lock_guard lock(records_mutex_);
    config = std::exchange(new_records_, std::nullopt);
  }
  if (!config || (records_ && *config == records_config_)) return;
  records_config_ = *config;
  try {
    begin_records();
  } catch (const std::exception& problem) {  // no memory, or no thread for the new log
    log_error("records_not_begun", {{"what", problem.what()}});
  }
}

void Analysis::begin_records() {
  if (ended_records_.size() >= kMaxEndedRecords)
    throw std::runtime_error("the disks of earlier directories hang");
  ended_records_.reserve(ended_records_.size() + 1);
  auto begun = records_config_.directory.empty()
                   ? nullptr
                   : std::make_unique<metrics::RecordLog>(records_config_, recorder_);
  if (records_) {
    records_->finish();
    ended_records_.push_back(std::move(records_));
  }
  records_ = std::move(begun);
}

void Analysis::let_go_of_ended_records() noexcept {
  std::erase_if(ended_records_, [](const auto& log) { return log->finished(); });
}

void Analysis::in_force(std::shared_ptr<const Snapshot> snapshot) {
  const std::lock_guard lock(records_mutex_);
  new_snapshot_ = std::move(snapshot);
  has_new_snapshot_ = true;
}

void Analysis::take_new_snapshot() {
  if (!has_new_snapshot_.exchange(false)) return;
  std::shared_ptr<const Snapshot> snapshot;
  {
    const std::lock_guard lock(records_mutex_);
    snapshot = std::exchange(new_snapshot_, nullptr);
  }
  for (std::size_t i = 0; snapshot && i < snapshot->config().routes.size(); ++i) {
    if (snapshot->config().routes[i].candidate) evidence_.take_up(experiment_of(*snapshot, i));
  }
}

void Analysis::run_one(AnalysisTask::Pointer task) noexcept {
  try {
    AnalysisThread thread{records_.get(), evidence_, models_, volumes_};
    task->run(thread);
  } catch (const std::exception& problem) {
    // A bug, or no memory: this one answer is lost.
    log_error("analysis_failed", {{"what", problem.what()}});
    task->refused();
  }
  queued_bytes_.fetch_sub(task->bytes, std::memory_order_relaxed);
  queued_.fetch_sub(1, std::memory_order_relaxed);
}

void Analysis::loop() {
  // Of this thread alone, as Linux has it; where it is refused, the thread goes on as the others
  // do.
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
  while (true) {
    const bool last_round = stopping_.load();
    take_new_records();
    take_new_snapshot();
    std::size_t tasks = 0;
    let_go_of_ended_records();
    tasks_.take_all([&](AnalysisTask::Pointer task) {
      ++tasks;
      take_new_records();
      run_one(std::move(task));
    });
    evidence_.publish();
    volumes_.save_when_due();
    if (last_round && tasks == 0) return;
    if (!last_round) std::this_thread::sleep_for(pause_after(tasks));
  }
}

}  // namespace understudy::proxy

#pragma once
// Reads answers and compares pairs on a thread of its own, off every path. Work is admitted by
// count and bytes; what finds no room is counted where it belongs, never waited for.

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "metrics/answer.h"
#include "metrics/records.h"
#include "metrics/shadow_outcome.h"
#include "proxy/evidence_book.h"
#include "proxy/handover.h"
#include "proxy/minute_window.h"
#include "proxy/model_book.h"
#include "proxy/recycler.h"
#include "proxy/snapshot.h"
#include "proxy/volume_book.h"

namespace understudy::proxy {

class ShadowAccount;

// What was read of a served answer; kept for the comparison with its copies. Written and read on
// the analysis thread only, created empty by the exchange.
struct ServedSlot {
  std::optional<metrics::Observation> observation;
  std::optional<metrics::TextTraits> text;  // of the observation's answer
  std::string request_id;
  // Of its copies, as they come, where both sides answered and the control asked the primary: with
  // both, the difference can be held against the noise.
  std::optional<metrics::Comparison> shadow, control;
  bool counts_as_evidence = false;  // its shadow pair does
  // What both answers are held to, and the family that it is judged in; made with the first copy.
  std::optional<metrics::Expectations> expectations;
  std::string family;
};

// What is known of an exchange when its pair is recorded.
struct PairContext {
  std::shared_ptr<const Snapshot> snapshot;
  std::size_t route = 0;  // index into the snapshot's routes
  std::string exchange_id;
  std::string asked_model;  // by the client
  std::string family;
  std::string caller;  // hashed
  metrics::Block request_body;
  std::shared_ptr<ServedSlot> served;
  std::shared_ptr<ShadowAccount> account;  // the route's shadow budget
  // It stands for all of the route's traffic. Not so a pair of a family that is copied more often
  // than others (shadow.settled_percent): that one counts in its family alone.
  bool in_pool = true;
  // The family that its control was asked for alone (control_percent: auto): with its noise the
  // pair counts there and not in the pool. Empty: asked as of any other copy.
  std::string control_family{};
  // A FailedExchangeTask tells what the exchange is evidence of: its pair adds nothing.
  bool is_weighed = false;
};

// The family that a request names itself, as it is judged in; empty where it names none.
std::string family_named_by(const PairContext& pair);

// Of a family whose gates have the evidence they need, a share is copied (shadow.settled_percent),
// drawn by a hash of its own. While there is such a family the pool takes the same share of every
// family: it stays a uniform sample of the traffic, whoever is copied more often. True where the
// draw leaves the exchange out; else it says whether that is in the pool.
bool is_left_out(PairContext& pair, std::string_view sampling_key);

// What tasks use of the analysis thread.
struct AnalysisThread {
  metrics::RecordLog* records = nullptr;  // none: nothing is recorded
  EvidenceBook& evidence;
  ModelBook& models;
  VolumeBook& volumes;
};

class AnalysisTask : public HandoverNode<AnalysisTask> {
 public:
  virtual ~AnalysisTask() = default;
  // There was no room: count it.
  virtual void refused() noexcept = 0;
  std::size_t bytes = 0;  // that it holds

  // Ends it: its memory goes home to the thread that took it.
  struct Done {
    void operator()(AnalysisTask* task) const noexcept { task->done(); }
  };
  using Pointer = std::unique_ptr<AnalysisTask, Done>;

 private:
  friend class Analysis;
  virtual void run(AnalysisThread& thread) = 0;
  virtual void done() noexcept = 0;
};

// An answer the client got: tokens, cost, first token. Fills `slot` where a copy follows.
class ServedAnswerTask final : public AnalysisTask, public Recycled<ServedAnswerTask> {
 public:
  metrics::AttemptFacts facts;
  metrics::CapturedAnswer captured;
  std::shared_ptr<const Snapshot> snapshot;
  std::optional<std::size_t> route;  // index into the snapshot's routes; none: the default route
  metrics::RouteMeter* meter = nullptr;
  std::shared_ptr<ServedSlot> slot;
  metrics::Block request_body{};  // where its volume is measured
  void refused() noexcept override;
  void clear() noexcept;

 private:
  void run(AnalysisThread& thread) override;
  void done() noexcept override { Recycler<ServedAnswerTask>::give_back(this); }
  void measure_volume(const metrics::Observation& served, VolumeBook& volumes) const;
};

// The answer to a copy: the same, then the comparison with what was served.
class PairTask final : public AnalysisTask, public Recycled<PairTask> {
 public:
  metrics::AttemptFacts facts;
  metrics::CapturedAnswer captured;
  std::shared_ptr<const PairContext> pair;
  TokenReservation tokens{};  // that the call took of the route's budget
  void refused() noexcept override;
  void clear() noexcept;

 private:
  void run(AnalysisThread& thread) override;
  void done() noexcept override { Recycler<PairTask>::give_back(this); }
  void drop() const noexcept;
  void settle_budget(const metrics::Observation& other) const;
  void compare_inputs(const metrics::Observation& other, VolumeBook& volumes) const;
  void fail(metrics::FailReason reason) const noexcept;
  void count(const metrics::Comparison& comparison, metrics::RouteMeter& meter) const noexcept;
  void record(metrics::RecordLog& records, const metrics::Observation& other,
              const metrics::Comparison& comparison) const;
};

// A copy that has no answer to compare: the books know already, the evidence must. Rare, so it is
// not recycled.
class FailedCopyTask final : public AnalysisTask {
 public:
  metrics::AttemptFacts facts;
  metrics::FailReason reason = metrics::FailReason::transport;
  std::shared_ptr<const PairContext> pair;
  void refused() noexcept override {}

 private:
  void run(AnalysisThread& thread) override;
  void done() noexcept override { delete this; }
};

// An exchange that was drawn to be compared and of which a served attempt failed: who failed is
// evidence by itself (FailedAttempts). Rare, so it is not recycled.
class FailedExchangeTask final : public AnalysisTask {
 public:
  PairContext pair;
  std::string sampling_key;
  metrics::FailedAttempts failed;
  void refused() noexcept override {}

 private:
  void run(AnalysisThread& thread) override;
  void done() noexcept override { delete this; }
};

class Analysis {
 public:
  // Recorder and store outlive this.
  Analysis(const routing::Config& config, metrics::Recorder& recorder, metrics::StateStore& store);
  ~Analysis();  // works off what has been admitted

  // Any thread. Admits the task or calls its refused(). Tasks of one exchange are run in the order
  // they were offered.
  void offer(AnalysisTask::Pointer task) noexcept;

  // A new config's limits and records. Any thread.
  void apply(const routing::Config& config);
  // That snapshot's routes are served now: what was saved of their evidence is taken up. Any
  // thread.
  void in_force(std::shared_ptr<const Snapshot> snapshot);
  std::size_t queued() const noexcept { return queued_.load(std::memory_order_relaxed); }
  // A stage of the route's rollout begins. Any thread.
  void begin_stage(std::string_view route, std::string_view stage) {
    evidence_.begin_stage(route, stage);
  }
  // Any thread may read it.
  const EvidenceBook& evidence() const noexcept { return evidence_; }
  // What it learned of the models from their answers. Any thread.
  ModelBook& models() noexcept { return models_; }
  // The routes' measured peaks. Any thread.
  VolumeBook& volumes() noexcept { return volumes_; }

 private:
  void loop();
  void run_one(AnalysisTask::Pointer task) noexcept;
  void take_new_records();
  void begin_records();
  void let_go_of_ended_records() noexcept;
  void take_new_snapshot();

  metrics::Recorder& recorder_;
  Handover<AnalysisTask, AnalysisTask::Pointer> tasks_;
  std::atomic<std::size_t> queued_{0};
  std::atomic<std::size_t> queued_bytes_{0};
  std::atomic<std::size_t> max_queued_;
  std::atomic<std::size_t> max_bytes_;
  // Hands a new config's records, and its snapshot, to the thread.
  std::mutex records_mutex_;
  std::optional<routing::RecordsConfig> new_records_;
  std::shared_ptr<const Snapshot> new_snapshot_;
  std::atomic<bool> has_new_records_{false}, has_new_snapshot_{false};
  // The thread's own.
  std::unique_ptr<metrics::RecordLog> records_;
  std::vector<std::unique_ptr<metrics::RecordLog>> ended_records_;  // still being written
  EvidenceBook evidence_;
  ModelBook models_;
  VolumeBook volumes_;
  routing::RecordsConfig records_config_;

  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace understudy::proxy

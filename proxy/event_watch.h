#pragma once
// Makes events of what only shows in figures: another verdict, a model that is gone, a candidate
// that takes over for it, a drill that is met. So no thread that serves has to tell anybody. Owned
// by the serve command, used by one thread.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "metrics/verdict.h"
#include "proxy/events.h"
#include "proxy/exposition.h"
#include "proxy/model_book.h"
#include "proxy/snapshot.h"
#include "proxy/verdict_status.h"
#include "routing/rollout.h"

namespace understudy::proxy {

class EventWatch {
 public:
  // Verdicts may sway while the figures are few, and takeovers go on for days: of each route (and
  // kind) one event in that time. An alarm is told at once.
  static constexpr std::chrono::minutes kVerdictPause{1};
  static constexpr std::chrono::hours kTakeoverPause{1};

  explicit EventWatch(EventLog& events) : events_(events) {}

  struct Figures {
    const Snapshot& snapshot;
    const EvidenceSource& evidence;
    const std::vector<ModelBook::Entry>& models;  // that were asked
    const std::vector<Sample>& samples;           // the recorder's exposition
  };
  // What is found at the first look is no change.
  void look(const Figures& figures, routing::Moment now);

 private:
  void look_at_verdict(const Figures& figures, const std::string& route, routing::Moment now);
  void look_at_model(const ModelBook::Entry& entry);
  void look_at_takeovers(const Sample& sample, routing::Moment now);

  struct Told {
    metrics::VerdictState verdict = metrics::VerdictState::keep_shadowing;
    routing::Moment at{};
  };
  struct Takeovers {
    double count = 0.0;
    routing::Moment told{};
  };
  EventLog& events_;
  std::map<std::string, Told> verdicts_;
  std::set<std::pair<std::string, std::string>> gone_;  // route and model
  std::map<std::pair<std::string, std::string>, Takeovers> takeovers_;
};

}  // namespace understudy::proxy

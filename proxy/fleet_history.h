#pragma once
// The sums of a fleet's evidence on one route, now and as they were, out of a Prometheus server.
//
// How a sum comes about. Each replica's counters only grow, and begin at what it had saved, so a
// replica counts with the largest value that it had within the last `window`: max_over_time by
// replica, then the sum. A restart, a missed scrape or two servers that scrape the same replica
// change nothing. Rates play no part: they would extrapolate.
//
// What is silent for longer is gone, but what it saw still counts. A month of every series would be
// too much to read each time, so its end is looked up once: one small series tells which replicas
// there were within the `horizon`, and the counters of those that are gone are read where they
// ended. So the sum of all that were never falls.
//
// What the sums were when an hour or a stage began is asked for as of then, and kept. All of it
// follows from what the server has stored, at moments that all replicas choose alike (multiples of
// the interval), and not from when a replica began: so all judge by the same figures.
//
// One thread.

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "metrics/evidence/fleet_evidence.h"
#include "proxy/prometheus_query.h"

namespace understudy::proxy {

// ask_prometheus(), or what stands for it in a test.
using AskPrometheus = std::function<Result<InstantVector>(const routing::EvidenceConfig& config,
                                                          std::string_view query,
                                                          std::optional<PrometheusTime> when)>;

class FleetHistory {
 public:
  static constexpr std::size_t kMaxLives = 256;      // gone ones; of more the newest
  static constexpr std::size_t kMaxQuestions = 120;  // in one reading; the next one goes on

  struct Of {
    std::string route, experiment;
    routing::EvidenceConfig config;
    friend bool operator==(const Of&, const Of&) = default;
  };
  FleetHistory(Of of, AskPrometheus ask);
  const Of& of() const noexcept { return of_; }

  // The sums as of `at`, with those of the stage's begin where there is a stage. An error is told
  // as a clause; what was read by then is kept.
  Result<metrics::FleetSums> sums(PrometheusTime at, const std::optional<metrics::Stage>& stage,
                                  PrometheusTime stage_since);

  std::size_t gone() const noexcept;  // as of the last sums

 private:
  // One replica's evidence from its begin on: another begin is another life.
  struct Life {
    std::string replica;
    std::int64_t begun = 0;  // Unix seconds
    friend auto operator<=>(const Life&, const Life&) = default;
  };
  struct Known {
    // Its last sample lies between these two.
    PrometheusTime seen_from{}, seen_until{};
    bool alive = false;
    std::uint64_t hours = 0;
    std::optional<metrics::FleetCounts> end{};  // of one that is gone, once it was read
  };
  struct Mark {
    metrics::FleetCounts sum;  // over the window before that moment
    std::set<Life> alive;      // in that window
  };

  static std::optional<Life> life_of(const VectorSample& sample);
  Result<InstantVector> ask(std::string_view query, PrometheusTime when);
  std::string series(std::string_view metric, std::string_view more = {}) const;
  std::chrono::milliseconds step() const noexcept;
  Status find_lives(PrometheusTime at);
  Status find_alive(PrometheusTime at);
  Status read_ends(PrometheusTime at);
  Result<std::map<Life, std::uint64_t>> alive_at(PrometheusTime at);
  Result<metrics::FleetCounts> sum_of(std::string_view selected, PrometheusTime at,
                                      std::chrono::milliseconds range);
  Result<Mark> mark_at(PrometheusTime at);
  Status mark_hours(PrometheusTime at, std::chrono::sys_seconds since);
  metrics::FleetCounts total(const Mark& mark, PrometheusTime at) const;
  void forget_oldest();

  const Of of_;
  const AskPrometheus ask_;
  std::size_t questions_ = 0;  // of this reading
  std::map<Life, Known> lives_;
  std::optional<PrometheusTime> found_lives_;
  std::map<std::int64_t, Mark> marks_;  // by hour
  std::optional<Mark> stage_mark_;
  PrometheusTime stage_marked_{};
};

}  // namespace understudy::proxy

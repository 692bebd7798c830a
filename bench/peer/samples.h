#pragma once
// Latencies of one run, and the CPU time of the process under test.

#include <nlohmann/json.hpp>
#include <vector>

#include "bench/peer/loop.h"

namespace understudy::bench {

class Samples {
 public:
  void add(Nanoseconds sample) { values_.push_back(sample); }
  std::size_t count() const { return values_.size(); }
  // {"count", "mean_us", "p50_us", "p90_us", "p99_us", "max_us"}
  nlohmann::json summary() const;

 private:
  std::vector<Nanoseconds> values_;
};

// CPU time of every thread of a process since its start: nanoseconds from schedstat, user and
// system ticks from stat (the kernel keeps exact sums, and divides them into user and system by
// sampling).
class ProcessTimes {
 public:
  static ProcessTimes of(int pid);
  // {"cpu_ns", "user_s", "system_s", "threads": [{"tid", "name", ...}]} of what was used since
  // `earlier`.
  nlohmann::json since(const ProcessTimes& earlier) const;

 private:
  struct Thread {
    int tid = 0;
    std::string name;
    std::int64_t cpu_ns = 0, user_ticks = 0, system_ticks = 0;
  };
  std::vector<Thread> threads_;
};

}  // namespace understudy::bench

#pragma once
// The detector benchmark, level 2: the engine on streams whose truth is known, looked at after
// every pair, and its rivals on the same streams. Everything follows from the seeds.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/detectors/streams.h"

namespace understudy::bench {

// How the fifteen regressions are to be found: pairs of the affected family that a process with
// alpha = 0.0001 takes by the median (of latency, measured with this benchmark's spread).
struct Injection {
  Regression regression;
  double median_pairs = 0.0;
};
const std::vector<Injection>& injections();

// Runs in which something was said to be wrong although both sides were one model.
struct FalseAlarms {
  int runs = 0;
  int engine = 0, diffy = 0, fixed = 0, fixed_corrected = 0;
  int by_quantile = 0;  // of the engine's, those that no gate shared
  // The signal and family of each of the engine's.
  std::vector<std::string> whose{};
};
FalseAlarms false_alarms(const StreamPlan& plan, int runs, std::uint64_t pairs, std::uint64_t seed);

// Pairs of the affected family until it was found, by run; none where it was not in time.
using Delays = std::vector<std::optional<double>>;
double quantile_of(const Delays& delays, double p);  // infinite where fewer were found
double share_within(const Delays& delays, double pairs);

struct Detection {
  Delays engine, diffy, fixed_corrected;
  int right_signal = 0, right_family = 0;  // named first
  std::vector<std::string> misnamed{};
};
// From a fresh start.
Detection detect(const Injection& injection, int runs, std::uint64_t seed);

// After a good period: evidence and stream as they were at its end.
struct GoodPeriod {
  PairStream stream;
  metrics::RouteEvidence evidence;
};
GoodPeriod good_period(std::uint64_t pairs, std::uint64_t seed);
struct LateDetection {
  Delays engine;
  Delays whole_only;  // the process over all pairs of the family, by itself, with its whole level
};
LateDetection detect_late(const Injection& injection, const std::vector<GoodPeriod>& after);

// A candidate that is worse by exactly the margin of a gate, everywhere.
struct AtTheMargin {
  int runs = 0;
  int gate_ever_safe = 0;     // looked at after every pair
  int verdict_ever_safe = 0;  // looked at after every hundredth
};
AtTheMargin at_the_margin(std::string_view signal, int runs, std::uint64_t pairs,
                          std::uint64_t seed);

// Where nothing changes: pairs until safe_to_promote, without a minimum of hours.
struct UntilSafe {
  Delays pairs;
  // What the verdict said after so many pairs that it would take in all, over what it took.
  struct Foretold {
    std::uint64_t after = 0;
    Delays ratio{};  // of the runs that were not safe by then; none: it did not tell
  };
  std::vector<Foretold> foretold{};
};
// Which pairs have a second answer of the primary: all, or as many as `control_percent: auto` asks
// for.
enum class Controls : std::uint8_t { of_all, as_auto };
UntilSafe pairs_until_safe(int runs, std::uint64_t min_pairs_per_family, std::uint64_t most,
                           std::uint64_t seed, Controls controls = Controls::of_all);

}  // namespace understudy::bench

#pragma once
// What of a route's evidence proxies add up between each other: counts that only grow, each under
// three labels from closed sets (`family`: all, and the families of RouteEvidence::shared();
// `signal`; `cell`). A proxy exports them, a Prometheus server adds them up, every proxy reads the
// same sums back. Plain values; any thread.
//
//   signal            cells
//   pair              pairs, triples, extra_pairs (not of `all`), missing (of `all` only)
//   a gate's          0, 1, 2: worse for the primary, equal, worse for the candidate; of ratios 0
//                     to 40. Beside them candidate_bad, primary_bad, and of gates that need a
//                     control leg candidate_pairs. What follows from these is not exported.
//   latency_primary, latency_candidate, first_token_primary, first_token_candidate
//                     the buckets of TimeSketch, 0 to 666; of `all` only
//
// Zeros are left out. So a route has at most 150 series a family and 2,669 beside them: 5,819 with
// 20 families. A usual one has about 50 a family and 600 of times.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "metrics/evidence/evidence.h"

namespace understudy::metrics {

struct FamilyCounts {
  std::uint64_t pairs = 0, triples = 0, extra_pairs = 0;
  std::array<GateCounts, kGateCount> gates{};

  void add(const FamilyCounts& other) noexcept;
  friend bool operator==(const FamilyCounts&, const FamilyCounts&) = default;
};

struct FleetCounts {
  FamilyCounts all;
  std::map<std::string, FamilyCounts, std::less<>> families;
  std::uint64_t missing = 0;
  std::array<TimeSketch::Buckets, 2> latency{}, first_token{};  // by variant

  void add(const FleetCounts& other);
  friend bool operator==(const FleetCounts&, const FleetCounts&) = default;
};

inline constexpr std::size_t kMaxFamilySeries = 150, kMaxOtherSeries = 2'669;

FleetCounts fleet_counts(const RouteEvidence& evidence, std::size_t max_families);

using CellSink = std::function<void(std::string_view family, std::string_view signal,
                                    std::string_view cell, std::uint64_t count)>;
void tell_cells(const FleetCounts& counts, const CellSink& sink);

// Puts told cells together again. They come from outside.
class CellCollector {
 public:
  // False where there is no such cell, a count is beyond 2^53 (what a double tells exactly), or
  // there are more families than proxies share (each may share others: the fleet's are bounded by
  // RouteEvidence::kMaxFamilies).
  bool add(std::string_view family, std::string_view signal, std::string_view cell,
           std::uint64_t count);
  FleetCounts take() &&;  // with what follows from the cells

 private:
  FamilyCounts* family(std::string_view name);
  FleetCounts counts_;
};

}  // namespace understudy::metrics

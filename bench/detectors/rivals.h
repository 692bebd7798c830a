#pragma once
// What other tools would have said of the same stream: Diffy's rule (opendiffy/diffy,
// DifferencesFilterFactory), and the tests of a fixed horizon, looked at again and again. Both per
// family and gate, as both would be used.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "bench/detectors/streams.h"

namespace understudy::bench {

// Requests of an endpoint that differ from the primary's answer: the candidate's (raw) and the
// primary's own second one (noise). Reported where raw exceeds noise by 20 % of both and by 0.03 %
// of all requests, once fifty were seen.
class DiffyRule {
 public:
  explicit DiffyRule(std::size_t families) : counts_(families) {}
  void count(const StreamedPair& pair) noexcept;
  // The gate that is reported of the family of the pair counted last; the first one.
  std::optional<std::size_t> reported() const noexcept;

 private:
  struct Differences {
    std::uint64_t raw = 0, noise = 0;
  };
  struct Endpoint {
    std::uint64_t requests = 0;
    std::array<Differences, metrics::kGateCount> differences{};
  };
  std::vector<Endpoint> counts_;
  std::size_t last_ = 0;
};

// Two-proportion z of each side's bad answers, and Mann-Whitney of their latencies, each two-sided
// at `alpha`, after every pair (Mann-Whitney after every fiftieth).
class FixedHorizonTests {
 public:
  FixedHorizonTests(std::size_t families, double alpha) : alpha_(alpha), counts_(families) {}
  void count(const StreamedPair& pair) noexcept;
  std::optional<std::size_t> reported() const noexcept;  // worse, of the family counted last

 private:
  static constexpr std::size_t kCells = 128;  // of ln latency
  struct Arms {
    std::uint64_t pairs = 0;
    std::array<std::uint64_t, metrics::kGateCount> primary{}, candidate{};
    std::array<std::uint64_t, kCells> primary_times{}, candidate_times{};
  };
  double alpha_;
  std::vector<Arms> counts_;
  std::size_t last_ = 0;
};

}  // namespace understudy::bench

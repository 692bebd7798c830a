#pragma once
// Asks a Prometheus server for one instant vector (POST /api/v1/query, stable since version 2.0).
// Blocks; any thread. Answers are hostile: bounded in bytes and depth, and damaged where anything
// is not as documented.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/error.h"
#include "routing/config.h"

namespace understudy::proxy {

struct VectorSample {
  std::map<std::string, std::string, std::less<>> labels;
  double value = 0.0;  // finite

  std::string_view label(std::string_view name) const;  // empty where there is none
  // A count: none where it is negative, broken or beyond what a double tells exactly.
  std::optional<std::uint64_t> count() const noexcept;
};
using InstantVector = std::vector<VectorSample>;

using PrometheusTime = std::chrono::sys_time<std::chrono::milliseconds>;

// As of `when`; none: as the server's clock has it. ErrorKind::bad_message: the answer is damaged,
// or the server says that it is not complete.
Result<InstantVector> ask_prometheus(const routing::EvidenceConfig& config, std::string_view query,
                                     std::optional<PrometheusTime> when = {});

// The answer's body.
Result<InstantVector> parse_instant_vector(std::string_view body);

// Percent-encoded for a form.
std::string form_encoded(std::string_view text);

}  // namespace understudy::proxy

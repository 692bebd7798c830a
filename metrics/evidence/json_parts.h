#pragma once
// What the files of evidence are read by alike. All throw for what is not as it should be. Pure
// functions.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "metrics/evidence/evidence_json.h"
#include "routing/gates.h"

namespace understudy::metrics {

inline constexpr std::size_t kMaxNameBytes = 256;  // of a family or a stage

inline nlohmann::json parse_shallow(std::string_view text) {
  constexpr int kMaxDepth = 16;
  return nlohmann::json::parse(text, [](int depth, nlohmann::json::parse_event_t, auto&) {
    if (depth > kMaxDepth) throw std::invalid_argument("it is nested too deeply");
    return true;
  });
}

// What `read` makes of the text; whatever it throws is the problem.
template <typename Reader>
auto read_or_tell(std::string_view text, Reader read)
    -> std::variant<decltype(read(nlohmann::json{})), EvidenceProblem> {
  try {
    return read(parse_shallow(text));
  } catch (const std::exception& problem) {
    return EvidenceProblem{problem.what()};
  }
}

// More than a route will ever see, and so few that sums of them stay in range.
inline constexpr std::uint64_t kMostCounted = std::uint64_t{1} << 48;

inline std::uint64_t count_of(const nlohmann::json& value) {
  if (!value.is_number_unsigned()) throw std::invalid_argument("a count is not a whole number");
  const auto count = value.get<std::uint64_t>();
  if (count > kMostCounted) throw std::invalid_argument("a count is larger than any can be");
  return count;
}

// Counts without the zeros behind the last one.
inline nlohmann::json counts_json(std::span<const std::uint64_t> counts) {
  while (!counts.empty() && counts.back() == 0) counts = counts.first(counts.size() - 1);
  return std::vector<std::uint64_t>(counts.begin(), counts.end());
}

inline void read_counts(const nlohmann::json& from, std::span<std::uint64_t> into) {
  if (!from.is_array() || from.size() > into.size())
    throw std::invalid_argument("there are more counts than this version knows");
  for (std::size_t k = 0; k < from.size(); ++k) into[k] = count_of(from[k]);
}

// A whole number that sums and products of times stay in range with.
inline std::int64_t small_number(const nlohmann::json& from) {
  constexpr std::int64_t kFarthest = std::int64_t{1} << 32;
  const auto number = from.get<std::int64_t>();
  if (number < -kFarthest || number > kFarthest)
    throw std::invalid_argument("a time is out of all bounds");
  return number;
}

// The index into routing::kGates.
inline std::size_t known_gate(const std::string& signal) {
  const auto gate = routing::gate_of(signal);
  if (!gate) throw std::invalid_argument("no gate is called '" + signal.substr(0, 64) + "'");
  return *gate;
}

}  // namespace understudy::metrics

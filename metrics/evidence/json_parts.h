#pragma once
// What the files of evidence are read by alike. All throw for what is not as it should be. Pure
// functions.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

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

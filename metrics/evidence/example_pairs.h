#pragma once
// A few pairs for each gate that show what it is about: the heaviest, of equal ones the latest.
// They name exchanges, whose records may hold more, and say how the answers differ in words and
// lengths, without a word of them. Bounded; adds up over processes. One thread.

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "routing/gates.h"

namespace understudy::metrics {

struct ExamplePair {
  std::string exchange_id;
  std::string family;
  // 1 where the candidate alone is bad, and up to 1 more for words that are not the primary's,
  // beyond its own spread (containment_counts.h); of a ratio its logarithm.
  double weight = 0.0;
  std::int64_t unix_seconds = 0;
  std::string detail;  // of the closed words of divergence/signals.h
  std::uint64_t primary_characters = 0;
  std::uint64_t candidate_characters = 0;
  std::string primary_stop, candidate_stop;  // stop reasons, or how the call ended
  friend bool operator==(const ExamplePair&, const ExamplePair&) = default;
};

class ExamplePairs {
 public:
  static constexpr std::size_t kEach = 3;
  static constexpr std::size_t kMaxBytes = 256;  // of each text

  // Whether add() would keep it: asked first, since most would not be.
  bool wants(std::size_t gate, double weight, std::int64_t unix_seconds) const noexcept;
  void add(std::size_t gate, ExamplePair pair);
  void merge(const ExamplePairs& other);
  const std::vector<ExamplePair>& of(std::size_t gate) const noexcept { return pairs_[gate]; }

  nlohmann::json to_json() const;
  // Throws for what to_json() did not write.
  static ExamplePairs from_json(const nlohmann::json& json);
  friend bool operator==(const ExamplePairs&, const ExamplePairs&) = default;

 private:
  std::array<std::vector<ExamplePair>, routing::kGates.size()> pairs_;  // the best first
};

}  // namespace understudy::metrics

#pragma once
// Groups requests by the words that their prompts share, for those that nothing names (divergence
// reference 3): what stands in many requests is a template, what stands in one is its filling.
// Depends on the order of requests, so two proxies mine different families. One thread; bounded.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "metrics/prompt_text.h"

namespace understudy::metrics {

class FamilyMiner {
 public:
  static constexpr std::size_t kMaxFamilies = 255;
  static constexpr std::string_view kPrefix = "mined-";
  static constexpr std::size_t kMaxShingles = 65'536;  // counted at once; rare ones are forgotten
  static constexpr std::size_t kMaxCounted = 2'048;    // of one family's members: 100 KB
  static constexpr std::uint32_t kRefreshEvery = 16;   // joins of a family

  // The family's name, kPrefix and eight hex digits; empty where the prompt shares too little with
  // others to belong to one.
  std::string family_of(const PromptText& prompt);

  std::size_t families() const noexcept { return families_.size(); }
  // How many were ever opened. A name that is lost is not found again: what opens in its place may
  // be called otherwise.
  std::uint64_t opened() const noexcept { return opened_; }
  // How many shingles it counts: in all requests and in every family; in every family.
  std::size_t counted() const noexcept { return seen_in_.size() + counted_of_families(); }
  std::size_t counted_of_families() const noexcept;

  // All it knows, but shingles that it has seen once: they are the first to be forgotten anyway.
  // Hashes and numbers; no text of a prompt.
  nlohmann::json to_json() const;
  // Throws what nlohmann throws, or std::invalid_argument: for what to_json() did not write.
  static FamilyMiner from_json(const nlohmann::json& json);

 private:
  friend struct MinerFormat;                                        // family_miner_json.cc
  using Shingles = std::vector<std::uint64_t>;                      // sorted, each once
  using Counts = std::unordered_map<std::uint64_t, std::uint32_t>;  // by shingle
  struct Family {
    std::string name;
    Shingles shingles;  // in at least half of its members
    Counts counts;
    std::uint32_t members = 0;  // that `counts` counts
    std::uint32_t since_refresh = 0;
    std::uint64_t last_used = 0;
  };

  Shingles frequent(const Shingles& shingles);
  void forget_rare();
  Family* nearest(const Shingles& shingles);
  Family& open(const Shingles& shingles);
  static void join(Family& family, const Shingles& shingles);

  Counts seen_in_;  // requests
  std::vector<Family> families_;
  std::uint64_t requests_ = 0;
  std::uint64_t opened_ = 0;
};

// Four-word shingles of a prompt, hashed, without what differs from request to request: code,
// quoted material, addresses, numbers, dates.
std::vector<std::uint64_t> prompt_shingles(const PromptText& prompt);

}  // namespace understudy::metrics

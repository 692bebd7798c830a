#pragma once
// A line for people to know a mined family by: the one that most of its prompts have in common. It
// is text of prompts, so it is learned only where records may hold such text, kept in memory alone,
// and never a label. One for each route and experiment; one thread; at most 1 MB.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/family_miner.h"
#include "metrics/prompt_text.h"

namespace understudy::metrics {

class FamilyLines {
 public:
  static constexpr std::size_t kMaxLineBytes = 160;
  static constexpr std::size_t kMaxLines = 16;  // that are counted of one family
  // Fewer requests than that may all be of one person.
  static constexpr std::uint32_t kFewestRequests = 20;

  // A request of that family. Lines with figures or addresses in them are none of a template.
  void learn(std::string_view family, const PromptText& prompt);
  void clear() noexcept { families_.clear(); }

  // By family, of those with a line that at least half of their requests have.
  using Lines = std::map<std::string, std::string, std::less<>>;
  Lines lines() const;

 private:
  struct Counted {
    std::string line;
    std::uint32_t count = 0;  // at least so many requests had it (Misra and Gries)
  };
  struct Family {
    std::uint32_t requests = 0;
    std::vector<Counted> lines{};
  };
  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace understudy::metrics

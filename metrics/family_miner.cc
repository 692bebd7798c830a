#include "metrics/family_miner.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "routing/hash.h"

namespace understudy::metrics {
namespace {

constexpr std::size_t kShingleWords = 4;
constexpr std::size_t kWindow = 2;  // of winnowing: the smallest hash of each
constexpr std::size_t kSystemWords = 1500;
constexpr std::size_t kUserFirstWords = 300;
constexpr std::size_t kUserLastWords = 150;
constexpr std::uint32_t kFrequent = 6;  // requests with the same shingle: no chance any more
constexpr std::size_t kFewestShared = 2;
constexpr double kJoins = 0.5;
constexpr std::uint32_t kHalveAt = 512;  // members
constexpr std::uint32_t kSettled = 20;   // members of a family that is kept

// What a template's filling looks like. Compiled once; RE2 takes time linear in the text.
const RE2& fillings() {
  static const RE2 made(
      "(?is)```.*?```"                                        // code
      "|<([a-z][a-z0-9_-]*)[^>]*>[^<]{40,}</"                 // material in tags
      "|https?://\\S+|\\S+@\\S+\\.\\S+"                       // addresses
      "|\\b[0-9a-f]{8}-[0-9a-f-]{27}\\b|\\b[0-9a-f]{12,}\\b"  // ids
      "|\\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\\b"
      "|\\b(?:january|february|march|april|may|june|july|august|september|october|november|"
      "december)\\b"
      "|\\d+(?:[.,:/-]\\d+)*");  // numbers, times and dates
  return made;
}

// Of a text in lower case.
bool is_word_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80 || c == '#';
}

std::vector<std::uint64_t> words_of(const std::string& text) {
  std::string masked = text;
  RE2::GlobalReplace(&masked, fillings(), " # ");
  std::ranges::transform(masked, masked.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  std::vector<std::uint64_t> words;
  words.reserve(masked.size() / 5);  // English needs no more
  for (auto at = masked.begin(); at != masked.end();) {
    at = std::find_if(at, masked.end(), is_word_byte);
    const auto end = std::find_if_not(at, masked.end(), is_word_byte);
    if (at != end) words.push_back(routing::hash64({at, end}));
    at = end;
  }
  return words;
}

void append_shingles(const std::vector<std::uint64_t>& words, std::uint64_t part,
                     std::vector<std::uint64_t>& out) {
  std::uint64_t previous = 0;
  for (std::size_t at = 0; at + kShingleWords <= words.size(); ++at) {
    const std::string_view bytes(reinterpret_cast<const char*>(words.data() + at),
                                 kShingleWords * sizeof words[0]);
    const std::uint64_t shingle = routing::hash64(bytes, part);
    static_assert(kWindow == 2);
    if (at > 0) out.push_back(std::min(previous, shingle));
    previous = shingle;
  }
}

std::size_t shared(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  std::size_t count = 0;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    if (*i == *j) ++count;
    const bool both = *i == *j;
    const bool first = *i < *j;
    if (both || first) ++i;
    if (both || !first) ++j;
  }
  return count;
}

// Half containment, half Jaccard: a short request of a long template belongs to it, a family that
// swallows others does not grow for ever.
double likeness(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  if (a.empty() || b.empty()) return 0.0;
  const auto both = static_cast<double>(shared(a, b));
  const auto smaller = static_cast<double>(std::min(a.size(), b.size()));
  const double all = static_cast<double>(a.size() + b.size()) - both;
  return both / smaller / 2.0 + both / all / 2.0;
}

}  // namespace

std::vector<std::uint64_t> prompt_shingles(const PromptText& prompt) {
  std::vector<std::uint64_t> shingles;
  std::vector<std::uint64_t> system = words_of(prompt.system);
  system.resize(std::min(system.size(), kSystemWords));
  append_shingles(system, 'S', shingles);
  std::vector<std::uint64_t> user = words_of(prompt.user);
  if (user.size() > kUserFirstWords + kUserLastWords) {
    user.erase(user.begin() + kUserFirstWords, user.end() - kUserLastWords);
  }
  append_shingles(user, 'U', shingles);
  std::ranges::sort(shingles);
  shingles.erase(std::unique(shingles.begin(), shingles.end()), shingles.end());
  return shingles;
}

// Counts the request's shingles and gives those that stand in many.
FamilyMiner::Shingles FamilyMiner::frequent(const Shingles& shingles) {
  if (seen_in_.size() + shingles.size() > kMaxShingles) forget_rare();
  Shingles known;
  for (const std::uint64_t shingle : shingles) {
    if (++seen_in_[shingle] >= kFrequent) known.push_back(shingle);
  }
  return known;
}

void FamilyMiner::forget_rare() {
  std::erase_if(seen_in_, [](const auto& counted) { return counted.second < 2; });
  // Templates without end would fill it for good: then all begins anew but the families.
  if (seen_in_.size() > kMaxShingles / 2) seen_in_.clear();
}

FamilyMiner::Family* FamilyMiner::nearest(const Shingles& shingles) {
  Family* best = nullptr;
  double most = kJoins;
  for (Family& family : families_) {
    const double like = likeness(shingles, family.shingles);
    if (like < most) continue;
    most = like;
    best = &family;
  }
  return best;
}

FamilyMiner::Family& FamilyMiner::open(const Shingles& shingles) {
  Family family;
  const std::string_view bytes(reinterpret_cast<const char*>(shingles.data()),
                               shingles.size() * sizeof shingles[0]);
  family.name = std::string(kPrefix) + routing::hex(routing::hash64(bytes)).substr(0, 8);
  family.shingles = shingles;
  ++opened_;
  return families_.emplace_back(std::move(family));
}

void FamilyMiner::join(Family& family, const Shingles& shingles) {
  ++family.members;
  for (const std::uint64_t shingle : shingles) {
    // What is new where there is no room waits until others are halved away.
    const auto known = family.counts.find(shingle);
    if (known != family.counts.end()) {
      ++known->second;
    } else if (family.counts.size() < kMaxCounted) {
      family.counts.emplace(shingle, 1);
    }
  }
  if (++family.since_refresh < kRefreshEvery) return;
  family.since_refresh = 0;
  if (family.members >= kHalveAt) {
    family.members /= 2;
    for (auto& [shingle, count] : family.counts) count /= 2;
    std::erase_if(family.counts, [](const auto& counted) { return counted.second == 0; });
  }
  Shingles common;
  for (const auto& [shingle, count] : family.counts) {
    if (2 * count >= family.members) common.push_back(shingle);
  }
  std::ranges::sort(common);
  if (common.size() >= kFewestShared) family.shingles = std::move(common);
}

std::size_t FamilyMiner::counted_of_families() const noexcept {
  std::size_t counted = 0;
  for (const Family& family : families_) counted += family.counts.size();
  return counted;
}

std::string FamilyMiner::family_of(const PromptText& prompt) {
  ++requests_;
  const Shingles shingles = frequent(prompt_shingles(prompt));
  if (shingles.size() < kFewestShared) return {};
  Family* family = nearest(shingles);
  if (!family && families_.size() >= kMaxFamilies) {
    // The one that nobody used for longest makes room, unless all have settled.
    const auto oldest = std::ranges::min_element(families_, {}, [](const Family& one) {
      return one.members < kSettled ? one.last_used : UINT64_MAX;
    });
    if (oldest->members >= kSettled) return {};
    families_.erase(oldest);
  }
  if (!family) family = &open(shingles);
  family->last_used = requests_;
  join(*family, shingles);
  return family->name;
}

}  // namespace understudy::metrics

// Containment c(A, B) = |A and B| / min(|A|, |B|) over sets of words. It does not mind that one
// answer is longer, which is what sets versions of a model apart most. Words that stand in every
// English text are left out instead of being weighted by their rarity, which needs a table of
// document frequencies; every other word weighs 1. Two answers to one prompt lie about .3 to .6,
// answers to different prompts about .05.

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "metrics/divergence/signals.h"
#include "routing/hash.h"

namespace understudy::metrics::divergence {

namespace {

constexpr double kOffTopic = 0.15;
constexpr std::size_t kFewestWords = 10;  // below that a text is a label, not prose
constexpr std::size_t kMaxBytes = 64u << 10;
constexpr std::size_t kMaxWordBytes = 64;

constexpr std::array<std::string_view, 100> kStopWords{
    "a",     "about", "after", "all",   "also",  "an",    "and",   "any",   "are",   "as",
    "at",    "be",    "been",  "being", "both",  "but",   "by",    "can",   "could", "did",
    "do",    "does",  "each",  "for",   "from",  "had",   "has",   "have",  "he",    "her",
    "here",  "his",   "how",   "i",     "if",    "in",    "into",  "is",    "it",    "its",
    "just",  "let",   "like",  "ll",    "m",     "may",   "me",    "more",  "most",  "my",
    "no",    "not",   "of",    "on",    "one",   "only",  "or",    "other", "our",   "out",
    "over",  "re",    "s",     "she",   "so",    "some",  "such",  "t",     "than",  "that",
    "the",   "their", "them",  "then",  "there", "these", "they",  "this",  "those", "to",
    "up",    "us",    "ve",    "very",  "was",   "we",    "were",  "what",  "when",  "where",
    "which", "while", "who",   "why",   "will",  "with",  "would", "yes",   "you",   "your"};

// The stop words by hash: every word is hashed anyway, and comparing it with the words themselves
// cost more than all else.
class StopWords {
 public:
  StopWords() {
    for (const std::string_view word : kStopWords) {
      std::size_t at = slot(routing::hash64(word));
      while (slots_[at] != 0) at = (at + 1) % kSlots;
      slots_[at] = routing::hash64(word);
    }
  }
  bool contains(std::uint64_t hash) const noexcept {
    for (std::size_t at = slot(hash); slots_[at] != 0; at = (at + 1) % kSlots) {
      if (slots_[at] == hash) return true;
    }
    return false;
  }

 private:
  static constexpr std::size_t kSlots =
      512;  // far more than words: nearly every look-up ends at its first slot
  static std::size_t slot(std::uint64_t hash) noexcept { return hash % kSlots; }
  std::array<std::uint64_t, kSlots> slots_{};
};

bool is_word_byte(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

// Scripts without spaces (from U+2E80 on: CJK, kana, hangul) are three and four byte sequences from
// E2 BA up; each of their characters is a word.
std::size_t lone_character(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead >= 0xE3 && lead <= 0xED) return std::min<std::size_t>(3, text.size() - at);
  if (lead >= 0xF0) return std::min<std::size_t>(4, text.size() - at);
  return 0;
}

// Calls take(hash) for every word that is no stop word, until it returns false.
template <typename Take>
void for_each_word(std::string_view text, const Take& take) {
  static const StopWords stop_words;
  std::array<char, kMaxWordBytes> word;
  std::size_t length = 0;
  const auto end_word = [&] {
    if (length == 0) return true;
    const std::uint64_t hash = routing::hash64({word.data(), length});
    length = 0;
    return stop_words.contains(hash) || take(hash);
  };
  text = text.substr(0, kMaxBytes);
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (const std::size_t size = lone_character(text, at); size != 0) {
      if (!end_word() || !take(routing::hash64(text.substr(at, size)))) return;
      at += size;
      continue;
    }
    if (!is_word_byte(c)) {
      if (!end_word()) return;
    } else if (length < kMaxWordBytes) {
      word[length++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : text[at];
    }
    ++at;
  }
  end_word();
}

std::vector<std::uint64_t> word_set(std::string_view text) {
  std::vector<std::uint64_t> words;
  words.reserve(std::min(text.size(), kMaxBytes) / 6);
  for_each_word(text, [&](std::uint64_t hash) {
    words.push_back(hash);
    return true;
  });
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

// Whether the set has kFewestWords members, without making it.
bool is_prose(std::string_view text) {
  std::array<std::uint64_t, kFewestWords> seen;
  std::size_t count = 0;
  for_each_word(text, [&](std::uint64_t hash) {
    const auto end = seen.begin() + static_cast<std::ptrdiff_t>(count);
    if (std::find(seen.begin(), end, hash) == end) seen[count++] = hash;
    return count < kFewestWords;
  });
  return count == kFewestWords;
}

}  // namespace

std::optional<Finding> containment(const Observation& served, const Observation& other) {
  if (!both_answered(served, other)) return std::nullopt;
  // At temperature 0 the two are often the same to the letter.
  if (served.answer.text == other.answer.text) {
    if (!is_prose(served.answer.text)) return std::nullopt;
    return Finding{.signal = Signal::containment, .value = 1.0};
  }
  const auto here = word_set(served.answer.text);
  const auto there = word_set(other.answer.text);
  const std::size_t smaller = std::min(here.size(), there.size());
  if (smaller < kFewestWords) return std::nullopt;
  std::vector<std::uint64_t> shared;
  std::set_intersection(here.begin(), here.end(), there.begin(), there.end(),
                        std::back_inserter(shared));
  const double share = static_cast<double>(shared.size()) / static_cast<double>(smaller);
  return Finding{.signal = Signal::containment, .diverges = share < kOffTopic, .value = share};
}

}  // namespace understudy::metrics::divergence

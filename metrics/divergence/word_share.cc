// Containment c(A, B) = |A and B| / min(|A|, |B|) over sets of words. It does not mind that one
// answer is longer, which is what sets versions of a model apart most. Words that stand in every
// English text are left out instead of being weighted by their rarity, which needs a table of
// document frequencies; every other word weighs 1. Two answers to one prompt lie about .3 to .6,
// answers to different prompts about .05.

#include "metrics/divergence/word_share.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::metrics::divergence {

namespace {

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

constexpr std::uint64_t kOnes = 0x0101010101010101u;
constexpr std::uint64_t kHighBits = 0x80 * kOnes;

// Eight bytes from `at` on; zeros behind the end.
std::uint64_t eight_at(std::string_view text, std::size_t at) noexcept {
  std::uint64_t eight = 0;
  if (at + 8 <= text.size()) {
    std::memcpy(&eight, text.data() + at, 8);  // of a known size it is one instruction
  } else {
    std::memcpy(&eight, text.data() + at, text.size() - at);
  }
  return eight;
}

// The hash of a word goes over it in eights, the last filled up with zeros. A general hash for each
// word cost more than finding the words.
std::uint64_t begin_hash(std::size_t length) noexcept {
  return length;
}
std::uint64_t continue_hash(std::uint64_t hash, std::uint64_t eight) noexcept {
  // Multiply and fold, as the finalizer of SplitMix64 does.
  hash = (hash ^ eight) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 32);
}
std::uint64_t end_hash(std::uint64_t hash) noexcept {
  return hash | 1;  // 0 is no word's hash
}

// A word in lower case; what is longer than kMaxWordBytes counts by its beginning.
std::uint64_t hash_of(std::string_view word) noexcept {
  word = word.substr(0, kMaxWordBytes);
  std::uint64_t hash = begin_hash(word.size());
  for (std::size_t at = 0; at < word.size(); at += 8)
    hash = continue_hash(hash, eight_at(word, at));
  return end_hash(hash);
}

// A set of hashes other than 0: open addressing, at most half full. Words made to collide cost
// what kMaxBytes allows, on the analysis thread: some ten milliseconds.
class HashSet {
 public:
  explicit HashSet(std::size_t slots) : slots_(std::bit_ceil(std::max<std::size_t>(slots, 16))) {}

  void insert(std::uint64_t hash) {
    std::uint64_t& slot = slots_[place_of(hash)];
    if (slot == hash) return;
    slot = hash;
    if (2 * ++size_ > slots_.size()) grow();
  }
  bool contains(std::uint64_t hash) const noexcept { return slots_[place_of(hash)] == hash; }
  std::size_t size() const noexcept { return size_; }

  std::size_t shared_with(const HashSet& other) const noexcept {
    return static_cast<std::size_t>(
        std::count_if(slots_.begin(), slots_.end(),
                      [&](std::uint64_t hash) { return hash != 0 && other.contains(hash); }));
  }

 private:
  // Where it is, or would be. By the upper bits: the lowest is always set.
  std::size_t place_of(std::uint64_t hash) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = (hash >> 16) & mask;
    while (slots_[at] != 0 && slots_[at] != hash) at = (at + 1) & mask;
    return at;
  }

  void grow() {
    std::vector<std::uint64_t> old(2 * slots_.size());
    old.swap(slots_);
    for (const std::uint64_t hash : old) {
      if (hash != 0) slots_[place_of(hash)] = hash;
    }
  }

  std::vector<std::uint64_t> slots_;
  std::size_t size_ = 0;
};

HashSet make_stop_words() {
  HashSet words(8 * kStopWords.size());  // sparse: nearly every look-up ends at its first slot
  for (const std::string_view word : kStopWords) words.insert(hash_of(word));
  return words;
}

// Scripts without spaces (from U+2E80 on: CJK, kana, hangul) are three and four byte sequences from
// E2 BA up; each of their characters is a word.
std::size_t lone_character(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead >= 0xE3 && lead <= 0xED) return std::min<std::size_t>(3, text.size() - at);
  if (lead >= 0xF0) return std::min<std::size_t>(4, text.size() - at);
  return 0;
}

bool is_ascii(std::string_view text) noexcept {
  std::uint64_t all = 0;
  for (std::size_t at = 0; at < text.size(); at += 8) all |= eight_at(text, at);
  return (all & kHighBits) == 0;
}

// The high bit of every byte that is at least `from`, of bytes below 0x80.
constexpr std::uint64_t at_least(std::uint64_t eight, char from) noexcept {
  return eight + (0x80 - static_cast<std::uint64_t>(from)) * kOnes;
}

// One bit for each of eight ASCII bytes: whether it is a letter or a digit.
std::uint64_t word_bits(std::uint64_t eight) noexcept {
  const std::uint64_t folded = eight | (0x20 * kOnes);
  const std::uint64_t letters = at_least(folded, 'a') & ~at_least(folded, '{');
  const std::uint64_t digits = at_least(eight, '0') & ~at_least(eight, ':');
  const std::uint64_t flags = ((letters | digits) & kHighBits) >> 7;
  return (flags * 0x0102040810204080u) >> 56;  // gathers the eight flags, the first byte's lowest
}

// Where the words of an ASCII text begin and end, found eight bytes at a time: byte by byte, every
// word's end is a branch that nobody can foresee.
class AsciiWords {
 public:
  explicit AsciiWords(std::string_view text) : size_(text.size()), bits_(text.size() / 64 + 1) {
    for (std::size_t at = 0; at < text.size(); at += 8) {
      bits_[at / 64] |= word_bits(eight_at(text, at)) << (at % 64);
    }
  }

  // Where the first word from `at` on begins, and where the one that stands there ends; the text's
  // size when there is none.
  std::size_t begin(std::size_t at) const noexcept { return find(at, 0); }
  std::size_t end(std::size_t at) const noexcept { return find(at, ~std::uint64_t{0}); }

 private:
  // The first bit from `at` on that is set once `flip` has turned all over or none.
  std::size_t find(std::size_t at, std::uint64_t flip) const noexcept {
    if (at >= size_) return size_;
    std::size_t block = at / 64;
    std::uint64_t left = (bits_[block] ^ flip) >> (at % 64) << (at % 64);
    while (left == 0 && ++block < bits_.size()) left = bits_[block] ^ flip;
    if (left == 0) return size_;
    return std::min(size_, block * 64 + static_cast<std::size_t>(std::countr_zero(left)));
  }

  std::size_t size_;
  std::vector<std::uint64_t> bits_;
};

// The word text[begin, end). Letters get bit 0x20, which digits have: lower case for whatever
// stands in a word.
std::uint64_t hash_of_ascii_word(std::string_view text, std::size_t begin,
                                 std::size_t end) noexcept {
  std::size_t left = std::min(end - begin, kMaxWordBytes);
  std::uint64_t hash = begin_hash(left);
  for (; left > 8; left -= 8, begin += 8) {
    hash = continue_hash(hash, eight_at(text, begin) | (0x20 * kOnes));
  }
  const std::uint64_t used = ~std::uint64_t{0} >> (64 - 8 * left);
  return end_hash(continue_hash(hash, (eight_at(text, begin) | (0x20 * kOnes)) & used));
}

template <typename Take>
void for_each_ascii_word(std::string_view text, const HashSet& stop_words, const Take& take) {
  const AsciiWords words(text);
  std::size_t at = 0;
  while (true) {
    const std::size_t begin = words.begin(at);
    if (begin == text.size()) return;
    at = words.end(begin);
    const std::uint64_t hash = hash_of_ascii_word(text, begin, at);
    if (!stop_words.contains(hash) && !take(hash)) return;
  }
}

bool is_ascii_word_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Calls take(hash) for every word that is no stop word, until it returns false.
template <typename Take>
void for_each_word(std::string_view text, const Take& take) {
  text = text.substr(0, kMaxBytes);
  static const HashSet stop_words = make_stop_words();
  if (is_ascii(text)) return for_each_ascii_word(text, stop_words, take);
  std::string word;
  const auto end_word = [&] {
    if (word.empty()) return true;
    const std::uint64_t hash = hash_of(word);
    word.clear();
    return stop_words.contains(hash) || take(hash);
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_ascii_word_byte(text[at])) {
      word.push_back(static_cast<char>(text[at] | 0x20));
    } else if (static_cast<unsigned char>(text[at]) < 0x80) {
      if (!end_word()) return;
    } else if (const std::size_t size = lone_character(text, at); size != 0) {
      if (!end_word() || !take(hash_of(text.substr(at, size)))) return;
      at += size - 1;
    } else {
      word.push_back(text[at]);
    }
  }
  end_word();
}

HashSet word_set(std::string_view text) {
  HashSet words(std::min(text.size(), kMaxBytes) / 3);  // English needs no more
  for_each_word(text, [&](std::uint64_t hash) {
    words.insert(hash);
    return true;
  });
  return words;
}

// Whether the set has that many members, without making it.
bool has_words(std::string_view text, std::size_t fewest) {
  std::array<std::uint64_t, kFewestOfProse> seen;
  std::size_t count = 0;
  for_each_word(text, [&](std::uint64_t hash) {
    const auto end = seen.begin() + static_cast<std::ptrdiff_t>(count);
    if (std::find(seen.begin(), end, hash) == end) seen[count++] = hash;
    return count < fewest;
  });
  return count == fewest;
}

}  // namespace

std::optional<double> word_share(std::string_view a, std::string_view b, std::size_t fewest) {
  fewest = std::min(fewest, kFewestOfProse);
  // At temperature 0 the two are often the same to the letter.
  if (a == b) return has_words(a, fewest) ? std::optional{1.0} : std::nullopt;
  const auto here = word_set(a);
  const auto there = word_set(b);
  const std::size_t smaller = std::min(here.size(), there.size());
  if (smaller < fewest) return std::nullopt;
  const std::size_t shared =
      here.size() < there.size() ? here.shared_with(there) : there.shared_with(here);
  return static_cast<double>(shared) / static_cast<double>(smaller);
}

}  // namespace understudy::metrics::divergence

#include "tests/metrics/text_similarity.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace understudy::bench {
namespace {

constexpr std::size_t kLongestRun = 6;
constexpr double kRecallWeight = 4.0;  // beta squared, beta = 2

using Counts = std::map<std::string, double, std::less<>>;

bool is_space(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_word_byte(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::vector<std::string> tokens_of(std::string_view text) {
  std::vector<std::string> tokens;
  bool in_word = false;
  for (const char c : text) {
    const bool goes_on = is_word_byte(c);
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (goes_on && in_word) {
      tokens.back() += lower;
    } else if (!is_space(c)) {
      tokens.emplace_back(1, lower);
    }
    in_word = goes_on;
  }
  return tokens;
}

Counts counted(const std::vector<std::string>& tokens) {
  Counts counts;
  for (const std::string& token : tokens) ++counts[token];
  return counts;
}

Counts runs_of(std::string_view text, std::size_t length) {
  Counts counts;
  for (std::size_t i = 0; i + length <= text.size(); ++i)
    ++counts[std::string(text.substr(i, length))];
  return counts;
}

double total(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), 0.0,
                         [](double sum, const auto& one) { return sum + one.second; });
}

// The sum of `of(count in a, count in b)` over what both have.
template <typename Of>
double over_common(const Counts& a, const Counts& b, const Of& of) {
  double sum = 0.0;
  for (const auto& [key, count] : a) {
    if (const auto found = b.find(key); found != b.end()) sum += of(count, found->second);
  }
  return sum;
}

}  // namespace

std::size_t levenshtein(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

double levenshtein_similarity(std::string_view a, std::string_view b) {
  const std::size_t longer = std::max(a.size(), b.size());
  if (longer == 0) return 1.0;
  return 1.0 - static_cast<double>(levenshtein(a, b)) / static_cast<double>(longer);
}

double rouge_l(std::string_view a, std::string_view b) {
  const auto first = tokens_of(a), second = tokens_of(b);
  if (first.empty() && second.empty()) return 1.0;
  std::vector<std::size_t> row(second.size() + 1);
  for (const std::string& token : first) {
    std::size_t diagonal = 0;
    for (std::size_t j = 0; j < second.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = token == second[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return 2.0 * static_cast<double>(row.back()) / static_cast<double>(first.size() + second.size());
}

double token_jaccard(std::string_view a, std::string_view b) {
  const Counts first = counted(tokens_of(a)), second = counted(tokens_of(b));
  const double common = over_common(first, second, [](double, double) { return 1.0; });
  const double all = static_cast<double>(first.size() + second.size()) - common;
  return all > 0.0 ? common / all : 1.0;
}

double token_cosine(std::string_view a, std::string_view b) {
  const Counts first = counted(tokens_of(a)), second = counted(tokens_of(b));
  const auto product = [](double x, double y) { return x * y; };
  const double lengths = over_common(first, first, product) * over_common(second, second, product);
  return lengths > 0.0 ? over_common(first, second, product) / std::sqrt(lengths) : 0.0;
}

double chrf(std::string_view reference, std::string_view text) {
  const auto dense = [](std::string_view spaced) {
    std::string out;
    std::ranges::copy_if(spaced, std::back_inserter(out), [](char c) { return !is_space(c); });
    return out;
  };
  const std::string known = dense(reference), made = dense(text);
  double precision = 0.0, recall = 0.0;
  for (std::size_t length = 1; length <= kLongestRun; ++length) {
    const Counts of_known = runs_of(known, length), of_made = runs_of(made, length);
    if (of_known.empty() || of_made.empty()) break;
    const double common =
        over_common(of_known, of_made, [](double x, double y) { return std::min(x, y); });
    precision += common / total(of_made);
    recall += common / total(of_known);
  }
  // Both are sums, so their mean over the lengths is taken at the end.
  const auto lengths =
      static_cast<double>(std::min({kLongestRun, std::max<std::size_t>(known.size(), 1),
                                    std::max<std::size_t>(made.size(), 1)}));
  if (precision + recall <= 0.0) return 0.0;
  return (1.0 + kRecallWeight) * precision * recall / (kRecallWeight * precision + recall) /
         lengths;
}

}  // namespace understudy::bench

#include "metrics/family_lines.h"

#include <algorithm>
#include <set>
#include <utility>

namespace understudy::metrics {
namespace {

constexpr std::size_t kMostOfAPrompt = 48;  // lines
constexpr std::size_t kFewestWords = 4;
constexpr std::uint32_t kHalveAt = 512;  // requests

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// What fills a template has figures, addresses or markup; so has no line that is shown.
bool is_plain(std::string_view line) {
  if (line.empty() || line.size() > FamilyLines::kMaxLineBytes) return false;
  if (line.find_first_of("0123456789@<>`{}\\") != line.npos) return false;
  if (line.find("://") != line.npos) return false;
  return std::ranges::count(line, ' ') + 1 >= static_cast<std::ptrdiff_t>(kFewestWords);
}

// Lines and sentences, each once.
void collect(std::string_view text, std::set<std::string_view>& into) {
  for (std::size_t at = 0; at < text.size() && into.size() < kMostOfAPrompt;) {
    std::size_t end = at;
    while (end < text.size() && text[end] != '\n') {
      const bool ends_sentence = text[end] == '.' || text[end] == '?' || text[end] == '!';
      if (ends_sentence && end + 1 < text.size() && text[end + 1] == ' ') break;
      ++end;
    }
    const std::size_t past = std::min(text.size(), end + 1);
    if (const auto line = trimmed(text.substr(at, past - at)); is_plain(line)) into.insert(line);
    at = past;
  }
}

}  // namespace

void FamilyLines::learn(std::string_view family, const PromptText& prompt) {
  auto known = families_.find(family);
  if (known == families_.end()) {
    if (families_.size() == FamilyMiner::kMaxFamilies) return;
    known = families_.try_emplace(std::string(family)).first;
  }
  Family& of = known->second;
  std::set<std::string_view> seen;
  collect(prompt.system, seen);
  collect(prompt.user, seen);
  if (++of.requests >= kHalveAt) {
    of.requests /= 2;
    for (Counted& one : of.lines) one.count /= 2;
  }
  bool lacks_room = false;
  for (const std::string_view line : seen) {
    const auto counted = std::ranges::find(of.lines, line, &Counted::line);
    if (counted != of.lines.end()) {
      ++counted->count;
    } else if (of.lines.size() < kMaxLines) {
      of.lines.push_back({std::string(line), 1});
    } else {
      lacks_room = true;
    }
  }
  if (lacks_room) {
    for (Counted& one : of.lines) one.count -= std::min(one.count, 1u);
  }
  std::erase_if(of.lines, [](const Counted& one) { return one.count == 0; });
}

FamilyLines::Lines FamilyLines::lines() const {
  Lines found;
  for (const auto& [name, family] : families_) {
    if (family.requests < kFewestRequests || family.lines.empty()) continue;
    const Counted& most = *std::ranges::max_element(
        family.lines, {}, [](const Counted& one) { return std::pair(one.count, one.line.size()); });
    if (2 * most.count >= family.requests) found.emplace(name, most.line);
  }
  return found;
}

}  // namespace understudy::metrics

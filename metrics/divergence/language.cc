#include "metrics/divergence/language.h"

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

#include <algorithm>
#include <string>

#include "metrics/divergence/answer_profile.h"
#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

constexpr std::size_t kMaxProse = 300;
constexpr std::size_t kFewestLetters = 40;
constexpr std::size_t kMaxSearched = 16u << 10;

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

bool is_url(std::string_view word) noexcept {
  return word.find("://") != std::string_view::npos || word.starts_with("www.");
}

// Lines of a text without code and tables, words without addresses and marks.
std::string prose_of(std::string_view text) {
  std::string prose;
  bool in_code = false;
  text = text.substr(0, kMaxSearched);
  while (!text.empty() && prose.size() < kMaxProse) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.starts_with("```")) in_code = !in_code;
    if (in_code || line.starts_with("```") || line.starts_with('|')) continue;
    while (!line.empty() && prose.size() < kMaxProse) {
      const std::string_view word = line.substr(0, line.find(' '));
      line.remove_prefix(std::min(line.size(), word.size() + 1));
      if (is_url(word) || word.find('`') != std::string_view::npos) continue;
      prose.append(word.substr(0, kMaxProse)).push_back(' ');
    }
  }
  return prose;
}

bool begins_like_data(std::string_view text) noexcept {
  const std::size_t at = text.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos || text[at] == '{' || text[at] == '[' || text[at] == '<';
}

}  // namespace

std::string_view language_of(std::string_view text) {
  if (begins_like_data(text)) return {};
  const std::string prose = prose_of(text);
  if (static_cast<std::size_t>(std::count_if(prose.begin(), prose.end(), is_letter)) <
      kFewestLetters) {
    return {};
  }
  const CLD2::CLDHints hints{nullptr, nullptr, CLD2::UNKNOWN_ENCODING, CLD2::UNKNOWN_LANGUAGE};
  CLD2::Language languages[3];
  int percents[3];
  double scores[3];
  int bytes = 0;
  int valid = 0;
  bool reliable = false;
  const CLD2::Language language = CLD2::ExtDetectLanguageSummaryCheckUTF8(
      prose.data(), static_cast<int>(prose.size()), true, &hints, 0, languages, percents, scores,
      nullptr, &bytes, &reliable, &valid);
  if (!reliable || language == CLD2::UNKNOWN_LANGUAGE) return {};
  return CLD2::LanguageCode(language);
}

std::optional<Finding> language(const Pair& pair) {
  if (!both_answered(pair)) return std::nullopt;
  const std::string_view here = pair.served_text.language();
  const std::string_view there = pair.other_text.language();
  if (here.empty() || there.empty()) return std::nullopt;
  Finding finding{.signal = Signal::language, .diverges = here != there};
  const AnswerProfile* profile = pair.expected.profile;
  std::string_view wanted = profile != nullptr ? profile->language() : "";
  if (wanted.empty()) wanted = pair.expected.language();
  if (!wanted.empty()) {
    finding.served_bad = here != wanted;
    finding.other_bad = there != wanted;
  }
  if (finding.diverges) finding.detail = "language_switched";
  return finding;
}

}  // namespace understudy::metrics::divergence

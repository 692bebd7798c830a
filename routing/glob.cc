#include "routing/glob.h"

namespace understudy::routing {

Glob::Glob(std::string_view pattern) {
  for (std::size_t star = pattern.find('*'); star != pattern.npos; star = pattern.find('*')) {
    pieces_.emplace_back(pattern.substr(0, star));
    pattern.remove_prefix(star + 1);
  }
  pieces_.emplace_back(pattern);
}

bool Glob::matches(std::string_view text) const noexcept {
  const std::string& first = pieces_.front();
  const std::string& last = pieces_.back();
  if (pieces_.size() == 1) return text == first;
  if (text.size() < first.size() + last.size()) return false;
  if (!text.starts_with(first) || !text.ends_with(last)) return false;
  text.remove_prefix(first.size());
  text.remove_suffix(last.size());
  // The leftmost place for each piece leaves the most for those behind it.
  for (std::size_t i = 1; i + 1 < pieces_.size(); ++i) {
    const std::size_t at = text.find(pieces_[i]);
    if (at == text.npos) return false;
    text.remove_prefix(at + pieces_[i].size());
  }
  return true;
}

}  // namespace understudy::routing

#include "proxy/aws/xml_text.h"

#include <algorithm>
#include <array>
#include <vector>

namespace understudy::proxy::aws {
namespace {

constexpr std::size_t kMaxDepth = 32;
constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string_view without_prefix(std::string_view name) {
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

// Predefined entities alone: STS's values are ASCII.
std::optional<std::string> unescaped(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, char>, 5> kEntities{
      {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    out.append(text.substr(0, end));
    text.remove_prefix(end);
    if (text.empty()) break;
    const auto* const entity =
        std::find_if(kEntities.begin(), kEntities.end(),
                     [text](const auto& known) { return text.starts_with(known.first); });
    if (entity == kEntities.end()) return std::nullopt;
    out.push_back(entity->second);
    text.remove_prefix(entity->first.size());
  }
  return out;
}

// Walks from tag to tag with a stack of the elements it is in.
class Walker {
 public:
  Walker(std::string_view document, std::initializer_list<std::string_view> path)
      : rest_(document), path_(path) {}

  std::optional<std::string> find() {
    while (true) {
      const std::size_t open = rest_.find('<');
      if (open == std::string_view::npos) return std::nullopt;
      const std::string_view text = rest_.substr(0, open);
      rest_.remove_prefix(open);
      if (skip("<?", "?>") || skip("<!--", "-->")) continue;
      const std::size_t close = rest_.find('>');
      if (close == std::string_view::npos || rest_[1] == '!') return std::nullopt;
      const std::string_view tag = rest_.substr(1, close - 1);
      rest_.remove_prefix(close + 1);
      if (tag.starts_with('/')) {
        if (stack_.empty() || trim(tag.substr(1)) != stack_.back()) return std::nullopt;
        if (is_there_ && stack_.size() == path_.size()) return unescaped(trim(text));
        stack_.pop_back();
      } else if (is_there_ || !enter(tag)) {
        return std::nullopt;
      }
    }
  }

 private:
  bool skip(std::string_view begin, std::string_view end) {
    if (!rest_.starts_with(begin)) return false;
    const std::size_t at = rest_.find(end, begin.size());
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + end.size());
    return true;
  }

  bool enter(std::string_view tag) {
    const std::string_view name = tag.substr(0, tag.find_first_of(" \t\r\n/"));
    if (name.empty() || stack_.size() == kMaxDepth) return false;
    if (tag.ends_with('/')) return true;  // empty: nothing to find in it
    stack_.push_back(name);
    is_there_ =
        stack_.size() == path_.size() &&
        std::equal(path_.begin(), path_.end(), stack_.begin(),
                   [](std::string_view a, std::string_view b) { return a == without_prefix(b); });
    return true;
  }

  std::string_view rest_;
  const std::vector<std::string_view> path_;
  std::vector<std::string_view> stack_;
  bool is_there_ = false;
};

}  // namespace

std::optional<std::string> xml_text(std::string_view document,
                                    std::initializer_list<std::string_view> path) {
  return Walker(document, path).find();
}

}  // namespace understudy::proxy::aws

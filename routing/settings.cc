#include "routing/settings.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>
#include <utility>

#include "routing/hash.h"

namespace understudy::routing {
namespace {

constexpr std::size_t kMaxShownBytes = 160;  // of a value
constexpr std::size_t kMaxToldOfElement = 8;
constexpr std::string_view kRouteOrder = "routes order";

// By what a key's path ends with. A command may carry a password, a webhook's URL is one.
constexpr std::array<std::string_view, 12> kHidden{
    ".access_key_id",  ".secret_access_key", ".session_token",        ".token",
    ".external_id",    ".command",           "events.webhook.url",    ".headers.authorization",
    ".headers.cookie", ".headers.x-api-key", ".headers.x-auth-token", "evidence.prometheus.url"};

using ByKey = std::unordered_map<std::string_view, const Setting*>;
using Elements = std::set<std::string_view, std::less<>>;

ByKey by_key(const Settings& settings) {
  ByKey found;
  for (const Setting& setting : settings) found.emplace(setting.key, &setting);
  return found;
}

// Calls with "routes[sonnet]" and "routes[sonnet].canary.stages[0]" of a key within them.
template <typename Visit>
void for_each_element(std::string_view key, Visit visit) {
  for (std::size_t at = key.find(']'); at != key.npos; at = key.find(']', at + 1))
    visit(key.substr(0, at + 1));
}

Elements elements_of(const Settings& settings) {
  Elements all;
  for (const Setting& setting : settings)
    for_each_element(setting.key, [&](std::string_view element) { all.insert(element); });
  return all;
}

// The outermost element that holds the key and that the others lack; empty where there is none.
std::string_view new_element(std::string_view key, const Elements& others) {
  std::string_view outermost;
  for_each_element(key, [&](std::string_view element) {
    if (outermost.empty() && !others.contains(element)) outermost = element;
  });
  return outermost;
}

std::string printable(std::string_view text) {
  std::string clean(text.substr(0, kMaxShownBytes));
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (text.size() > kMaxShownBytes) clean += "...";
  return clean;
}

std::string value_text(std::string_view value, bool hidden) {
  if (value.empty()) return "(none)";
  return hidden ? "(hidden)" : printable(value);
}

std::string change_text(const Setting& shown, const std::string& before, const std::string& after) {
  const std::string key = printable(shown.key);
  if (!shown.hidden)
    return key + ": " + value_text(before, false) + " -> " + value_text(after, false);
  if (before.empty()) return key + ": set";
  return key + (after.empty() ? ": removed" : ": another value");
}

// What an element brings that is no default.
std::string summary_of(std::string_view element, const Settings& settings) {
  std::string text;
  std::size_t told = 0;
  for (const Setting& setting : settings) {
    if (!setting.key.starts_with(element) || setting.value == setting.fallback) continue;
    if (++told > kMaxToldOfElement) return text + ", ...";
    const std::string_view rest = std::string_view(setting.key).substr(element.size());
    text.append(text.empty() ? "" : ", ")
        .append(printable(rest.starts_with('.') ? rest.substr(1) : rest))
        .append(" ")
        .append(value_text(setting.value, setting.hidden));
  }
  return text;
}

class Comparison {
 public:
  Comparison(const Settings& before, const Settings& after)
      : before_(before), after_(after), was_(by_key(before)), is_(by_key(after)) {}

  std::vector<SettingChange> run() && {
    const Elements elements_before = elements_of(before_), elements_after = elements_of(after_);
    for (const Setting& now : after_) {
      if (now.key == kRouteOrder) {
        compare_order(now);
      } else if (const auto old = was_.find(now.key); old != was_.end()) {
        compare(now, old->second->value, now.value);
      } else if (const auto element = new_element(now.key, elements_before); !element.empty()) {
        tell_element(element, "added", after_);
      } else {
        compare(now, now.fallback, now.value);
      }
    }
    for (const Setting& old : before_) {
      if (is_.contains(old.key) || old.key == kRouteOrder) continue;
      if (const auto element = new_element(old.key, elements_after); !element.empty()) {
        tell_element(element, "removed", before_);
      } else {
        compare(old, old.value, old.fallback);
      }
    }
    return std::move(changes_);
  }

 private:
  void compare(const Setting& shown, const std::string& before, const std::string& after) {
    if (before != after) changes_.push_back({shown.key, change_text(shown, before, after)});
  }

  void tell_element(std::string_view element, std::string_view what, const Settings& settings) {
    if (!told_.insert(element).second) return;
    std::string text = printable(element) + ": " + std::string(what);
    if (what == "added") {
      if (const std::string summary = summary_of(element, settings); !summary.empty())
        text += " (" + summary + ")";
    }
    changes_.push_back({std::string(element), std::move(text)});
  }

  // Names that both have, in either order; "a, b".
  static std::vector<std::string_view> names(std::string_view list) {
    std::vector<std::string_view> all;
    while (!list.empty()) {
      const std::size_t end = std::min(list.find(", "), list.size());
      all.push_back(list.substr(0, end));
      list.remove_prefix(std::min(end + 2, list.size()));
    }
    return all;
  }
  void compare_order(const Setting& now) {
    const auto old = was_.find(now.key);
    if (old == was_.end()) return;
    auto before = names(old->second->value), after = names(now.value);
    const Elements had(before.begin(), before.end()), has(after.begin(), after.end());
    std::erase_if(before, [&](std::string_view name) { return !has.contains(name); });
    std::erase_if(after, [&](std::string_view name) { return !had.contains(name); });
    if (before != after)
      changes_.push_back({now.key, change_text(now, old->second->value, now.value)});
  }

  const Settings& before_;
  const Settings& after_;
  const ByKey was_, is_;
  std::vector<SettingChange> changes_;
  Elements told_;
};

}  // namespace

bool is_hidden(std::string_view key) noexcept {
  return std::ranges::any_of(kHidden, [&](std::string_view end) { return key.ends_with(end); });
}

Setting make_setting(std::string key, std::string value, std::string fallback) {
  const bool hidden = is_hidden(key);
  if (hidden) {
    if (!value.empty()) value = hex(hash64(value));
    fallback.clear();
  }
  return {std::move(key), std::move(value), std::move(fallback), hidden};
}

std::vector<SettingChange> changes_between(const Settings& before, const Settings& after) {
  return Comparison(before, after).run();
}

std::vector<std::string> change_texts(const std::vector<SettingChange>& changes, std::size_t most,
                                      std::size_t max_bytes) {
  std::vector<std::string> texts;
  std::size_t bytes = 0;
  for (const SettingChange& change : changes) {
    if (texts.size() == most || bytes + change.text.size() > max_bytes) {
      texts.push_back("and " + std::to_string(changes.size() - texts.size()) + " more");
      break;
    }
    bytes += change.text.size();
    texts.push_back(change.text);
  }
  return texts;
}

}  // namespace understudy::routing

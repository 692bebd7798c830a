#pragma once
// A config key by key, as it takes effect: defaults filled in, names in the place of numbers,
// values in one spelling. What two configs differ in follows from two such lists, whoever has read
// them. Plain values.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::routing {

struct Setting {
  std::string key;       // "routes[sonnet].shadow.percent"
  std::string value;     // in force. Of a hidden one a hash, which is never shown
  std::string fallback;  // what holds where the key is left out
  bool hidden = false;   // a secret, or what may hold one
  friend bool operator==(const Setting&, const Setting&) = default;
};
using Settings = std::vector<Setting>;  // in the order of reading; each key once

// Keys whose values are never shown, by the end of their path.
bool is_hidden(std::string_view key) noexcept;
Setting make_setting(std::string key, std::string value, std::string fallback);

struct SettingChange {
  std::string key;
  std::string text;  // the whole change for people: "routes[sonnet].shadow.percent: 10 -> 0"
  friend bool operator==(const SettingChange&, const SettingChange&) = default;
};

// Every key that takes effect in another way, in the order of `after` and then of `before`. An
// element of a list that came or went is one change, and so is a list of routes in another order.
// Control characters and long values do not get into the text.
std::vector<SettingChange> changes_between(const Settings& before, const Settings& after);

// The texts of at most `most` changes in at most `max_bytes`, and how many more there are.
std::vector<std::string> change_texts(const std::vector<SettingChange>& changes,
                                      std::size_t most = 100, std::size_t max_bytes = 8u << 10);

}  // namespace understudy::routing

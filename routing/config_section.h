#pragma once
// What the readers of the config's sections share: what they find, and a view of one map that knows
// which of its keys were asked for, so that those nobody asked for can be reported. Whatever is
// read is noted as a setting, so that two configs can be compared without a list of all keys.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "routing/config_loader.h"
#include "routing/config_node.h"
#include "routing/config_values.h"
#include "routing/settings.h"

namespace understudy::routing {

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(Place place, std::string key, std::string what);
  void warn(Place place, std::string key, std::string what);
  bool has_errors() const noexcept;
  std::vector<ConfigProblem> in_file_order() &&;

  // What takes effect, beside what is wrong.
  void note(Setting setting) { settings_.push_back(std::move(setting)); }
  const Settings& settings() const noexcept { return settings_; }

 private:
  std::string file_;
  std::vector<ConfigProblem> problems_;
  Settings settings_;
};

// " (did you mean x?)" for the nearest of `names`, or nothing where none is near.
std::string suggestion(std::string_view written, const std::vector<std::string>& names);
// The same; where none is near, " (there are a, b)": all of a short list.
std::string suggestion_or_all(std::string_view written, const std::vector<std::string>& names);
// Whether a text begins as `key:value` does: YAML takes that for one word.
bool lacks_space_after_colon(std::string_view text);

template <class T>
Parsed<T> out_of_bounds(const std::string& least, const std::string& most, std::string_view got) {
  return bad<T>("must be between " + least + " and " + most + ", got " + shown(got));
}

// A value in one spelling, whoever wrote it; none: it is shown as it stands in the file.
template <class T>
std::optional<std::string> spelled(std::string_view key, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    const bool is_size = key.ends_with("bytes") || key.ends_with("bytes_per_second");
    return is_size ? size_text(value) : std::to_string(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<T, milliseconds>) {
    return duration_text(value);
  } else if constexpr (std::is_same_v<T, Percent>) {
    return percent_text(value);
  } else {
    return std::nullopt;
  }
}

class Section {
 public:
  // Reports a node that is no map; the section is then empty.
  Section(const ConfigNode& node, std::string path, Problems& problems);

  // The value of a key that may be left out. Null where it is, or where it was refused already.
  const ConfigNode* find(std::string_view key);
  // The same, reporting a value that is no list.
  const ConfigNode* find_list(std::string_view key);
  // Reports a key that is left out; true where it is there.
  bool require(std::string_view key);
  // Keys of features that this version does not have: refused, never ignored.
  void not_yet(std::initializer_list<std::string_view> keys);
  // Reports the keys that nobody asked for, and notes those that were read by other means. Call it
  // last.
  void finish();
  // A setting that does not follow from one read key.
  void note(std::string_view key, std::string value, std::string fallback);

  // Reads a key that may be left out with one of the parsers of config_values.h; true where `out`
  // was set.
  template <class T, class Parse>
  bool read(std::string_view key, T& out, Parse parse) {
    const ConfigNode* value = find(key);
    const T before = out;
    const bool is_set = value != nullptr && read_scalar(*value, path_of(key), out, parse);
    note_value(key, out, before, is_set ? value->text : std::string());
    return is_set;
  }

  // A list of such values. An empty list is a problem: it would look like "none" and mean "any".
  template <class T, class Parse>
  void read_list(std::string_view key, std::vector<T>& out, Parse parse) {
    const ConfigNode* list = find_list(key);
    if (list == nullptr) return;
    if (list->items.empty()) problems_.add(list->place, path_of(key), "must not be empty");
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      T value{};
      if (read_scalar(list->items[i], path_of(key, i), value, parse))
        out.push_back(std::move(value));
    }
    std::string text;
    for (const ConfigNode& item : list->items)
      text.append(text.empty() ? "" : ", ").append(item.text);
    note(key, std::move(text), "");
  }

  void problem(std::string_view key,
               std::string what);  // at the key's value, or else at the section
  // A warning, at the same place.
  void warning(std::string_view key, std::string what);
  std::string path_of(std::string_view key) const;
  std::string path_of(std::string_view key, std::size_t index) const;
  const std::string& path() const noexcept { return path_; }
  Place place() const noexcept { return node_.place; }
  Problems& problems() noexcept { return problems_; }

 private:
  template <class T, class Parse>
  bool read_scalar(const ConfigNode& value, const std::string& path, T& out, Parse parse) {
    if (!is_scalar(value, path)) return false;
    auto parsed = parse(std::string_view(value.text));
    if (!parsed.value) {
      problems_.add(value.place, path, std::move(parsed.problem));
      return false;
    }
    out = std::move(*parsed.value);
    return true;
  }
  bool is_scalar(const ConfigNode& value, const std::string& path);
  template <class T>
  void note_value(std::string_view key, const T& now, const T& before, std::string written) {
    constexpr std::string_view kDefault = "(default)";
    if (const auto text = spelled(key, now)) {
      note(key, *text, *spelled(key, before));
    } else {
      note(key, now == before ? std::string(kDefault) : std::move(written), std::string(kDefault));
    }
  }
  bool is_noted(std::string_view path) const noexcept;

  const ConfigNode& node_;
  std::string path_;
  Problems& problems_;
  std::size_t first_setting_;  // of those noted since this section began
  std::vector<std::string> known_;
};

// Parsers with bounds, for Section::read.
template <class T = std::size_t>
auto count_between(std::type_identity_t<T> least, std::type_identity_t<T> most) {
  return [=](std::string_view text) -> Parsed<T> {
    const Parsed<std::uint64_t> parsed = parse_count(text);
    if (!parsed.value) return bad<T>(parsed.problem);
    if (*parsed.value >= least && *parsed.value <= most) return good(static_cast<T>(*parsed.value));
    return out_of_bounds<T>(std::to_string(least), std::to_string(most), text);
  };
}
inline auto duration_between(milliseconds least, milliseconds most) {
  return [=](std::string_view text) -> Parsed<milliseconds> {
    Parsed<milliseconds> parsed = parse_duration(text);
    if (!parsed.value || (*parsed.value >= least && *parsed.value <= most)) return parsed;
    return out_of_bounds<milliseconds>(duration_text(least), duration_text(most), text);
  };
}
// The kernel counts it in whole seconds, and asks again every quarter of it.
inline auto tcp_keep_alive_between() {
  return duration_between(std::chrono::seconds(4), std::chrono::hours(1));
}
inline auto size_between(std::size_t least, std::size_t most) {
  return [=](std::string_view text) -> Parsed<std::size_t> {
    Parsed<std::size_t> parsed = parse_size(text);
    if (!parsed.value || (*parsed.value >= least && *parsed.value <= most)) return parsed;
    return out_of_bounds<std::size_t>(size_text(least), size_text(most), text);
  };
}

}  // namespace understudy::routing

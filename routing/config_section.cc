#include "routing/config_section.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace understudy::routing {
namespace {

// Levenshtein's distance: inserted, removed and replaced letters.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string_view kind_name(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::null:
      return "nothing";
    case ConfigNode::Kind::scalar:
      return "a single value";
    case ConfigNode::Kind::list:
      return "a list";
    case ConfigNode::Kind::map:
      return "a map";
  }
  return "nothing";
}

std::string wrong_kind(std::string_view wanted, const ConfigNode& node) {
  std::string what = std::string("must be ").append(wanted).append(", got ");
  what.append(kind_name(node));
  if (wanted == "a list" && node.kind == ConfigNode::Kind::map)
    what += ": each of its items begins with `- `";
  if (wanted == "a map" && lacks_space_after_colon(node.text))
    what += " (is a space missing after the colon?)";
  return what;
}

}  // namespace

void Problems::add(Place place, std::string key, std::string what) {
  problems_.push_back({file_, place.line, place.column, std::move(key), std::move(what), false});
}

void Problems::warn(Place place, std::string key, std::string what) {
  problems_.push_back({file_, place.line, place.column, std::move(key), std::move(what), true});
}

bool Problems::has_errors() const noexcept {
  return std::ranges::any_of(problems_, [](const ConfigProblem& p) { return !p.warning; });
}

std::vector<ConfigProblem> Problems::in_file_order() && {
  std::ranges::stable_sort(problems_, {}, [](const ConfigProblem& problem) {
    return std::tuple(problem.line, problem.column);
  });
  return std::move(problems_);
}

std::string suggestion(std::string_view written, const std::vector<std::string>& names) {
  if (written.size() > 64) return {};
  const std::string* nearest = nullptr;
  std::size_t fewest = written.size() / 3 + 2;  // more edits make another word
  for (const std::string& name : names) {
    // A beginning ("max_body" of "max_body_bytes") is near, however much is missing.
    const bool begins = written.size() >= 3 && name.starts_with(written);
    const std::size_t edits = begins ? 1 : edits_between(written, name);
    if (edits >= fewest || edits >= name.size()) continue;
    fewest = edits;
    nearest = &name;
  }
  return nearest == nullptr ? std::string() : " (did you mean " + *nearest + "?)";
}

std::string suggestion_or_all(std::string_view written, const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 20;
  std::string text = suggestion(written, names);
  if (!text.empty() || names.empty() || names.size() > kMost) return text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return (names.size() == 1 ? " (there is " : " (there are ") + text + ")";
}

bool lacks_space_after_colon(std::string_view text) {
  const std::size_t word = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_");
  return word != text.npos && word > 0 && text[word] == ':' && word + 1 < text.size() &&
         text[word + 1] != ' ' && text[word + 1] != '/';
}

Section::Section(const ConfigNode& node, std::string path, Problems& problems)
    : node_(node),
      path_(std::move(path)),
      problems_(problems),
      first_setting_(problems.settings().size()) {
  if (node.kind != ConfigNode::Kind::map && !node.refused) {
    problems_.add(node.place, path_, wrong_kind("a map", node));
  }
}

const ConfigNode* Section::find(std::string_view key) {
  known_.emplace_back(key);
  const ConfigMember* member = node_.find(key);
  return member == nullptr || member->value.refused ? nullptr : &member->value;
}

const ConfigNode* Section::find_list(std::string_view key) {
  const ConfigNode* value = find(key);
  if (value == nullptr || value->kind == ConfigNode::Kind::list) return value;
  problems_.add(value->place, path_of(key), wrong_kind("a list", *value));
  return nullptr;
}

bool Section::require(std::string_view key) {
  known_.emplace_back(key);
  if (node_.find(key) != nullptr) return true;
  if (node_.kind == ConfigNode::Kind::map) {
    problems_.add(node_.place, path_of(key), "is missing");
  }
  return false;
}

void Section::not_yet(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    const ConfigMember* member = node_.find(key);
    if (member == nullptr) continue;
    known_.emplace_back(key);
    problems_.add(member->place, path_of(key), "this version does not have it yet");
  }
}

void Section::finish() {
  for (const ConfigMember& member : node_.members) {
    if (std::ranges::find(known_, member.key) != known_.end()) {
      if (member.value.refused || is_noted(path_of(member.key))) continue;
      const bool scalar = member.value.kind == ConfigNode::Kind::scalar;
      note(member.key, scalar ? member.value.text : to_json(member.value), "(default)");
      continue;
    }
    // What stands behind the colon may be a secret.
    const std::string key = member.key.substr(0, member.key.find(':'));
    const bool known = std::ranges::find(known_, key) != known_.end();
    problems_.add(
        member.place, path_of(shown(key)),
        known ? "needs a space after its colon" : "is not a known key" + suggestion(key, known_));
  }
}

void Section::note(std::string_view key, std::string value, std::string fallback) {
  problems_.note(make_setting(path_of(key), std::move(value), std::move(fallback)));
}

// The key itself, or anything within it.
bool Section::is_noted(std::string_view path) const noexcept {
  const Settings& all = problems_.settings();
  return std::any_of(all.begin() + static_cast<std::ptrdiff_t>(first_setting_), all.end(),
                     [&](const Setting& setting) {
                       if (!setting.key.starts_with(path)) return false;
                       const std::string_view rest =
                           std::string_view(setting.key).substr(path.size());
                       return rest.empty() || rest.front() == '.' || rest.front() == '[';
                     });
}

void Section::problem(std::string_view key, std::string what) {
  const ConfigMember* member = node_.find(key);
  problems_.add(member == nullptr ? node_.place : member->value.place, path_of(key),
                std::move(what));
}

void Section::warning(std::string_view key, std::string what) {
  const ConfigMember* member = node_.find(key);
  problems_.warn(member == nullptr ? node_.place : member->value.place, path_of(key),
                 std::move(what));
}

std::string Section::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + '.' + std::string(key);
}

std::string Section::path_of(std::string_view key, std::size_t index) const {
  return path_of(key) + '[' + std::to_string(index) + ']';
}

bool Section::is_scalar(const ConfigNode& value, const std::string& path) {
  if (value.refused) return false;
  if (value.kind == ConfigNode::Kind::scalar) return true;
  problems_.add(value.place, path, wrong_kind("a single value", value));
  return false;
}

}  // namespace understudy::routing

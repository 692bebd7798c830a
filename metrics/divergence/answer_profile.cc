#include "metrics/divergence/answer_profile.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "metrics/divergence/json_value.h"
#include "metrics/divergence/markdown.h"
#include "metrics/json_reader.h"

namespace understudy::metrics {

namespace {

using divergence::Container;
using divergence::JsonNode;

constexpr int kVersion = 1;

// Beyond free-text lengths a value is a category of its own anyway.
bool is_scalar(const JsonNode& node) noexcept {
  return node.type == divergence::kString || node.type == divergence::kNumber ||
         node.type == divergence::kBoolean;
}

bool is_share(std::uint32_t part, std::uint32_t whole, std::uint32_t percent) noexcept {
  return std::uint64_t{part} * 100 >= std::uint64_t{whole} * percent;
}

void add_value(AnswerProfile::Path& path, std::uint32_t value) noexcept {
  if (path.distinct > AnswerProfile::Path::kMaxValues) return;
  const auto end = path.values.begin() + path.distinct;
  if (std::find(path.values.begin(), end, value) != end) return;
  if (path.distinct < AnswerProfile::Path::kMaxValues) path.values[path.distinct] = value;
  ++path.distinct;
}

}  // namespace

void AnswerProfile::learn(const Observation& primary, const TextTraits& traits) {
  if (primary.error_class != ErrorClass::ok || !primary.answer.parsed) return;
  const std::string& text = primary.answer.text;
  // A turn that calls tools says nothing of how the family answers.
  if (!primary.answer.tool_calls.empty() || text.empty()) return;
  if (++answers_ > kWindow) halve();
  const divergence::JsonForm form = divergence::json_form(text);
  if (form.valid) {
    ++containers_[static_cast<std::size_t>(form.container)];
    learn_keys(form.json);
  }
  if (const auto& answer = traits.final_answer()) {
    ++labels_;
    if (answer->form == divergence::AnswerForm::whole) ++bare_labels_;
  }
  if (divergence::markdown_of(text) != 0) ++with_markdown_;
  learn_language(traits.language());
}

void AnswerProfile::learn_language(std::string_view code) {
  if (code.empty()) return;
  ++in_some_language_;
  const auto known = std::find_if(languages_.begin(), languages_.end(),
                                  [code](const Language& each) { return each.code == code; });
  if (known != languages_.end()) {
    ++known->answers;
  } else if (languages_.size() < kMaxLanguages) {
    languages_.push_back({std::string{code}, 1});
  }
}

void AnswerProfile::learn_keys(std::string_view json) {
  JsonParser parser;
  const auto root = parser.parse(json);
  if (!root) return;
  divergence::FlatJson flat = divergence::flatten(*root);
  if (!flat.whole) return;
  ++keyed_;
  // Places of one path lie together and count as one answer that had it.
  std::stable_sort(flat.nodes.begin(), flat.nodes.end(),
                   [](const JsonNode& a, const JsonNode& b) { return a.path < b.path; });
  std::uint64_t last = 0;
  for (const JsonNode& node : flat.nodes) {
    Path* path = find_or_add(node.path, node.parent);
    if (path == nullptr) continue;
    if (node.path != last) ++path->seen;
    last = node.path;
    ++path->times;
    path->types = static_cast<std::uint8_t>(path->types | node.type);
    if (is_scalar(node))
      add_value(*path, static_cast<std::uint32_t>(divergence::hash_of(node.value)));
  }
}

AnswerProfile::Path* AnswerProfile::find_or_add(std::uint64_t path, std::uint64_t parent) {
  const auto at =
      std::lower_bound(paths_.begin(), paths_.end(), path,
                       [](const Path& each, std::uint64_t wanted) { return each.path < wanted; });
  if (at != paths_.end() && at->path == path) return &*at;
  if (paths_.size() >= kMaxPaths) return nullptr;
  return &*paths_.insert(at, {.path = path, .parent = parent});
}

void AnswerProfile::halve() noexcept {
  for (std::uint32_t* count :
       {&answers_, &keyed_, &labels_, &bare_labels_, &with_markdown_, &in_some_language_}) {
    *count /= 2;
  }
  for (Language& language : languages_) language.answers /= 2;
  std::erase_if(languages_, [](const Language& language) { return language.answers == 0; });
  for (std::uint32_t& count : containers_) count /= 2;
  for (Path& path : paths_) path.seen /= 2;
  // What was seen once makes room for what comes now.
  std::erase_if(paths_, [](const Path& path) { return path.seen == 0; });
}

std::optional<Container> AnswerProfile::container() const noexcept {
  const std::uint32_t json = std::accumulate(containers_.begin(), containers_.end(), 0u);
  if (answers_ < kFewestAnswers || !is_share(json, answers_, 90)) return std::nullopt;
  const auto most = std::max_element(containers_.begin(), containers_.end());
  return static_cast<Container>(most - containers_.begin());
}

bool AnswerProfile::answers_in_labels() const noexcept {
  return answers_ >= kFewestAnswers && is_share(labels_, answers_, 90);
}

bool AnswerProfile::answers_in_bare_labels() const noexcept {
  return answers_ >= kFewestAnswers && is_share(bare_labels_, answers_, 90);
}

std::string_view AnswerProfile::language() const noexcept {
  if (in_some_language_ < kFewestAnswers) return {};
  const auto main = std::find_if(
      languages_.begin(), languages_.end(),
      [this](const Language& each) { return is_share(each.answers, in_some_language_, 90); });
  return main != languages_.end() ? std::string_view{main->code} : std::string_view{};
}

bool AnswerProfile::never_uses_markdown() const noexcept {
  return answers_ >= kFewestAnswers && with_markdown_ == 0;
}

const AnswerProfile::Path* AnswerProfile::find(std::uint64_t path) const noexcept {
  const auto at =
      std::lower_bound(paths_.begin(), paths_.end(), path,
                       [](const Path& each, std::uint64_t wanted) { return each.path < wanted; });
  return at != paths_.end() && at->path == path ? &*at : nullptr;
}

bool AnswerProfile::required(const Path& path) const noexcept {
  return keyed_ >= kFewestAnswers && is_share(path.seen, keyed_, 95);
}

bool AnswerProfile::is_new_value(const Path& path, std::uint64_t value) const noexcept {
  constexpr std::uint32_t kFewestValues = 50;
  if (path.times < kFewestValues || path.distinct > Path::kMaxValues) return false;
  const auto end = path.values.begin() + path.distinct;
  return std::find(path.values.begin(), end, static_cast<std::uint32_t>(value)) == end;
}

nlohmann::json AnswerProfile::to_json() const {
  nlohmann::json paths = nlohmann::json::array();
  for (const Path& path : paths_) {
    nlohmann::json values = nlohmann::json::array();
    for (std::size_t i = 0; i < std::min<std::size_t>(path.distinct, Path::kMaxValues); ++i) {
      values.push_back(path.values[i]);
    }
    paths.push_back({path.path, path.parent, path.seen, path.times, path.types, path.distinct,
                     std::move(values)});
  }
  nlohmann::json languages = nlohmann::json::array();
  for (const Language& language : languages_) {
    languages.push_back({language.code, language.answers});
  }
  return {{"version", kVersion},
          {"bare_labels", bare_labels_},
          {"in_some_language", in_some_language_},
          {"languages", std::move(languages)},
          {"answers", answers_},
          {"containers", containers_},
          {"keyed", keyed_},
          {"labels", labels_},
          {"with_markdown", with_markdown_},
          {"paths", std::move(paths)}};
}

namespace {

AnswerProfile::Path read_path(const nlohmann::json& json) {
  AnswerProfile::Path path;
  path.path = json.at(0).get<std::uint64_t>();
  path.parent = json.at(1).get<std::uint64_t>();
  path.seen = json.at(2).get<std::uint32_t>();
  path.times = json.at(3).get<std::uint32_t>();
  path.types = json.at(4).get<std::uint8_t>();
  path.distinct = json.at(5).get<std::uint8_t>();
  const nlohmann::json& values = json.at(6);
  if (path.distinct > AnswerProfile::Path::kMaxValues + 1 ||
      values.size() != std::min<std::size_t>(path.distinct, AnswerProfile::Path::kMaxValues)) {
    throw nlohmann::json::other_error::create(501, "values", nullptr);
  }
  for (std::size_t i = 0; i < values.size(); ++i) path.values[i] = values[i].get<std::uint32_t>();
  return path;
}

}  // namespace

std::optional<AnswerProfile> AnswerProfile::from_json(const nlohmann::json& json) {
  try {
    if (json.at("version") != kVersion) return std::nullopt;
    AnswerProfile profile;
    profile.answers_ = json.at("answers").get<std::uint32_t>();
    profile.containers_ = json.at("containers").get<decltype(profile.containers_)>();
    profile.keyed_ = json.at("keyed").get<std::uint32_t>();
    profile.labels_ = json.at("labels").get<std::uint32_t>();
    profile.with_markdown_ = json.at("with_markdown").get<std::uint32_t>();
    profile.bare_labels_ = json.at("bare_labels").get<std::uint32_t>();
    profile.in_some_language_ = json.at("in_some_language").get<std::uint32_t>();
    const nlohmann::json& languages = json.at("languages");
    if (!languages.is_array() || languages.size() > kMaxLanguages) return std::nullopt;
    for (const nlohmann::json& language : languages) {
      profile.languages_.push_back(
          {language.at(0).get<std::string>().substr(0, 16), language.at(1).get<std::uint32_t>()});
    }
    const nlohmann::json& paths = json.at("paths");
    if (!paths.is_array() || paths.size() > kMaxPaths) return std::nullopt;
    if (profile.answers_ > kWindow) return std::nullopt;
    for (const nlohmann::json& path : paths) profile.paths_.push_back(read_path(path));
    const auto before = [](const Path& a, const Path& b) { return a.path < b.path; };
    if (!std::is_sorted(profile.paths_.begin(), profile.paths_.end(), before)) return std::nullopt;
    return profile;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace understudy::metrics

#include "metrics/lifecycle.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "metrics/pricing.h"
#include "routing/day.h"

namespace understudy::metrics {

std::string built_in_lifecycles();  // generated from lifecycle.json

namespace {

using Json = nlohmann::json;

std::chrono::sys_days read_day(const Json& day) {
  const std::string text = day.get<std::string>();
  if (const auto read = routing::day_from_text(text)) return *read;
  throw std::invalid_argument{"'" + text + "' is no day (YYYY-MM-DD)"};
}

std::optional<std::chrono::sys_days> read_optional_day(const Json& model, const char* key) {
  if (!model.contains(key)) return std::nullopt;
  return read_day(model.at(key));
}

ModelLifecycle read_model(const Json& model, const Json& sources, const std::string& as_of) {
  ModelLifecycle made;
  made.dates = {.launch = read_optional_day(model, "launch"),
                .legacy = read_optional_day(model, "legacy"),
                .extended_access = read_optional_day(model, "extended_access"),
                .end_of_life = read_optional_day(model, "end_of_life"),
                .replacement = model.value("replacement", "")};
  const std::string source = model.value("source", "");
  made.source = sources.is_object() ? sources.value(source, source) : source;
  made.checked = model.value("checked", as_of);
  return made;
}

std::shared_ptr<const Lifecycles> read_file(std::string_view text) {
  const Json json = Json::parse(text);
  const std::string as_of = json.at("as_of").get<std::string>();
  read_day(json.at("as_of"));
  const Json sources = json.value("sources", Json::object());
  Lifecycles::Table table;
  for (const Json& entry : json.at("models")) {
    const std::string name = entry.at("model").get<std::string>();
    try {
      if (!table.emplace(canonical_model(name), read_model(entry, sources, as_of)).second) {
        throw std::invalid_argument{"the model stands there twice"};
      }
    } catch (const std::exception& problem) {
      throw std::invalid_argument{"model '" + name + "': " + problem.what()};
    }
  }
  return std::make_shared<const Lifecycles>(as_of, std::move(table));
}

bool begun(const std::optional<std::chrono::sys_days>& since, std::chrono::sys_days day) noexcept {
  return since && *since <= day;
}

}  // namespace

std::string_view label(ModelState state) noexcept {
  switch (state) {
    case ModelState::unknown:
      return "unknown";
    case ModelState::active:
      return "active";
    case ModelState::legacy:
      return "legacy";
    case ModelState::extended:
      return "extended";
    case ModelState::ended:
      return "ended";
  }
  return "unknown";
}

ModelState state_on(const routing::ModelDates& dates, std::chrono::sys_days day) noexcept {
  if (begun(dates.end_of_life, day)) return ModelState::ended;
  if (begun(dates.extended_access, day)) return ModelState::extended;
  if (begun(dates.legacy, day)) return ModelState::legacy;
  return ModelState::active;
}

std::shared_ptr<const Lifecycles> Lifecycles::built_in() {
  static const auto lifecycles = read_file(built_in_lifecycles());
  return lifecycles;
}

std::variant<std::shared_ptr<const Lifecycles>, LifecyclesProblem> Lifecycles::from_json(
    std::string_view json, std::string_view file_name) {
  try {
    return read_file(json);
  } catch (const std::exception& problem) {
    return LifecyclesProblem{
        std::string{file_name} + ": " + problem.what() +
        "; correct it or leave `lifecycle.file` out to use the built-in dates"};
  }
}

std::shared_ptr<const Lifecycles> Lifecycles::with(
    const std::map<std::string, routing::ModelDates>& own) const {
  Table table = table_;
  for (const auto& [model, dates] : own)
    table.insert_or_assign(std::string(canonical_model(model)),
                           ModelLifecycle{.dates = dates, .source = "config", .checked = {}});
  return std::make_shared<const Lifecycles>(as_of_, std::move(table));
}

const ModelLifecycle* Lifecycles::find(std::string_view model_id) const {
  const auto found = table_.find(canonical_model(model_id));
  return found == table_.end() ? nullptr : &found->second;
}

ModelState Lifecycles::state(std::string_view model_id, std::chrono::sys_days day) const {
  const ModelLifecycle* found = find(model_id);
  return found == nullptr ? ModelState::unknown : state_on(found->dates, day);
}

}  // namespace understudy::metrics

#include "proxy/lifecycle_posts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "metrics/pricing.h"
#include "metrics/state_file.h"
#include "proxy/log.h"
#include "routing/day.h"
#include "routing/model_id.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using std::chrono::sys_days;
using Day = std::optional<sys_days>;

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxEntities = 256;
constexpr std::size_t kMaxModelBytes = 256;
constexpr std::size_t kMaxCodeBytes = 128;
constexpr int kVersion = 1;
constexpr std::uintmax_t kMaxFileBytes = 1u << 20;

struct Problem : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// What is quoted comes from outside: printable, and not much of it.
std::string shown(std::string_view text) {
  std::string clean(text.substr(0, 60));
  std::ranges::replace_if(
      clean, [](char c) { return c < ' ' || c > '~'; }, '?');
  return "\"" + clean + "\"";
}

const json& object_at(const json& holder, const char* key, const std::string& path) {
  const auto found = holder.find(key);
  if (found == holder.end() || !found->is_object()) throw Problem(path + ": must be an object");
  return *found;
}

std::string text_at(const json& holder, const char* key, const std::string& path,
                    std::size_t most) {
  const auto found = holder.find(key);
  if (found == holder.end()) throw Problem(path + ": is missing");
  if (!found->is_string()) throw Problem(path + ": must be text");
  auto text = found->get<std::string>();
  if (text.empty() || text.size() > most)
    throw Problem(path + ": must have 1 to " + std::to_string(most) + " bytes");
  return text;
}

bool is_model_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-._:").find(c) != std::string_view::npos;
}

bool is_code_byte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The model of an affected entity: an id, or an ARN that names one.
std::string model_of(const json& entity, const std::string& path) {
  if (!entity.is_object()) throw Problem(path + ": must be an object");
  const std::string value = text_at(entity, "entityValue", path + ".entityValue", 2048);
  if (routing::foundation_model(value).empty())
    throw Problem(path + ".entityValue: " + shown(value) + " names no foundation model");
  std::string model(metrics::canonical_model(value));
  if (model.size() > kMaxModelBytes || !std::ranges::all_of(model, is_model_byte))
    throw Problem(path + ".entityValue: " + shown(value) + " is no model id");
  return model;
}

std::vector<std::string> models_of(const json& detail) {
  const std::string path = "detail.affectedEntities";
  const auto found = detail.find("affectedEntities");
  if (found == detail.end() || !found->is_array() || found->empty())
    throw Problem(path + ": must be a list of the models");
  if (found->size() > kMaxEntities)
    throw Problem(path + ": must have at most " + std::to_string(kMaxEntities) + " entries");
  std::vector<std::string> models;
  for (std::size_t i = 0; i < found->size(); ++i)
    models.push_back(model_of((*found)[i], path + "[" + std::to_string(i) + "]"));
  std::ranges::sort(models);
  // Not of std::ranges, whose answer clang 14 cannot read in this library.
  models.erase(std::unique(models.begin(), models.end()), models.end());
  return models;
}

bool holds(std::string_view code, std::string_view word) {
  return code.find(word) != std::string_view::npos;
}

// Which date the event's start is, by its code.
Day routing::ModelDates::*date_of(std::string_view code) {
  using Dates = routing::ModelDates;
  if (holds(code, "EXTENDED")) return &Dates::extended_access;
  if (holds(code, "LEGACY")) return &Dates::legacy;
  for (const std::string_view word :
       {"LIFECYCLE", "END_OF_LIFE", "EOL", "DEPRECAT", "RETIRE", "SUNSET"}) {
    if (holds(code, word)) return &Dates::end_of_life;
  }
  return nullptr;
}

sys_days day_at(const json& detail, const char* key) {
  const std::string path = std::string("detail.") + key;
  const std::string text = text_at(detail, key, path, 64);
  if (const Day day = day_from_moment(text)) return *day;
  throw Problem(path + ": " + shown(text) + " is no moment");
}

std::variant<HealthEvent, OtherHealthEvent, HealthEventProblem> read(std::string_view body) {
  const auto shallow = [](int depth, json::parse_event_t, json&) {
    if (depth > kMaxDepth) throw Problem("it is nested deeper than 16 levels");
    return true;
  };
  const json event = json::parse(body, shallow, false);
  if (!event.is_object()) throw Problem("it is no JSON object");
  const std::string source = text_at(event, "source", "source", 256);
  if (source != "aws.health") throw Problem("source: must be aws.health, got " + shown(source));
  const json& detail = object_at(event, "detail", "detail");
  const std::string service = text_at(detail, "service", "detail.service", 64);
  if (service != "BEDROCK") return OtherHealthEvent{"it is an event of " + shown(service)};
  HealthEvent read;
  read.code = text_at(detail, "eventTypeCode", "detail.eventTypeCode", kMaxCodeBytes);
  if (!std::ranges::all_of(read.code, is_code_byte))
    throw Problem("detail.eventTypeCode: " + shown(read.code) + " is no code");
  const auto date = date_of(read.code);
  if (date == nullptr) return OtherHealthEvent{shown(read.code) + " tells of no model's life"};
  read.models = models_of(detail);
  if (const auto status = detail.find("statusCode"); status != detail.end())
    read.over = *status == "closed";
  if (!read.over) read.dates.*date = day_at(detail, "startTime");
  return read;
}

json day_or_null(const Day& day) {
  return day ? json(routing::day_text(*day)) : json();
}

json describe(const std::string& model, const metrics::ModelLifecycle& lifecycle) {
  return {{"model", model},
          {"legacy", day_or_null(lifecycle.dates.legacy)},
          {"extended_access", day_or_null(lifecycle.dates.extended_access)},
          {"end_of_life", day_or_null(lifecycle.dates.end_of_life)},
          {"source", lifecycle.source},
          {"checked", lifecycle.checked}};
}

Day stored_day(const json& object, const char* key) {
  if (!object.at(key).is_string()) return std::nullopt;
  return routing::day_from_text(object.at(key).get<std::string>());
}

metrics::ModelLifecycle stored_lifecycle(const json& object) {
  metrics::ModelLifecycle stored;
  stored.dates.legacy = stored_day(object, "legacy");
  stored.dates.extended_access = stored_day(object, "extended_access");
  stored.dates.end_of_life = stored_day(object, "end_of_life");
  stored.source = object.at("source").get<std::string>();
  stored.checked = object.at("checked").get<std::string>();
  if (stored.source.size() > 512 || stored.checked.size() > 16) throw Problem("too long");
  return stored;
}

// What is told replaces, what is not told stays.
void put_over(routing::ModelDates& dates, const routing::ModelDates& told) {
  using Dates = routing::ModelDates;
  for (const auto date : {&Dates::legacy, &Dates::extended_access, &Dates::end_of_life}) {
    if (told.*date) dates.*date = told.*date;
  }
}

LifecyclePosts::Answer answer(unsigned status, const json& body) {
  return {.status = status,
          .body = body.dump(2, ' ', false, json::error_handler_t::replace) + "\n"};
}

std::string joined(const std::vector<std::string>& models) {
  std::string text;
  for (const std::string& model : models) text.append(text.empty() ? "" : ", ").append(model);
  return text;
}

std::optional<unsigned> number(std::string_view digits) {
  unsigned value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// RFC 9110 5.6.7: "Wed, 05 Aug 2026 22:00:00 GMT".
Day day_from_http_date(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths{
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() < 16 || text.substr(3, 2) != ", ") return std::nullopt;
  text.remove_prefix(5);
  const std::size_t digits = text[1] == ' ' ? 1 : 2;
  const auto day = number(text.substr(0, digits));
  text.remove_prefix(digits);
  if (text.size() < 10 || text[0] != ' ' || text[4] != ' ' || text[9] != ' ') return std::nullopt;
  const auto month = std::ranges::find(kMonths, text.substr(1, 3));
  const auto year = number(text.substr(5, 4));
  if (!day || !year || month == kMonths.end()) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year{static_cast<int>(*year)},
      std::chrono::month{static_cast<unsigned>(month - kMonths.begin()) + 1},
      std::chrono::day{*day}};
  if (!date.ok()) return std::nullopt;
  return sys_days{date};
}

}  // namespace

Day day_from_moment(std::string_view text) {
  if (text.size() == 10 || (text.size() > 10 && text[10] == 'T'))
    return routing::day_from_text(text.substr(0, 10));
  return day_from_http_date(text);
}

std::variant<HealthEvent, OtherHealthEvent, HealthEventProblem> read_health_event(
    std::string_view body) {
  try {
    return read(body);
  } catch (const std::exception& problem) {
    return HealthEventProblem{problem.what()};
  }
}

LifecyclePosts::LifecyclePosts(EventLog& events, StateWriter& writer,
                               const std::string& state_directory, std::function<sys_days()> today)
    : events_(events),
      writer_(writer),
      file_(state_directory.empty()
                ? std::filesystem::path()
                : std::filesystem::path(state_directory) / "lifecycle-posts.json"),
      today_(std::move(today)) {
  load();
}

bool LifecyclePosts::has_room(const HealthEvent& event) const {
  const auto is_new = [this](const std::string& model) { return !posted_.contains(model); };
  const auto added = static_cast<std::size_t>(std::ranges::count_if(event.models, is_new));
  return posted_.size() + added <= kMaxModels;
}

LifecyclePosts::Answer LifecyclePosts::post(std::string_view body) {
  const auto read = read_health_event(body);
  if (const auto* problem = std::get_if<HealthEventProblem>(&read))
    return answer(
        400, {{"error", "this is no AWS Health event as EventBridge sends it: " + problem->what}});
  if (const auto* other = std::get_if<OtherHealthEvent>(&read))
    return answer(200, {{"result", "ignored"}, {"why", other->why}});
  const auto& event = std::get<HealthEvent>(read);
  if (event.over) return answer(200, {{"result", "ignored"}, {"why", "the event is closed"}});
  json models = json::array();
  {
    const std::lock_guard lock(mutex_);
    if (!has_room(event))
      return answer(
          507, {{"error", "dates of " + std::to_string(kMaxModels) +
                              " models were posted already; remove some from " + file_.string()}});
    for (const std::string& model : event.models) {
      metrics::ModelLifecycle& told = posted_[model];
      put_over(told.dates, event.dates);
      told.source = "AWS Health (" + event.code + ")";
      told.checked = routing::day_text(today_());
      models.push_back(describe(model, told));
    }
    save();
  }
  tell(event);
  const std::string problem = file_.empty() ? std::string() : writer_.problem_after_try(file_);
  return answer(200, {{"result", "taken"},
                      {"models", std::move(models)},
                      {"not_stored", problem.empty() ? json() : json(problem)}});
}

void LifecyclePosts::tell(const HealthEvent& event) {
  const routing::ModelDates& dates = event.dates;
  const auto [what, day] =
      dates.end_of_life ? std::pair("reach their end of life", *dates.end_of_life)
      : dates.legacy    ? std::pair("become legacy", *dates.legacy)
                        : std::pair("enter extended access", *dates.extended_access);
  const std::string models = joined(event.models);
  events_.publish(
      {.kind = "lifecycle",
       .route = {},
       .text = "AWS Health: " + models + " " + what + " on " + routing::day_text(day),
       .facts = {{"models", models}, {"code", event.code}, {"day", routing::day_text(day)}},
       .warning = true});
}

std::shared_ptr<const metrics::Lifecycles> LifecyclePosts::with_posted(
    std::shared_ptr<const metrics::Lifecycles> known) const {
  const std::lock_guard lock(mutex_);
  if (posted_.empty() || !known) return known;
  metrics::Lifecycles::Table table = known->all();
  for (const auto& [model, told] : posted_) {
    metrics::ModelLifecycle& now = table[model];
    if (now.source == "config") continue;
    put_over(now.dates, told.dates);
    now.source = told.source;
    now.checked = told.checked;
  }
  return std::make_shared<const metrics::Lifecycles>(std::string(known->as_of()), std::move(table));
}

void LifecyclePosts::load() {
  if (file_.empty()) return;
  const metrics::StateText stored = writer_.read(file_, kMaxFileBytes);
  std::string problem = stored.problem;
  try {
    if (stored.text) {
      const json object = json::parse(*stored.text);
      if (object.at("version").get<int>() != kVersion) throw Problem("another version");
      Table table;
      for (const json& one : object.at("models")) {
        if (table.size() < kMaxModels)
          table.insert_or_assign(one.at("model").get<std::string>(), stored_lifecycle(one));
      }
      posted_ = std::move(table);
    }
  } catch (const std::exception& failure) {
    problem = failure.what();
  }
  if (problem.empty()) return;
  writer_.set_aside(file_, "damaged");
  log_warn("lifecycle_posts_not_loaded", {{"what", problem}});
}

void LifecyclePosts::save() const {
  if (file_.empty()) return;
  json models = json::array();
  for (const auto& [model, lifecycle] : posted_) models.push_back(describe(model, lifecycle));
  writer_.write(file_, json{{"version", kVersion}, {"models", std::move(models)}}.dump(1) + "\n");
}

}  // namespace understudy::proxy

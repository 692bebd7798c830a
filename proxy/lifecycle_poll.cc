#include "proxy/lifecycle_poll.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "metrics/end_of_life.h"
#include "metrics/pricing.h"
#include "proxy/lifecycle_report.h"
#include "proxy/log.h"
#include "proxy/upstream_probe.h"
#include "routing/day.h"
#include "routing/model_id.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using std::chrono::sys_days;
using Day = std::optional<sys_days>;

// ISO 8601, or seconds since 1970.
Day day_at(const json& lifecycle, const char* key) {
  const auto found = lifecycle.find(key);
  if (found == lifecycle.end()) return std::nullopt;
  if (found->is_string())
    return routing::day_from_text(
        std::string_view(found->get_ref<const std::string&>()).substr(0, 10));
  constexpr double kLast = 253402300800.0;  // the year 10000
  if (!found->is_number() || found->get<double>() < 0 || found->get<double>() >= kLast)
    return std::nullopt;
  return std::chrono::floor<std::chrono::days>(
      std::chrono::sys_seconds(std::chrono::seconds(found->get<std::int64_t>())));
}

constexpr std::string_view kSource = "Bedrock's control plane";

// Of a model as both calls describe it.
std::optional<ToldDates> dates_of(const json& model, sys_days day) {
  if (!model.is_object()) return std::nullopt;
  const auto lifecycle = model.find("modelLifecycle");
  if (lifecycle == model.end() || !lifecycle->is_object()) return std::nullopt;
  ToldDates told{.dates = {.launch = day_at(*lifecycle, "startOfLifeTime"),
                           .legacy = day_at(*lifecycle, "legacyTime"),
                           .extended_access = day_at(*lifecycle, "publicExtendedAccessTime"),
                           .end_of_life = day_at(*lifecycle, "endOfLifeTime"),
                           .replacement = {}},
                 .day = day};
  const auto status = lifecycle->find("status");
  if (status != lifecycle->end() && *status == "LEGACY" && !told.dates.legacy) {
    told.dates.legacy = day;
    told.legacy_guessed = true;
  }
  return told;
}

void take_earlier(Day& guessed, const Day& known) {
  if (known) guessed = std::min(guessed.value_or(*known), *known);
}

// A day that Bedrock does not name is not one that does not come: what was known stays. Unless it
// lay behind the telling, for then the model's state would have been another one. A guessed day is
// the latest that it can be.
routing::ModelDates completed(const ToldDates& told, const routing::ModelDates& known) {
  routing::ModelDates dates = told.dates;
  const auto complete = [&told](Day& day, const Day& before, bool guessed) {
    if (guessed) return take_earlier(day, before);
    if (!day && before && *before >= told.day) day = before;
  };
  if (!dates.launch) dates.launch = known.launch;
  complete(dates.legacy, known.legacy, told.legacy_guessed);
  complete(dates.extended_access, known.extended_access, false);
  complete(dates.end_of_life, known.end_of_life, told.end_guessed);
  dates.replacement = known.replacement;  // Bedrock names none
  return dates;
}

ProbeRequest question(std::string target) {
  return {.method = "GET",
          .target = std::move(target),
          .body = {},
          .surface = routing::Surface::control_plane};
}

}  // namespace

std::optional<ToldDates> dates_from_control_plane(std::string_view body, sys_days day) {
  const json answer = json::parse(body, nullptr, false);
  if (!answer.is_object()) return std::nullopt;
  const auto details = answer.find("modelDetails");
  return details == answer.end() ? std::nullopt : dates_of(*details, day);
}

std::optional<ListedDates> listed_by_control_plane(std::string_view body, sys_days day) {
  const json answer = json::parse(body, nullptr, false);
  if (!answer.is_object()) return std::nullopt;
  const auto summaries = answer.find("modelSummaries");
  if (summaries == answer.end() || !summaries->is_array()) return std::nullopt;
  ListedDates listed;
  for (const json& model : *summaries) {
    const auto dates = dates_of(model, day);
    const auto id = dates ? model.find("modelId") : model.end();
    if (dates && id != model.end() && id->is_string())
      listed.emplace(id->get<std::string>(), *dates);
  }
  return listed;
}

LifecyclePoll::LifecyclePoll(std::function<std::shared_ptr<const Snapshot>()> snapshot,
                             const ModelBook& models, Options options)
    : snapshot_(std::move(snapshot)),
      models_(models),
      options_(std::move(options)),
      thread_("lifecycle", options_.look_every, [this] { look(); }) {}

void LifecyclePoll::look() {
  const auto now = std::chrono::steady_clock::now();
  const routing::LifecycleConfig config = snapshot_()->config().lifecycle;
  if (!config.poll_upstream || (asked_ && now - *asked_ < config.poll_every)) return;
  asked_ = now;
  ask_now();
}

void LifecyclePoll::ask_now() {
  const auto snapshot = snapshot_();
  if (!snapshot->config().lifecycle.poll_upstream || !snapshot->lifecycles) return;
  std::set<std::string> models;
  for (const ModelReport& report : report_models(snapshot->config(), *snapshot->lifecycles,
                                                 models_.entries(), options_.today())) {
    const std::string_view id = routing::foundation_model(report.model);
    if (!id.empty() && models.size() < kMaxModels) models.emplace(id);
  }
  if (models.empty()) return;
  const ListedDates listed = read_list(snapshot);
  std::size_t answered = 0;
  for (const std::string& model : models) {
    if (thread_.stopping()) return;
    const auto found = listed.find(model);
    if (found != listed.end()) {
      remember(model, found->second);
      ++answered;
    } else {
      answered += ask(snapshot, model) ? 1 : 0;
    }
  }
  log_info("lifecycle_polled", {{"models", static_cast<std::int64_t>(models.size())},
                                {"answered", static_cast<std::int64_t>(answered)}});
}

Result<ListedDates> LifecyclePoll::ask_list(const std::shared_ptr<const Snapshot>& snapshot) {
  const auto refused = [](const std::string& why) {
    return Error{ErrorKind::bad_message, Side::upstream, "ListFoundationModels " + why};
  };
  const auto answer = ask_upstream(snapshot, *snapshot->config().lifecycle.poll_upstream,
                                   question("/foundation-models"), options_.timeout);
  if (!answer) return answer.error();
  if (answer->status != 200)
    return refused("answered " + std::to_string(answer->status) +
                   (answer->status == 403 ? ": the keys need bedrock:ListFoundationModels" : ""));
  if (answer->body.size() >= ProbeAnswer::kMaxBodyBytes)
    return refused("answered more than " + std::to_string(ProbeAnswer::kMaxBodyBytes) + " bytes");
  auto listed = listed_by_control_plane(answer->body, options_.today());
  if (!listed) return refused("answered what is no list of models");
  return *std::move(listed);
}

// Without the list each model is asked for by itself, which takes many calls: people are told when
// that begins, and when it has another cause.
ListedDates LifecyclePoll::read_list(const std::shared_ptr<const Snapshot>& snapshot) {
  auto listed = ask_list(snapshot);
  ++(listed ? lists_read_ : lists_failed_);
  const std::string problem = listed ? std::string() : listed.error().context;
  if (std::exchange(list_problem_, problem) != problem && !problem.empty())
    log_warn("lifecycle_list_not_read", {{"what", std::string_view{problem}}});
  return listed ? *std::move(listed) : ListedDates{};
}

// What is not on the list has ended, or may be seen only one by one.
bool LifecyclePoll::ask(const std::shared_ptr<const Snapshot>& snapshot, const std::string& model) {
  const std::string target = model_target(model, "x");  // encodes the id
  constexpr std::string_view kBefore = "/model/";
  const std::string id = target.substr(kBefore.size(), target.rfind('/') - kBefore.size());
  const auto answer = ask_upstream(snapshot, *snapshot->config().lifecycle.poll_upstream,
                                   question("/foundation-models/" + id), options_.timeout);
  if (!answer) return false;
  if (answer->status == 200) {
    const auto dates = dates_from_control_plane(answer->body, options_.today());
    if (dates) remember(model, *dates);
    return dates.has_value();
  }
  if (metrics::model_gone_by_body(answer->status, answer->body, false) != metrics::ModelGone::ended)
    return false;
  const metrics::ModelLifecycle* known = snapshot->lifecycles->find(model);
  ToldDates told{.dates = known ? known->dates : routing::ModelDates{},
                 .day = options_.today(),
                 .end_guessed = true};
  told.dates.end_of_life = told.day;
  remember(model, std::move(told));
  return true;
}

// What is told once more is guessed by the first telling.
void LifecyclePoll::remember(const std::string& model, ToldDates told) {
  const std::lock_guard lock(mutex_);
  ToldDates& now = told_[std::string(metrics::canonical_model(model))];
  if (told.legacy_guessed) take_earlier(told.dates.legacy, now.dates.legacy);
  if (told.end_guessed) take_earlier(told.dates.end_of_life, now.dates.end_of_life);
  now = std::move(told);
}

std::shared_ptr<const metrics::Lifecycles> LifecyclePoll::with_told(
    std::shared_ptr<const metrics::Lifecycles> known) const {
  const std::lock_guard lock(mutex_);
  if (told_.empty() || !known) return known;
  metrics::Lifecycles::Table table = known->all();
  for (const auto& [model, told] : told_) {
    metrics::ModelLifecycle& entry = table[model];
    if (entry.source == "config") continue;
    entry = {.dates = completed(told, entry.dates),
             .source = std::string(kSource),
             .checked = routing::day_text(told.day)};
  }
  return std::make_shared<const metrics::Lifecycles>(std::string(known->as_of()), std::move(table));
}

std::string LifecyclePoll::exposition() const {
  const std::string name = "understudy_lifecycle_readings_total";
  return "# HELP " + name + " Readings of the control plane's list of models, by result.\n# TYPE " +
         name + " counter\n" + name + "{result=\"ok\"} " + std::to_string(lists_read_) + "\n" +
         name + "{result=\"failed\"} " + std::to_string(lists_failed_) + "\n";
}

}  // namespace understudy::proxy

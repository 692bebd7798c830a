#include "proxy/lifecycle_report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "metrics/pricing.h"
#include "proxy/plain_words.h"
#include "proxy/read_file.h"
#include "routing/day.h"
#include "routing/glob.h"
#include "routing/model_id.h"

namespace understudy::proxy {
namespace {

using metrics::ModelState;
using nlohmann::json;
using std::chrono::sys_days;

constexpr std::size_t kMaxLifecyclesBytes = std::size_t{16} << 20;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "-20250929" or "-v1": what pins the snapshot that an id means.
bool is_pinned(std::string_view id) {
  for (std::size_t i = 0, run = 0; i < id.size(); ++i) {
    run = is_digit(id[i]) ? run + 1 : 0;
    if (run == 8) return true;
    if (id.substr(i).starts_with("-v") && i + 2 < id.size() && is_digit(id[i + 2])) return true;
  }
  return false;
}

std::string in_days(int days) {
  if (days == 0) return "today";
  if (days < 0) return std::to_string(-days) + " days ago";
  return "in " + std::to_string(days) + " days";
}

std::string with_replacement(std::string text, const routing::ModelDates& dates) {
  return dates.replacement.empty() ? text : text + "; its replacement is " + dates.replacement;
}

void judge_dates(ModelReport& model, const routing::LifecycleConfig& config, sys_days today) {
  const routing::ModelDates& dates = model.lifecycle.dates;
  if (dates.end_of_life) {
    const auto left = static_cast<int>((*dates.end_of_life - today).count());
    model.days_left = left;
    const auto warn_days = std::chrono::duration_cast<std::chrono::days>(config.warn_before);
    model.pressing = left <= warn_days.count();
    const std::string day = routing::day_text(*dates.end_of_life) + " (" + in_days(left) + ")";
    if (model.state == ModelState::ended)
      model.remarks.push_back(with_replacement("reached its end of life on " + day, dates));
    else if (model.pressing)
      model.remarks.push_back(with_replacement("reaches its end of life on " + day, dates));
  }
  if (model.state == ModelState::legacy)
    model.remarks.push_back("is legacy: who does not use it for 15 days is locked out");
  if (model.state == ModelState::extended)
    model.remarks.push_back("is in public extended access, which is dearer");
}

void judge_name(ModelReport& model) {
  const std::string_view id = model.model;
  if (routing::foundation_model(id).empty()) {
    model.remarks.push_back("hides the model behind it, so that its dates cannot be known here");
  } else if (id.find("preview") != id.npos || id.find("-beta") != id.npos) {
    model.remarks.push_back("is a preview: it may change or end without notice");
  } else if (id.ends_with("latest")) {
    model.remarks.push_back("is an alias: what it stands for changes without notice");
  } else if (!is_pinned(id)) {
    model.remarks.push_back("carries no date and no version that would pin what it stands for");
  }
}

ModelReport judged(const routing::Config& config, const metrics::Lifecycles& lifecycles,
                   std::string id, sys_days today) {
  ModelReport model;
  model.model = std::move(id);
  if (const metrics::ModelLifecycle* known = lifecycles.find(model.model)) {
    model.lifecycle = *known;
    model.state = metrics::state_on(known->dates, today);
    judge_dates(model, config.lifecycle, today);
  }
  judge_name(model);
  return model;
}

// The models of a report, each once.
class Collector {
 public:
  Collector(const routing::Config& config, const metrics::Lifecycles& lifecycles, sys_days today)
      : config_(config), lifecycles_(lifecycles), today_(today) {}

  ModelReport& add(const std::string& id, std::string where) {
    auto [place, is_new] = places_.emplace(id, models_.size());
    if (is_new) models_.push_back(judged(config_, lifecycles_, id, today_));
    ModelReport& model = models_[place->second];
    model.where.push_back(std::move(where));
    return model;
  }

  void add_route(const routing::RouteConfig& route) {
    const std::string name = "routes." + route.name;
    if (!route.primary.model.empty()) add(route.primary.model, name + ".primary");
    if (route.candidate && !route.candidate->model.empty())
      add(route.candidate->model, name + ".candidate");
    for (const std::string& glob : route.match.models) add_matches(glob, name + ".match");
  }

  // Of a pattern, the models of the data that it takes and that are no longer young.
  void add_matches(const std::string& glob, const std::string& where) {
    if (glob.find('*') == std::string::npos) {
      add(glob, where);
      return;
    }
    if (glob == "*") return;
    const routing::Glob pattern(glob);
    for (const auto& [model, lifecycle] : lifecycles_.all()) {
      const bool takes = pattern.matches(model) || pattern.matches(model + "-v1:0") ||
                         pattern.matches("us." + model) || pattern.matches("us." + model + "-v1:0");
      if (takes) add(model, where);
    }
  }

  void add_seen(const ModelBook::Entry& entry) {
    ModelReport& model = add(entry.model, "asked on " + entry.route + " (" +
                                              std::string(routing::label(entry.variant)) + ")");
    model.seen = true;
    model.problem = entry.problem;
    if (entry.gone) model.gone = entry.gone;
    if (entry.last_success)
      model.last_success =
          std::max(model.last_success.value_or(ModelBook::Time{}), *entry.last_success);
  }

  std::vector<ModelReport> take() && { return std::move(models_); }

 private:
  const routing::Config& config_;
  const metrics::Lifecycles& lifecycles_;
  const sys_days today_;
  std::vector<ModelReport> models_;
  std::map<std::string, std::size_t> places_;
};

json day_or_null(const std::optional<sys_days>& day) {
  return day ? json(routing::day_text(*day)) : json();
}

json describe(const ModelReport& model) {
  const routing::ModelDates& dates = model.lifecycle.dates;
  json described = {
      {"model", model.model},
      {"where", model.where},
      {"state", label(model.state)},
      {"launch", day_or_null(dates.launch)},
      {"legacy", day_or_null(dates.legacy)},
      {"extended_access", day_or_null(dates.extended_access)},
      {"end_of_life", day_or_null(dates.end_of_life)},
      {"days_left", model.days_left ? json(*model.days_left) : json()},
      {"replacement", dates.replacement.empty() ? json() : json(dates.replacement)},
      {"source", model.lifecycle.source.empty() ? json() : json(model.lifecycle.source)},
      {"checked", model.lifecycle.checked.empty() ? json() : json(model.lifecycle.checked)},
      {"remarks", model.remarks},
      {"pressing", model.pressing},
      {"seen", model.seen},
  };
  if (!model.seen) return described;
  described["last_success_unix_seconds"] =
      model.last_success ? json(std::chrono::duration_cast<std::chrono::seconds>(
                                    model.last_success->time_since_epoch())
                                    .count())
                         : json();
  described["problem"] = model.problem.empty() ? json() : json(model.problem);
  described["gone"] = model.gone ? json(label(*model.gone)) : json();
  return described;
}

std::shared_ptr<const metrics::Lifecycles> read_file_of(const routing::LifecycleConfig& config,
                                                        std::vector<std::string>& problems) {
  if (config.file.empty()) return metrics::Lifecycles::built_in();
  const auto text = read_file(config.file, kMaxLifecyclesBytes);
  if (!text) {
    problems.push_back("lifecycle.file: cannot read " + config.file +
                       " (or it is larger than 16 MiB)");
    return nullptr;
  }
  auto read = metrics::Lifecycles::from_json(*text, config.file);
  if (const auto* problem = std::get_if<metrics::LifecyclesProblem>(&read)) {
    problems.push_back("lifecycle.file: " + plain_words(problem->what));
    return nullptr;
  }
  return std::get<std::shared_ptr<const metrics::Lifecycles>>(std::move(read));
}

}  // namespace

std::vector<ModelReport> report_models(const routing::Config& config,
                                       const metrics::Lifecycles& lifecycles,
                                       const std::vector<ModelBook::Entry>& seen, sys_days today) {
  Collector models(config, lifecycles, today);
  for (const routing::RouteConfig& route : config.routes) models.add_route(route);
  for (const ModelBook::Entry& entry : seen) models.add_seen(entry);
  return std::move(models).take();
}

json describe_models(const std::vector<ModelReport>& models, const metrics::Lifecycles& lifecycles,
                     sys_days today) {
  json all = json::array();
  for (const ModelReport& model : models) all.push_back(describe(model));
  return {{"as_of", lifecycles.as_of()},
          {"today", routing::day_text(today)},
          {"models", std::move(all)}};
}

std::string lifecycle_exposition(const std::vector<ModelReport>& models) {
  std::map<std::string, const ModelReport*> dated;
  for (const ModelReport& model : models) {
    if (model.lifecycle.dates.end_of_life)
      dated.emplace(metrics::canonical_model(model.model), &model);
  }
  if (dated.empty()) return {};
  std::string ends =
      "# HELP understudy_model_end_of_life_timestamp_seconds When a model in use reaches its end "
      "of life\n# TYPE understudy_model_end_of_life_timestamp_seconds gauge\n";
  std::string left =
      "# HELP understudy_model_days_left Until that day; negative behind it\n"
      "# TYPE understudy_model_days_left gauge\n";
  const auto append = [](std::string& text, std::string_view name, std::string_view model,
                         std::int64_t value) {
    text.append(name).append("{model=\"").append(model).append("\"} ");
    text.append(std::to_string(value)).push_back('\n');
  };
  for (const auto& [name, model] : dated) {
    const std::chrono::sys_seconds end = *model->lifecycle.dates.end_of_life;
    append(ends, "understudy_model_end_of_life_timestamp_seconds", name,
           end.time_since_epoch().count());
    append(left, "understudy_model_days_left", name, *model->days_left);
  }
  return ends + left;
}

LoadedLifecycles load_lifecycles(const routing::Config& config, sys_days today) {
  LoadedLifecycles loaded;
  auto file = read_file_of(config.lifecycle, loaded.problems);
  if (!file) return loaded;
  loaded.lifecycles = config.lifecycle.models.empty() ? file : file->with(config.lifecycle.models);
  for (const ModelReport& model : report_models(config, *loaded.lifecycles, {}, today)) {
    for (const std::string& remark : model.remarks)
      loaded.warnings.push_back(model.where.front() + ": " + model.model + " " + remark);
  }
  return loaded;
}

}  // namespace understudy::proxy

#include "proxy/reload.h"

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "proxy/log.h"

namespace understudy::proxy {
namespace {

std::vector<std::string> errors_of(const routing::LoadedConfig& loaded) {
  std::vector<std::string> errors;
  for (const routing::ConfigProblem& problem : loaded.problems) {
    if (!problem.warning) errors.push_back(problem.to_string());
  }
  if (errors.empty() && !loaded.config) errors.push_back("the config could not be loaded");
  return errors;
}

void log_warnings(const routing::LoadedConfig& loaded) {
  for (const routing::ConfigProblem& problem : loaded.problems) {
    if (problem.warning) log_warn("config_warning", {{"problem", problem.to_string()}});
  }
}

ReloadOutcome refused(std::vector<std::string> problems) {
  return {metrics::ReloadResult::refused, std::move(problems)};
}

}  // namespace

std::string_view label(ReloadSource source) noexcept {
  switch (source) {
    case ReloadSource::signal:
      return "signal";
    case ReloadSource::request:
      return "request";
    case ReloadSource::watch:
      return "watch";
    case ReloadSource::companion:
      return "companion";
    case ReloadSource::retry:
      return "retry";
  }
  return "watch";
}

std::string_view label(metrics::ReloadResult result) noexcept {
  switch (result) {
    case metrics::ReloadResult::applied:
      return "applied";
    case metrics::ReloadResult::unchanged:
      return "unchanged";
    case metrics::ReloadResult::refused:
      return "refused";
  }
  return "refused";
}

ReloadOutcome Reloader::reload(ReloadSource source) noexcept {
  const std::lock_guard turn(one_at_a_time_);
  Last last{.outcome = {}, .source = source, .at = {}};
  try {
    last.outcome = attempt(source);
  } catch (const std::exception& failure) {
    last.outcome = refused({failure.what()});
  }
  last.at = std::chrono::system_clock::now();
  report(last);
  const std::lock_guard lock(last_mutex_);
  last_ = last;
  return last.outcome;
}

std::optional<Reloader::Last> Reloader::last() const {
  const std::lock_guard lock(last_mutex_);
  return last_;
}

ReloadOutcome Reloader::attempt(ReloadSource source) {
  const routing::LoadedConfig loaded = steps_.load();
  if (!loaded.config) return refused(errors_of(loaded));
  const bool same_bytes = loaded.config->hash == steps_.in_force()->config().hash;
  if (same_bytes && source == ReloadSource::watch) return {metrics::ReloadResult::unchanged, {}};
  log_warnings(loaded);
  return put_in_force(loaded.config);
}

ReloadOutcome Reloader::put_in_force(std::shared_ptr<const routing::Config> config) {
  const auto before = steps_.in_force();
  auto built = steps_.build(std::move(config));
  if (!built.snapshot) return refused(std::move(built.problems));
  if (const Status applied = steps_.apply(built.snapshot); !applied)
    return refused({applied.error().context});

  const routing::Config& after = built.snapshot->config();
  set_log_level(after.log.level);
  recorder_.config_applied(after);
  auto changes = change_texts(changes_between(before->config().settings, after.settings));
  std::string all;
  for (const std::string& change : changes) all.append(all.empty() ? "" : "; ").append(change);
  log_info("config_applied", {{"hash", after.hash}, {"changes", all}});
  return {metrics::ReloadResult::applied, {}, std::move(changes)};
}

void Reloader::report(const Last& last) noexcept {
  recorder_.reload(last.outcome.result);
  for (const std::string& problem : last.outcome.problems)
    log_error("config_problem", {{"problem", problem}});
  const bool refused_it = last.outcome.result == metrics::ReloadResult::refused;
  log(refused_it ? LogLevel::error : LogLevel::info, "config_reload",
      {{"result", label(last.outcome.result)},
       {"source", label(last.source)},
       {"problems", static_cast<std::int64_t>(last.outcome.problems.size())}});
  if (last.outcome.result != metrics::ReloadResult::unchanged) steps_.told(last.outcome);
}

}  // namespace understudy::proxy

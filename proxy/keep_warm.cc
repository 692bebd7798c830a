#include "proxy/keep_warm.h"

#include <algorithm>

#include "metrics/end_of_life.h"
#include "proxy/log.h"
#include "proxy/upstream_probe.h"

namespace understudy::proxy {

using routing::Variant;
using std::chrono::milliseconds;

namespace {

bool is_primary_of(const ModelBook::Entry& entry, const routing::RouteConfig& route) {
  return entry.variant == Variant::primary && entry.route == route.name &&
         (route.primary.model.empty() || entry.model == route.primary.model);
}

std::vector<ModelBook::Entry> primaries_of(const routing::RouteConfig& route,
                                           const std::vector<ModelBook::Entry>& models) {
  std::vector<ModelBook::Entry> found;
  std::ranges::copy_if(models, std::back_inserter(found),
                       [&](const ModelBook::Entry& entry) { return is_primary_of(entry, route); });
  return found;
}

// What a tiny request can be sent to: the configured model, or what answered clients last; what
// they asked for in vain may be a slip of the pen.
std::string model_to_call(const routing::RouteConfig& route,
                          const std::vector<ModelBook::Entry>& known) {
  if (!route.primary.model.empty()) return route.primary.model;
  const auto newest = std::ranges::max_element(known, {}, [](const ModelBook::Entry& entry) {
    return std::pair(entry.last_success, entry.last_seen);
  });
  return newest == known.end() ? std::string() : newest->model;
}

std::optional<ModelBook::Time> last_success(const std::vector<ModelBook::Entry>& known) {
  std::optional<ModelBook::Time> newest;
  for (const ModelBook::Entry& entry : known) {
    if (entry.last_success)
      newest = std::max(newest.value_or(*entry.last_success), *entry.last_success);
  }
  return newest;
}

// What the newest answer was, of the models that have answered: what never did may be a slip of a
// client's pen, and says nothing of those.
std::string_view newest_problem(const std::vector<ModelBook::Entry>& known) {
  const ModelBook::Entry* newest = nullptr;
  for (const ModelBook::Entry& entry : known) {
    if (entry.last_success && (newest == nullptr || entry.last_seen > newest->last_seen))
      newest = &entry;
  }
  return newest == nullptr ? std::string_view{} : newest->problem;
}

// So many of so many, where that closes the way back.
std::optional<std::pair<std::uint64_t, std::uint64_t>> share_too_long(
    const std::vector<ModelBook::Entry>& known, ModelBook::Time now) {
  constexpr std::uint64_t kOneIn = 100;
  std::uint64_t answers = 0, too_long = 0;
  for (const ModelBook::Entry& entry : known) {
    const ModelBook::LastHour last = entry.last_hour(now);
    answers += last.answers;
    too_long += last.too_long;
  }
  if (too_long == 0 || too_long * kOneIn < answers) return std::nullopt;
  return std::pair(too_long, answers);
}

// Whether it answered.
bool call(const std::shared_ptr<const Snapshot>& snapshot, const routing::RouteConfig& route,
          const std::string& model, ModelBook& models, milliseconds timeout) {
  const auto answer = ask_upstream(snapshot, route.primary.upstream, tiny_converse(model), timeout);
  const auto now = std::chrono::system_clock::now();
  const std::string_view problem = answer ? problem_of_status(answer->status) : "failed";
  models.note(route.name, Variant::primary, model, problem, now);
  if (answer) {
    const bool was_good = models.was_good(route.name, model);
    if (const auto gone = metrics::model_gone_by_body(answer->status, answer->body, was_good))
      models.note_gone(route.name, Variant::primary, model, *gone, now);
  }
  if (problem.empty()) {
    log_info("kept_warm", {{"route", std::string_view{route.name}}, {"model", model}});
  } else {
    log_warn("keep_warm_failed",
             {{"route", std::string_view{route.name}},
              {"model", model},
              {"problem", problem},
              {"what", answer ? std::string_view{} : std::string_view{answer.error().context}}});
  }
  return problem.empty();
}

}  // namespace

RollbackReadiness rollback_readiness(const routing::RouteConfig& route,
                                     const std::vector<ModelBook::Entry>& models,
                                     ModelBook::Time now) {
  using namespace std::chrono;
  const auto known = primaries_of(route, models);
  const auto success = last_success(known);
  if (!success) return {.ready = false, .reason = "the primary has not answered yet"};
  RollbackReadiness readiness;
  readiness.last_success_age = duration_cast<seconds>(now - *success);
  const std::string_view problem = newest_problem(known);
  const milliseconds oldest = route.keep_warm > 0ms ? 2 * route.keep_warm : milliseconds(24h);
  if (problem == "gone" || problem == "access" || problem == "not_found" || problem == "failed" ||
      problem == "throttled") {
    readiness.reason = "the primary's last answer was a failure (" + std::string(problem) + ")";
  } else if (now - *success > oldest) {
    readiness.reason = "the primary's last answer is " +
                       std::to_string(duration_cast<hours>(now - *success).count()) + " hours old";
  } else if (const auto too_long = share_too_long(known, now)) {
    readiness.reason = "of the last hour's requests " + std::to_string(too_long->first) + " of " +
                       std::to_string(too_long->second) +
                       " were too long for the primary's context";
  } else {
    readiness.ready = true;
  }
  return readiness;
}

std::string closed_way_back(const routing::Config& config, std::string_view name,
                            const std::vector<ModelBook::Entry>& models, ModelBook::Time now) {
  const auto route = std::ranges::find(config.routes, name, &routing::RouteConfig::name);
  return route == config.routes.end() ? std::string()
                                      : rollback_readiness(*route, models, now).reason;
}

std::string rollback_exposition(const routing::Config& config,
                                const std::vector<ModelBook::Entry>& models, ModelBook::Time now) {
  std::string text =
      "# HELP understudy_rollback_ready Whether a rollback would find a primary that answers\n"
      "# TYPE understudy_rollback_ready gauge\n";
  for (const routing::RouteConfig& route : config.routes) {
    if (!route.candidate) continue;
    text.append("understudy_rollback_ready{route=\"").append(route.name).append("\"} ");
    text.append(rollback_readiness(route, models, now).ready ? "1\n" : "0\n");
  }
  return text;
}

KeepWarm::KeepWarm(std::function<std::shared_ptr<const Snapshot>()> snapshot, ModelBook& models,
                   Options options)
    : snapshot_(std::move(snapshot)),
      models_(models),
      options_(options),
      thread_("keep-warm", options.look_every, [this] { look(); }) {}

void KeepWarm::look() {
  const auto snapshot = snapshot_();
  if (!snapshot) return;
  const auto models = models_.entries();
  for (const routing::RouteConfig& route : snapshot->config().routes) {
    if (thread_.stopping()) return;
    if (route.keep_warm == milliseconds(0)) continue;
    const auto known = primaries_of(route, models);
    const auto success = last_success(known);
    const bool fresh = success && std::chrono::system_clock::now() - *success < route.keep_warm;
    const std::string model = model_to_call(route, known);
    if (fresh || model.empty() || !is_due(route, model)) continue;
    const bool answered = call(snapshot, route, model, models_, options_.timeout);
    const milliseconds pause =
        answered ? route.keep_warm : std::min(route.keep_warm, options_.try_again);
    called_[route.name] = {.model = model, .again = std::chrono::steady_clock::now() + pause};
  }
}

bool KeepWarm::is_due(const routing::RouteConfig& route, const std::string& model) const {
  const auto called = called_.find(route.name);
  return called == called_.end() || called->second.model != model ||
         std::chrono::steady_clock::now() >= called->second.again;
}

}  // namespace understudy::proxy

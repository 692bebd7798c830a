#include "proxy/model_book.h"

#include <algorithm>

#include "metrics/end_of_life.h"
#include "proxy/log.h"
#include "routing/day.h"

namespace understudy::proxy {

using metrics::ErrorClass;
using metrics::ModelGone;

namespace {

std::string_view problem_of(const metrics::Observation& seen) noexcept {
  switch (seen.error_class) {
    case ErrorClass::ok:
      return {};
    case ErrorClass::throttled:
      return "throttled";
    case ErrorClass::client_error:
      if (seen.status == 401 || seen.status == 403) return "access";
      // A request that is refused says nothing against the model.
      return seen.status == 404 ? "not_found" : "refused";
    case ErrorClass::server_error:
    case ErrorClass::timeout:
    case ErrorClass::transport:
    case ErrorClass::stream_broken:
      break;
  }
  return "failed";
}

// As Bedrock and the models behind it say it.
bool is_too_long(const metrics::Observation& seen) noexcept {
  return seen.status == 400 &&
         (seen.error_message.find("is too long") != std::string::npos ||
          seen.error_message.find("maximum context length") != std::string::npos);
}

std::int64_t hour_of(ModelBook::Time moment) noexcept {
  return std::chrono::floor<std::chrono::hours>(moment).time_since_epoch().count();
}

}  // namespace

// --- The models that are gone

std::string GoneModels::full_name(std::string_view upstream, std::string_view model) {
  return std::string(upstream).append("/").append(model);
}

std::optional<ModelGone> GoneModels::ask(std::string_view upstream, std::string_view model,
                                         Time now) {
  if (!any()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto entry = std::ranges::find(entries_, full_name(upstream, model), &Entry::model);
  if (entry == entries_.end()) return std::nullopt;
  if (now >= entry->try_again) {
    entry->try_again = now + kTryAgain;
    return std::nullopt;
  }
  return entry->kind;
}

bool GoneModels::add(std::string_view upstream, std::string_view model, ModelGone kind, Time now) {
  const std::lock_guard lock(mutex_);
  const auto entry = std::ranges::find(entries_, full_name(upstream, model), &Entry::model);
  if (entry != entries_.end()) {
    entry->kind = kind;
    entry->try_again = now + kTryAgain;
    return false;
  }
  // The oldest makes room: it is found out again by the next request for it.
  if (entries_.size() >= kMaxModels) entries_.erase(entries_.begin());
  entries_.push_back({.model = full_name(upstream, model),
                      .kind = kind,
                      .since = now,
                      .try_again = now + kTryAgain});
  any_.store(true, std::memory_order_relaxed);
  return true;
}

bool GoneModels::knows(std::string_view upstream, std::string_view model, Time now) const {
  if (!any()) return false;
  const std::lock_guard lock(mutex_);
  const auto entry = std::ranges::find(entries_, full_name(upstream, model), &Entry::model);
  return entry != entries_.end() && now < entry->try_again;
}

bool GoneModels::remove(std::string_view upstream, std::string_view model, Time asked) {
  const std::lock_guard lock(mutex_);
  const auto entry = std::ranges::find(entries_, full_name(upstream, model), &Entry::model);
  if (entry == entries_.end() || asked < entry->since) return false;
  entries_.erase(entry);
  any_.store(!entries_.empty(), std::memory_order_relaxed);
  return true;
}

std::vector<GoneModels::Entry> GoneModels::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}

// --- What is known of each model

ModelBook::Entry* ModelBook::entry(std::string_view route, routing::Variant variant,
                                   std::string_view model, Time now) {
  auto found = entries_.find(KeyView{route, variant, model});
  if (found == entries_.end()) {
    if (entries_.size() >= kMaxEntries && !make_room()) {
      ++left_out_;
      return nullptr;
    }
    Entry made;
    made.route = route;
    made.variant = variant;
    made.model = model;
    found = entries_.emplace(Key{route, variant, model}, std::move(made)).first;
  }
  found->second.last_seen = now;
  return &found->second;
}

// Anybody may ask for models that do not exist: those must not keep out the ones that do.
bool ModelBook::make_room() {
  auto oldest = entries_.end();
  for (auto known = entries_.begin(); known != entries_.end(); ++known) {
    if (known->second.last_success) continue;
    if (oldest == entries_.end() || known->second.last_seen < oldest->second.last_seen)
      oldest = known;
  }
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  return true;
}

ModelBook::LastHour ModelBook::Entry::last_hour(Time now) const noexcept {
  const std::int64_t behind = hour_of(now) - hour;
  LastHour last;
  for (std::size_t i = 0; i < hours.size() && static_cast<std::int64_t>(i) + behind <= 1; ++i) {
    last.answers += hours[i].answers;
    last.too_long += hours[i].too_long;
  }
  return last;
}

void ModelBook::count_hour(Entry& known, bool too_long, Time now) {
  const std::int64_t hour = hour_of(now);
  if (hour > known.hour) {
    known.hours[1] = hour == known.hour + 1 ? known.hours[0] : LastHour{};
    known.hours[0] = {};
    known.hour = hour;
  }
  ++known.hours[0].answers;
  known.hours[0].too_long += too_long ? 1 : 0;
}

void ModelBook::set_good(Entry& known, Time asked, Time now) {
  known.last_success = now;
  if (known.gone_since && asked < *known.gone_since) return;
  known.problem = {};
  known.gone.reset();
  known.gone_since.reset();
}

void ModelBook::note(std::string_view route, const metrics::Observation& seen, Time now) {
  if (seen.model_id.empty()) return;
  const std::lock_guard lock(mutex_);
  Entry* known = entry(route, seen.variant, seen.model_id, now);
  if (known == nullptr) return;
  ++known->answers;
  count_hour(*known, is_too_long(seen), now);
  const std::string_view problem = problem_of(seen);
  if (problem.empty()) {
    const auto took = std::chrono::duration_cast<Time::duration>(seen.total);
    return set_good(*known, now - took, now);
  }
  known->problem = problem;
  const bool was_good = known->last_success.has_value() || ended_by_date(seen.model_id);
  const auto gone = metrics::model_gone(seen.status, seen.error_message, was_good);
  if (gone) set_gone(*known, *gone, now);
}

void ModelBook::note(std::string_view route, routing::Variant variant, std::string_view model,
                     std::string_view problem, Time now) {
  const std::lock_guard lock(mutex_);
  Entry* known = entry(route, variant, model, now);
  if (known == nullptr) return;
  if (problem.empty()) return set_good(*known, now, now);
  known->problem = problem;
}

void ModelBook::note_gone(std::string_view route, routing::Variant variant, std::string_view model,
                          ModelGone kind, Time now) {
  const std::lock_guard lock(mutex_);
  if (Entry* known = entry(route, variant, model, now)) set_gone(*known, kind, now);
}

void ModelBook::set_gone(Entry& known, ModelGone kind, Time now) {
  known.problem = "gone";
  if (known.gone == kind) return;
  known.gone = kind;
  known.gone_since = now;
  log_error("model_gone", {{"route", std::string_view{known.route}},
                           {"variant", routing::label(known.variant)},
                           {"model", std::string_view{known.model}},
                           {"how", label(kind)}});
}

bool ModelBook::answered_before(std::string_view route, std::string_view model) const {
  const std::lock_guard lock(mutex_);
  for (const auto variant : {routing::Variant::primary, routing::Variant::candidate}) {
    const auto found = entries_.find(KeyView{route, variant, model});
    if (found != entries_.end() && found->second.last_success) return true;
  }
  return false;
}

void ModelBook::set_dates(std::shared_ptr<const metrics::Lifecycles> dates) {
  const std::lock_guard lock(mutex_);
  dates_ = std::move(dates);
}

bool ModelBook::was_good(std::string_view route, std::string_view model) const {
  if (answered_before(route, model)) return true;
  const std::lock_guard lock(mutex_);
  return ended_by_date(model);
}

bool ModelBook::ended_by_date(std::string_view model) const {
  return dates_ && dates_->state(model, routing::today()) == metrics::ModelState::ended;
}

std::vector<ModelBook::Entry> ModelBook::entries() const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> all;
  all.reserve(entries_.size());
  for (const auto& [key, known] : entries_) all.push_back(known);
  return all;
}

std::uint64_t ModelBook::left_out() const {
  const std::lock_guard lock(mutex_);
  return left_out_;
}

std::shared_ptr<GoneModels> ModelBook::gone(std::string_view route) {
  const std::lock_guard lock(mutex_);
  auto found = gone_.find(route);
  if (found == gone_.end())
    found = gone_.emplace(std::string{route}, std::make_shared<GoneModels>()).first;
  return found->second;
}

}  // namespace understudy::proxy

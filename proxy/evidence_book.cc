#include "proxy/evidence_book.h"

#include <algorithm>
#include <utility>

#include "metrics/divergence/error_headline.h"
#include "metrics/json_reader.h"
#include "metrics/quantile_gates.h"
#include "proxy/log.h"
#include "proxy/verdict_status.h"
#include "routing/hash.h"
#include "routing/sampling.h"

namespace understudy::proxy {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

// A comparison must show within a second; looking at all gates of all families costs milliseconds.
constexpr auto kPublishEvery = 250ms;
constexpr auto kSaveEvery = 30s;
// Larger than the evidence, and soon learned again.
constexpr auto kSaveProfilesEvery = 5min;
// Traffic without pairs shows as often.
constexpr auto kShowTrafficEvery = 10s;
constexpr auto kWatchEvery = 500ms;
constexpr std::size_t kConversationBytes = 256u << 10;

// Counts one refusal as invalid by what the candidate said.
void count_validation_error(metrics::RouteEvidence& into, std::string_view family,
                            std::string_view request_body, const metrics::PairOutcome& pair) {
  const auto found = std::ranges::find(pair.comparison.findings, metrics::Signal::validation_error,
                                       &metrics::Finding::signal);
  if (found == pair.comparison.findings.end()) return;
  if (!found->other_bad) return;
  const metrics::Observation& candidate = pair.other;
  into.record_validation_error(
      family, metrics::divergence::error_headline(candidate.error_message, request_body));
}

}  // namespace

EvidenceBook::EvidenceBook(const std::string& state_directory, metrics::StateStore& store)
    : files_(state_directory, store),
      saved_(steady_clock::now()),
      saved_profiles_(saved_),
      watched_(saved_),
      showed_traffic_(saved_) {}

EvidenceBook::~EvidenceBook() {
  for (auto& [route, entry] : entries_) save_all(route, entry);
}

EvidenceBook::Watched EvidenceBook::watched_by(const metrics::RouteMeter& meter) {
  const metrics::RouteCounts counts = meter.counts();
  const auto failed = counts.skipped.find(std::string(label(routing::SkipReason::primary_failed)));
  return {.requests = counts.eligible - (failed == counts.skipped.end() ? 0 : failed->second),
          .copies = copies_of(counts)};
}

void EvidenceBook::Watched::rise_to(const Watched& now) noexcept {
  requests = std::max(requests, now.requests);
  copies.drawn = std::max(copies.drawn, now.copies.drawn);
  copies.dropped = std::max(copies.dropped, now.copies.dropped);
}

EvidenceBook::Entry* EvidenceBook::entry(const ExperimentContext& context) {
  take_new_stages();
  auto found = entries_.find(context.route);
  if (found == entries_.end()) {
    found = entries_.emplace(std::string(context.route), begin(context)).first;
  } else if (found->second.evidence.experiment() != context.experiment) {
    if (context.generation < found->second.generation) return nullptr;
    save_all(context.route, found->second);
    found->second = begin(context, found->second.evidence.traffic());
  }
  Entry& entry = found->second;
  entry.generation = std::max(entry.generation, context.generation);
  if (const auto stage = stages_.find(context.route); stage != stages_.end())
    entry.evidence.begin_stage(stage->second, Clock::now());
  entry.rules = context.rules;
  if (context.meter && entry.meter != context.meter) {
    entry.meter = context.meter;
    entry.watched = watched_by(*context.meter);
  }
  entry.unpublished = entry.unsaved = true;
  return &entry;
}

void EvidenceBook::take_up(const ExperimentContext& context) {
  if (entries_.find(context.route) != entries_.end()) return;
  auto loaded = files_.load(context.route);
  if (!loaded.problem.empty()) log_warn("evidence_not_loaded", {{"what", loaded.problem}});
  if (!loaded.evidence || loaded.evidence->experiment() != context.experiment) return;
  entries_.emplace(std::string(context.route), go_on_with(std::move(*loaded.evidence), context));
  if (Entry* const taken_up = entry(context)) taken_up->unsaved = false;
}

EvidenceBook::Entry EvidenceBook::go_on_with(metrics::RouteEvidence saved,
                                             const ExperimentContext& context) {
  auto learned = files_.load_profiles(context.route, context.experiment);
  if (!learned.problem.empty()) log_warn("profiles_not_loaded", {{"what", learned.problem}});
  auto mined = files_.load_miner(context.route, context.experiment);
  if (!mined.problem.empty()) log_warn("families_not_loaded", {{"what", mined.problem}});
  Entry entry{std::move(saved)};
  entry.profiles = std::move(learned.profiles);
  entry.families = metrics::FamilyFinder(std::move(mined.miner));
  return entry;
}

// The evidence that was saved. Where another experiment made it, none but of the route's traffic:
// `traffic` is what is known without a file.
EvidenceBook::Entry EvidenceBook::begin(const ExperimentContext& context,
                                        const metrics::TrafficTally& traffic) {
  auto loaded = files_.load(context.route);
  if (!loaded.problem.empty()) log_warn("evidence_not_loaded", {{"what", loaded.problem}});
  if (loaded.evidence && loaded.evidence->experiment() == context.experiment)
    return go_on_with(std::move(*loaded.evidence), context);
  if (loaded.evidence) {
    files_.set_aside(context.route, loaded.evidence->experiment());
    log_info("evidence_begins_anew", {{"route", context.route},
                                      {"why", "models, upstreams or rewrites changed"},
                                      {"former_experiment", loaded.evidence->experiment()}});
  }
  Entry anew{{std::string(context.experiment), Clock::now()}};
  anew.evidence.record_former_traffic(loaded.evidence ? loaded.evidence->traffic() : traffic);
  return anew;
}

void EvidenceBook::begin_stage(std::string_view route, std::string_view stage) {
  const std::lock_guard lock(mutex_);
  new_stages_.insert_or_assign(std::string(route), std::string(stage));
  has_new_stages_ = true;
}

void EvidenceBook::take_new_stages() {
  if (!has_new_stages_.exchange(false)) return;
  const std::lock_guard lock(mutex_);
  for (auto& [route, stage] : std::exchange(new_stages_, {})) {
    // Now rather than with the next pair: a pair that is weighed already belongs to what was.
    if (const auto known = entries_.find(route); known != entries_.end()) {
      if (known->second.evidence.begin_stage(stage, Clock::now()))
        known->second.unpublished = known->second.unsaved = true;
    }
    stages_.insert_or_assign(route, std::move(stage));
  }
}

bool EvidenceBook::record_pair(const ExperimentContext& context, std::string_view family,
                               std::string_view request_body, const metrics::PairOutcome& pair) {
  Entry* const into = entry(context);
  if (!into || is_repeat(*into, request_body)) return false;
  into->evidence.record_pair(family, pair, Clock::now());
  count_validation_error(into->evidence, family, request_body, pair);
  return true;
}

bool EvidenceBook::is_repeat(Entry& entry, std::string_view request_body) {
  const std::uint64_t conversation = routing::conversation_key(request_body, kConversationBytes);
  if (entry.repeats.is_new(conversation, routing::hash64(request_body), Clock::now())) return false;
  entry.evidence.record_repeat();
  return true;
}

void EvidenceBook::record_failure(const ExperimentContext& context, std::string_view family,
                                  std::string_view request_body,
                                  const metrics::FailedAttempts& failed) {
  Entry* const into = entry(context);
  if (into && !is_repeat(*into, request_body))
    into->evidence.record_failure(family, failed, Clock::now());
}

void EvidenceBook::record_triple(const ExperimentContext& context, std::string_view family,
                                 const metrics::Comparison& shadow,
                                 const metrics::Comparison& control, bool in_pool) {
  if (Entry* const into = entry(context))
    into->evidence.record_triple(family, shadow, control, in_pool);
}

std::string EvidenceBook::family(const ExperimentContext& context, std::string_view tag,
                                 std::string_view model_id,
                                 const std::optional<metrics::Json>& request) {
  Entry* const of_route = entry(context);
  if (!of_route) return std::string(metrics::RouteEvidence::kOther);
  of_route->miner_unsaved = true;
  std::string family = of_route->families.family_of(tag, model_id, request);
  if (!context.keeps_text) {
    of_route->lines.clear();
  } else if (request && family.starts_with(metrics::FamilyMiner::kPrefix)) {
    of_route->lines.learn(family, metrics::prompt_text(*request));
  }
  return family;
}

metrics::AnswerProfile& EvidenceBook::profile_of(Entry& entry, std::string_view family) {
  if (const auto known = entry.profiles.find(family); known != entry.profiles.end())
    return known->second;
  const bool room = entry.profiles.size() < metrics::RouteEvidence::kMaxFamilies;
  return entry.profiles[std::string(room ? family : metrics::RouteEvidence::kOther)];
}

const metrics::AnswerProfile* EvidenceBook::profile(const ExperimentContext& context,
                                                    std::string_view family) {
  Entry* const of_route = entry(context);
  return of_route ? &profile_of(*of_route, family) : nullptr;
}

std::optional<double> EvidenceBook::own_containment(const ExperimentContext& context,
                                                    std::string_view family) {
  Entry* const of_route = entry(context);
  if (!of_route) return std::nullopt;
  const auto& families = of_route->evidence.families();
  const auto known = families.find(family);
  return known == families.end() ? std::nullopt : known->second.containment.own_median();
}

void EvidenceBook::learn(const ExperimentContext& context, std::string_view family,
                         const metrics::Observation& primary, const metrics::TextTraits& text) {
  Entry* const of_route = entry(context);
  if (!of_route) return;
  profile_of(*of_route, family).learn(primary, text);
  of_route->profiles_unsaved = true;
}

void EvidenceBook::record_missing(const ExperimentContext& context) {
  if (Entry* const into = entry(context)) into->evidence.record_missing();
}

// Computes only what is new since it last looked.
void EvidenceBook::look(Entry& entry) {
  if (!entry.watch || entry.watch->rules() != entry.rules)
    entry.watch = std::make_unique<metrics::AlarmWatch>(entry.rules);
  entry.watch->look(entry.evidence);
  entry.watch->latch(entry.evidence);
  metrics::latch_quantiles(entry.evidence, entry.rules);
}

void EvidenceBook::publish() {
  take_new_stages();
  const auto now = steady_clock::now();
  if (now - published_ < kPublishEvery) return;
  published_ = now;
  if (now - watched_ >= kWatchEvery) watch_traffic();
  const bool save_now = now - saved_ >= kSaveEvery;
  if (save_now) saved_ = now;
  const bool save_profiles_now = now - saved_profiles_ >= kSaveProfilesEvery;
  if (save_profiles_now) saved_profiles_ = now;
  for (auto& [route, entry] : entries_) {
    if (std::exchange(entry.unpublished, false)) {
      look(entry);
      auto copy = std::make_shared<const metrics::RouteEvidence>(entry.evidence);
      const std::lock_guard lock(mutex_);
      shown_.insert_or_assign(route, std::move(copy));
    }
    if (save_now) save(route, entry);
    if (save_profiles_now) save_profiles(route, entry);
    // A family's name goes with the pairs that are counted by it.
    const bool has_new = entry.families.miner().opened() != entry.saved_families;
    if (save_profiles_now || (save_now && has_new)) save_miner(route, entry);
  }
}

void EvidenceBook::watch_traffic() {
  const auto now = steady_clock::now();
  const auto watched = std::chrono::floor<std::chrono::milliseconds>(now - watched_);
  watched_ = now;
  const bool show = now - showed_traffic_ >= kShowTrafficEvery;
  if (show) {
    showed_traffic_ = now;
    show_family_lines();
  }
  for (auto& [route, entry] : entries_) {
    if (!entry.meter) continue;
    const Watched before = entry.watched;
    entry.watched.rise_to(watched_by(*entry.meter));
    entry.evidence.record_traffic(entry.watched.requests - before.requests, watched, Clock::now());
    entry.evidence.record_copies({.drawn = entry.watched.copies.drawn - before.copies.drawn,
                                  .dropped = entry.watched.copies.dropped - before.copies.dropped});
    entry.unsaved = entry.unsaved || entry.watched != before;
    entry.unpublished = entry.unpublished || show;
  }
}

void EvidenceBook::show_family_lines() {
  for (const auto& [route, entry] : entries_) {
    auto lines = std::make_shared<const metrics::FamilyLines::Lines>(entry.lines.lines());
    if (lines->empty()) lines.reset();
    const std::lock_guard lock(mutex_);
    lines_.insert_or_assign(route, std::move(lines));
  }
}

void EvidenceBook::save(std::string_view route, Entry& entry) {
  if (!std::exchange(entry.unsaved, false)) return;
  if (const std::string problem = files_.save(route, entry.evidence); !problem.empty()) {
    entry.unsaved = true;  // tried again next time
    log_warn("evidence_not_saved", {{"route", route}, {"what", problem}});
  }
}

void EvidenceBook::save_profiles(std::string_view route, Entry& entry) {
  if (!std::exchange(entry.profiles_unsaved, false)) return;
  const std::string problem =
      files_.save_profiles(route, entry.evidence.experiment(), entry.profiles);
  if (problem.empty()) return;
  entry.profiles_unsaved = true;  // tried again next time
  log_warn("profiles_not_saved", {{"route", route}, {"what", problem}});
}

void EvidenceBook::save_miner(std::string_view route, Entry& entry) {
  if (!std::exchange(entry.miner_unsaved, false)) return;
  const metrics::FamilyMiner& miner = entry.families.miner();
  const std::string problem = files_.save_miner(route, entry.evidence.experiment(), miner);
  if (problem.empty()) {
    entry.saved_families = miner.opened();
    return;
  }
  entry.miner_unsaved = true;  // tried again next time
  log_warn("families_not_saved", {{"route", route}, {"what", problem}});
}

void EvidenceBook::save_all(std::string_view route, Entry& entry) {
  save(route, entry);
  save_profiles(route, entry);
  save_miner(route, entry);
}

std::shared_ptr<const metrics::RouteEvidence> EvidenceBook::evidence(std::string_view route) const {
  const std::lock_guard lock(mutex_);
  const auto found = shown_.find(route);
  return found == shown_.end() ? nullptr : found->second;
}

std::shared_ptr<const metrics::FamilyLines::Lines> EvidenceBook::family_lines(
    std::string_view route) const {
  const std::lock_guard lock(mutex_);
  const auto found = lines_.find(route);
  return found == lines_.end() ? nullptr : found->second;
}

}  // namespace understudy::proxy

#pragma once
// The evidence of all routes: fed on the analysis thread, read by anyone. Saved to the state
// directory now and then and at the end, and taken up again from there.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/evidence/alarm_watch.h"
#include "metrics/evidence/evidence.h"
#include "metrics/evidence/evidence_files.h"
#include "metrics/evidence/profiles_json.h"
#include "metrics/evidence/repeats.h"
#include "metrics/family.h"
#include "metrics/family_lines.h"
#include "metrics/recorder.h"
#include "routing/config.h"

namespace understudy::proxy {

// Which route a pair belongs to, what is compared there, and by which rules.
struct ExperimentContext {
  std::string_view route;
  std::string_view experiment;  // routing::experiment_id()
  const routing::VerdictConfig& rules;
  const metrics::RouteMeter* meter = nullptr;  // of all its traffic; none: it is not projected
  std::uint64_t generation = 0;                // of the config that the pair was made under
  bool keeps_text = false;                     // records may hold text as it is
};

// Whether the operator lets text of prompts be kept as it is.
inline bool keeps_text(const routing::Config& config) noexcept {
  return !config.records.directory.empty() &&
         config.records.content == routing::RecordsConfig::Content::full;
}

class EvidenceBook {
 public:
  using Clock = std::chrono::system_clock;

  // The store outlives this.
  explicit EvidenceBook(const std::string& state_directory,
                        metrics::StateStore& store = metrics::direct_state_store());
  ~EvidenceBook();  // saves what was not

  // --- Analysis thread. What was saved of that experiment counts and shows before its first pair
  // comes. Nothing happens where the route's evidence is known already, or another experiment made
  // what was saved.
  void take_up(const ExperimentContext& context);

  // --- Analysis thread. What comes late, made under a config that a later one's experiment has
  // replaced on the route, is let go: it belongs to evidence that has been set aside.
  // True where the pair was counted; false for a repeat, which says nothing new.
  bool record_pair(const ExperimentContext& context, std::string_view family,
                   std::string_view request_body, const metrics::PairOutcome& pair);
  void record_triple(const ExperimentContext& context, std::string_view family,
                     const metrics::Comparison& shadow, const metrics::Comparison& control,
                     bool in_pool = true);
  // An exchange that failed before it was a pair; repeats as of pairs.
  void record_failure(const ExperimentContext& context, std::string_view family,
                      std::string_view request_body, const metrics::FailedAttempts& failed);
  // The family that a request is judged in: named by itself, or found by the words it shares with
  // others. Call it once for a request.
  std::string family(const ExperimentContext& context, std::string_view tag,
                     std::string_view model_id, const std::optional<metrics::Json>& request);
  // What the family's answers have been like so far; null for what comes late.
  const metrics::AnswerProfile* profile(const ExperimentContext& context, std::string_view family);
  // What two answers of the primary usually share there; none while it is not known.
  std::optional<double> own_containment(const ExperimentContext& context, std::string_view family);
  // An answer of the primary, once it has been compared.
  void learn(const ExperimentContext& context, std::string_view family,
             const metrics::Observation& primary, const metrics::TextTraits& text);
  // The candidate was throttled.
  void record_missing(const ExperimentContext& context);
  // Shows readers the lines of mined families as they are now; publish() does now and then.
  void show_family_lines();
  // Shows what is new to readers, remembers its alarms, and saves it when it is time. Call it every
  // few milliseconds.
  void publish();

  // --- Any thread. A stage of the route's rollout begins: pairs from now on are judged by
  // themselves, too. Calling it again with the stage that goes on changes nothing.
  void begin_stage(std::string_view route, std::string_view stage);

  // --- Any thread. The newest published evidence of a route; null before its first pair.
  std::shared_ptr<const metrics::RouteEvidence> evidence(std::string_view route) const;
  // --- Any thread. Lines that the route's mined families are known by; null where no text is kept.
  std::shared_ptr<const metrics::FamilyLines::Lines> family_lines(std::string_view route) const;

 private:
  // What a route's books tell of all its traffic.
  struct Watched {
    // That were answered, copied or not: those that failed cost nothing.
    std::uint64_t requests = 0;
    metrics::CopyCounts copies{};
    // The books settle an exchange in steps, so for a moment less may be left of what there was.
    void rise_to(const Watched& now) noexcept;
    friend bool operator==(const Watched&, const Watched&) = default;
  };
  struct Entry {
    metrics::RouteEvidence evidence;
    routing::VerdictConfig rules{};
    std::unique_ptr<metrics::AlarmWatch> watch{};  // of these rules, once it was looked
    metrics::RepeatGuard repeats{};
    metrics::FamilyFinder families{};
    metrics::FamilyLines lines{};        // of those that are mined
    metrics::AnswerProfiles profiles{};  // as many families as the evidence keeps
    const metrics::RouteMeter* meter = nullptr;
    Watched watched{};             // by the meter, when it was last looked at
    std::uint64_t generation = 0;  // the newest that it was fed from
    bool unpublished = true;
    bool unsaved = false;
    bool profiles_unsaved = false;
    bool miner_unsaved = false;
    std::uint64_t saved_families = 0;  // that the miner had opened when it was last saved
  };
  Entry* entry(const ExperimentContext& context);  // null: it comes late
  static Watched watched_by(const metrics::RouteMeter& meter);
  static bool is_repeat(Entry& entry, std::string_view request_body);
  metrics::AnswerProfile& profile_of(Entry& entry, std::string_view family);
  Entry begin(const ExperimentContext& context, const metrics::TrafficTally& traffic = {});
  Entry go_on_with(metrics::RouteEvidence saved, const ExperimentContext& context);
  void look(Entry& entry);
  void take_new_stages();
  void save(std::string_view route, Entry& entry);
  void save_profiles(std::string_view route, Entry& entry);
  void save_miner(std::string_view route, Entry& entry);
  void save_all(std::string_view route, Entry& entry);
  void watch_traffic();

  // The analysis thread's.
  metrics::EvidenceFiles files_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::chrono::steady_clock::time_point published_{}, saved_{}, saved_profiles_, watched_,
      showed_traffic_;

  std::map<std::string, std::string, std::less<>> stages_;  // by route

  std::atomic<bool> has_new_stages_{false};
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> new_stages_;
  std::map<std::string, std::shared_ptr<const metrics::RouteEvidence>, std::less<>> shown_;
  std::map<std::string, std::shared_ptr<const metrics::FamilyLines::Lines>, std::less<>> lines_;
};

}  // namespace understudy::proxy

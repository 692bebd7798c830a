#pragma once
// Watches one route's candidate after its rollout: counts what it is asked while the rollout lasts,
// freezes that and the evidence when the rollout is complete, and judges what comes later
// (metrics/drift). Lives on in the state directory. Owned by the rollout keeper, under its lock.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "metrics/drift.h"
#include "metrics/state_file.h"
#include "proxy/operational_gates.h"
#include "routing/rollout.h"

namespace understudy::proxy {

// What is kept between two runs.
struct DriftMemory {
  std::string experiment;
  metrics::ServedTally rollout;  // so far, until it is complete
  std::optional<metrics::DriftBaseline> baseline{};
  std::vector<metrics::ServedHour> hours{};             // since then, oldest first
  std::vector<metrics::FirstTokenHour> first_tokens{};  // the same, the newest
  std::vector<std::string> drifting{};                  // signals, in the order of being found
  friend bool operator==(const DriftMemory&, const DriftMemory&) = default;
};
std::string to_json_text(const DriftMemory& memory);
// None where it is no such memory; never throws. `text` is hostile.
std::optional<DriftMemory> drift_from_json(std::string_view text);

// As it is told.
struct DriftView {
  std::chrono::sys_seconds since{};  // the rollout was complete then
  std::vector<metrics::DriftFinding> findings;
  std::vector<std::string> drifting;  // signals: once found, they stay

  bool drifts(std::string_view signal) const noexcept;
};
// The `drift` object of a rollout.
nlohmann::json describe_drift(const DriftView& drift);

class DriftWatch {
 public:
  static constexpr std::size_t kMaxHours = 400 * 24;       // longer than any watch
  static constexpr std::size_t kMaxFirstTokenHours = 240;  // as much as the evidence keeps
  static constexpr std::chrono::seconds kSaveEvery{60};

  // Takes up what an empty directory does not keep. What cannot be read is set aside.
  // `store` outlives this.
  DriftWatch(std::string route, std::string experiment, const std::filesystem::path& directory,
             metrics::StateStore& store);
  ~DriftWatch();  // saves what was not
  DriftWatch(const DriftWatch&) = delete;
  DriftWatch& operator=(const DriftWatch&) = delete;

  struct Look {
    routing::RolloutPhase phase = routing::RolloutPhase::pending;
    routing::Moment complete_since{};                  // where it is complete
    const metrics::RouteEvidence* evidence = nullptr;  // null: not known at this moment
    const routing::VerdictConfig& rules;
    ServedFigures candidate{};  // since the process began
  };
  // What has begun to drift with this look: sentences.
  std::vector<std::string> look(const Look& look, routing::Moment now);

  const std::string& experiment() const noexcept { return memory_.experiment; }
  bool drifts() const noexcept { return !memory_.drifting.empty(); }
  std::string text() const;               // of what drifts; empty where nothing does
  std::optional<DriftView> view() const;  // none before the rollout is complete

 private:
  void count(const ServedFigures& candidate, routing::Moment now);
  void count_first_tokens(const metrics::RouteEvidence& evidence, routing::Moment now);
  void take_baseline(const Look& look);
  void save(routing::Moment now);

  const std::string route_;
  const std::filesystem::path file_;  // empty: nothing is kept
  metrics::StateStore& store_;
  DriftMemory memory_;
  std::optional<metrics::DriftJudge> judge_;
  std::vector<metrics::DriftFinding> findings_;
  std::optional<ServedFigures> counted_;
  std::optional<metrics::FirstTokenCounts> counted_first_tokens_;
  bool unsaved_ = false;
  routing::Moment saved_{};
};

}  // namespace understudy::proxy

#pragma once
// Asks Bedrock's control plane now and then for the dates of the models in use, where
// lifecycle.poll says so: ListFoundationModels once, GetFoundationModel for those that are not on
// the list (`modelLifecycle` in the Amazon Bedrock API Reference). One thread of its own.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/lifecycle.h"
#include "proxy/error.h"
#include "proxy/model_book.h"
#include "proxy/periodic.h"
#include "proxy/snapshot.h"
#include "routing/day.h"

namespace understudy::proxy {

// What the control plane says of a model.
struct ToldDates {
  routing::ModelDates dates{};
  std::chrono::sys_days day{};  // of the telling
  // It is legacy, or has ended, since nobody says when: those dates are the day of the telling.
  bool legacy_guessed = false, end_guessed = false;
};
using ListedDates = std::map<std::string, ToldDates, std::less<>>;  // by model id

// What an answer of GetFoundationModel tells on that day; none where it tells nothing.
std::optional<ToldDates> dates_from_control_plane(std::string_view body, std::chrono::sys_days day);
// The same of ListFoundationModels; none where it is no such list.
std::optional<ListedDates> listed_by_control_plane(std::string_view body,
                                                   std::chrono::sys_days day);

class LifecyclePoll {
 public:
  static constexpr std::size_t kMaxModels = 128;  // asked in one round
  struct Options {
    std::chrono::milliseconds look_every{10'000};
    std::chrono::milliseconds timeout{20'000};  // of a call
    std::function<std::chrono::sys_days()> today = routing::today;
  };

  // Both are asked on the thread, and outlive this.
  LifecyclePoll(std::function<std::shared_ptr<const Snapshot>()> snapshot, const ModelBook& models,
                Options options);

  // Asks for every model in use, whether it is time or not; the thread does so when it is.
  void ask_now();

  // The dates in force with what was told before them; the config's own stay before both. Any
  // thread.
  std::shared_ptr<const metrics::Lifecycles> with_told(
      std::shared_ptr<const metrics::Lifecycles> known) const;

  // understudy_lifecycle_readings_total{result} in the exposition's text format. Any thread.
  std::string exposition() const;

 private:
  void look();
  Result<ListedDates> ask_list(const std::shared_ptr<const Snapshot>& snapshot);
  ListedDates read_list(const std::shared_ptr<const Snapshot>& snapshot);
  bool ask(const std::shared_ptr<const Snapshot>& snapshot, const std::string& model);
  void remember(const std::string& model, ToldDates told);

  const std::function<std::shared_ptr<const Snapshot>()> snapshot_;
  const ModelBook& models_;
  const Options options_;
  mutable std::mutex mutex_;
  std::map<std::string, ToldDates> told_;  // by canonical_model(); guarded by mutex_
  std::atomic<std::uint64_t> lists_read_{0}, lists_failed_{0};
  // The thread's:
  std::optional<std::chrono::steady_clock::time_point> asked_;
  std::string list_problem_;  // empty: the last list was read
  Periodic thread_;           // ends after the call under way, which `timeout` bounds
};

}  // namespace understudy::proxy

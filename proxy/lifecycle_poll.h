#pragma once
// Asks Bedrock's control plane now and then for the dates of the models in use, where
// lifecycle.poll says so: ListFoundationModels once, GetFoundationModel for those that are not on
// the list (modelLifecycle, bedrock-wire 1.3). One thread of its own.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/lifecycle.h"
#include "proxy/model_book.h"
#include "proxy/periodic.h"
#include "proxy/snapshot.h"

namespace understudy::proxy {

// What an answer of GetFoundationModel tells; none where it tells nothing.
std::optional<routing::ModelDates> dates_from_control_plane(std::string_view body);
// The same of ListFoundationModels, by model id.
std::map<std::string, routing::ModelDates, std::less<>> listed_by_control_plane(
    std::string_view body);

class LifecyclePoll {
 public:
  static constexpr std::size_t kMaxModels = 128;  // asked in one round
  struct Options {
    std::chrono::milliseconds look_every{10'000};
    std::chrono::milliseconds timeout{20'000};  // of a call
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

 private:
  void look();
  std::map<std::string, routing::ModelDates, std::less<>> ask_list(
      const std::shared_ptr<const Snapshot>& snapshot);
  bool ask(const std::shared_ptr<const Snapshot>& snapshot, const std::string& model);
  void remember(const std::string& model, const routing::ModelDates& dates);

  const std::function<std::shared_ptr<const Snapshot>()> snapshot_;
  const ModelBook& models_;
  const Options options_;
  mutable std::mutex mutex_;
  std::map<std::string, metrics::ModelLifecycle> told_;  // by canonical_model(); guarded by mutex_
  std::optional<std::chrono::steady_clock::time_point> asked_;  // the thread's
  Periodic thread_;  // ends after the call under way, which `timeout` bounds
};

}  // namespace understudy::proxy

#pragma once
// Keeps the way back open: a legacy model that an account does not use for 15 days is locked out,
// so the primary of a route that says `keep_warm` gets a tiny request whenever nothing else had an
// answer of it for that long. One thread of its own.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/model_book.h"
#include "proxy/periodic.h"
#include "proxy/snapshot.h"

namespace understudy::proxy {

// Whether a rollback would find a primary that answers.
struct RollbackReadiness {
  bool ready = false;
  std::string reason{};  // why not, in plain words; empty where it is
  std::optional<std::chrono::seconds> last_success_age{};
};

// By what its primary's models answered last, those that never did left aside: the newest answer
// must be a success, or a refusal of the request, and the last success younger than twice
// `keep_warm.every` (a day, where the route keeps nothing warm). Of the last hour's requests less
// than 1 % may have been too long for the primary's context: an older model takes less than those
// who are used to a newer one may ask.
RollbackReadiness rollback_readiness(const routing::RouteConfig& route,
                                     const std::vector<ModelBook::Entry>& models,
                                     ModelBook::Time now);

// The reason of the route of that name; empty where it is ready, or no route.
std::string closed_way_back(const routing::Config& config, std::string_view route,
                            const std::vector<ModelBook::Entry>& models, ModelBook::Time now);

// understudy_rollback_ready{route}: 1 where a rollback would find a primary that answers. In the
// exposition's text format.
std::string rollback_exposition(const routing::Config& config,
                                const std::vector<ModelBook::Entry>& models, ModelBook::Time now);

class KeepWarm {
 public:
  struct Options {
    std::chrono::milliseconds look_every{10'000};
    std::chrono::milliseconds timeout{20'000};  // of a call
    // After a call that failed; sooner where the route is kept warm more often than that.
    std::chrono::milliseconds try_again{300'000};
  };

  // `snapshot` tells what is in force. Both are asked on the thread, and outlive this.
  KeepWarm(std::function<std::shared_ptr<const Snapshot>()> snapshot, ModelBook& models,
           Options options);

  // Makes the calls that are due; the thread does so by itself.
  void look();

 private:
  const std::function<std::shared_ptr<const Snapshot>()> snapshot_;
  ModelBook& models_;
  const Options options_;
  using Steady = std::chrono::steady_clock::time_point;

  bool is_due(const routing::RouteConfig& route, const std::string& model) const;

  // The thread's: for a route and the model that was called last, when it may be called again.
  struct Called {
    std::string model;
    Steady again{};
  };
  std::map<std::string, Called> called_;
  Periodic thread_;  // ends after the call under way, which `timeout` bounds
};

}  // namespace understudy::proxy

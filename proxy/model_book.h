#pragma once
// What this process knows of the models that it asked: when each answered last, what its last
// problem was, and which are gone (end of life, or locked out as legacy). Lives as long as the
// process, by route, so that a reload forgets nothing. Any thread.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "metrics/lifecycle.h"
#include "metrics/observation.h"
#include "metrics/served_outcome.h"

namespace understudy::proxy {

// The models of one route's primary that are gone, so that the candidate answers instead. Asked for
// every request of a route that wants it, which costs one relaxed load as long as there are none.
class GoneModels {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // A model that is said to be gone is asked again by one request in this time: it may have been
  // given back.
  static constexpr auto kTryAgain = std::chrono::minutes(10);
  static constexpr std::size_t kMaxModels = 32;

  struct Entry {
    std::string model;  // with its upstream's name before it
    metrics::ModelGone kind = metrics::ModelGone::ended;
    Time since{}, try_again{};
  };

  // How it is gone; none where it is not, and for the one request that shall try it again.
  std::optional<metrics::ModelGone> ask(std::string_view upstream, std::string_view model,
                                        Time now);
  // True where that is news.
  bool add(std::string_view upstream, std::string_view model, metrics::ModelGone kind, Time now);
  // Whether it is gone and not due to be tried again; uses no turn up.
  bool knows(std::string_view upstream, std::string_view model, Time now) const;
  // It has answered a request of `asked`. True where it was gone; what it was asked before it went
  // says nothing.
  bool remove(std::string_view upstream, std::string_view model, Time asked);
  bool any() const noexcept { return any_.load(std::memory_order_relaxed); }
  std::vector<Entry> entries() const;

 private:
  static std::string full_name(std::string_view upstream, std::string_view model);

  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;  // guarded by mutex_
};

class ModelBook {
 public:
  using Time = std::chrono::system_clock::time_point;
  static constexpr std::size_t kMaxEntries = 512;

  // The hour of the clock that is under way and the one before it.
  struct LastHour {
    std::uint64_t answers = 0;
    std::uint64_t too_long = 0;  // refused as longer than the model's context
  };

  struct Entry {
    std::string route;
    routing::Variant variant = routing::Variant::primary;
    std::string model;
    std::uint64_t answers = 0;
    Time last_seen{};
    std::optional<Time> last_success;
    // Of the last answer that was none: "throttled", "access", "gone", "refused", "failed"; empty
    // once it answers.
    std::string_view problem{};
    std::optional<metrics::ModelGone> gone{};
    std::optional<Time> gone_since{};
    std::array<LastHour, 2> hours{};  // `hour` and the one before it
    std::int64_t hour = -1;           // since 1970

    LastHour last_hour(Time now) const noexcept;
  };

  // An answer of that model, of any leg, which ended about `now`. Logs it the first time that one
  // says that it is gone.
  void note(std::string_view route, const metrics::Observation& seen, Time now);
  // What a call that no exchange made came to: see Entry::problem; empty is a success.
  void note(std::string_view route, routing::Variant variant, std::string_view model,
            std::string_view problem, Time now);
  // Its error says so. Logs it the first time.
  void note_gone(std::string_view route, routing::Variant variant, std::string_view model,
                 metrics::ModelGone kind, Time now);
  bool answered_before(std::string_view route, std::string_view model) const;
  // The dates that are known now; null: none are. The server begins with those of its first config.
  // From then on they are the serve command's alone, who knows the polled and posted ones, too: a
  // reload must not take those away, not even for a moment.
  void set_dates(std::shared_ptr<const metrics::Lifecycles> dates);
  // An "invalid identifier" means this model's end, not a typo: it answered before, or the date of
  // its end has passed.
  bool was_good(std::string_view route, std::string_view model) const;
  std::vector<Entry> entries() const;
  // Models for which there was no room: the oldest one that never answered makes it, where there is
  // one.
  std::uint64_t left_out() const;

  // The gone models of a route: the same object for the same name as long as the process lives.
  std::shared_ptr<GoneModels> gone(std::string_view route);

 private:
  using Key = std::tuple<std::string, routing::Variant, std::string>;
  using KeyView = std::tuple<std::string_view, routing::Variant, std::string_view>;
  struct Less {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const noexcept {
      return KeyView(a) < KeyView(b);
    }
  };
  Entry* entry(std::string_view route, routing::Variant variant, std::string_view model, Time now);
  bool make_room();
  bool ended_by_date(std::string_view model) const;
  static void count_hour(Entry& entry, bool too_long, Time now);
  void set_good(Entry& entry, Time asked, Time now);
  void set_gone(Entry& entry, metrics::ModelGone kind, Time now);

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::map<Key, Entry, Less> entries_;
  std::uint64_t left_out_ = 0;
  std::shared_ptr<const metrics::Lifecycles> dates_;
  std::map<std::string, std::shared_ptr<GoneModels>, std::less<>> gone_;
};

}  // namespace understudy::proxy

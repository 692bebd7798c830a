#pragma once
// Dates of models that somebody posts to the admin port: AWS Health's events of planned lifecycles,
// as EventBridge delivers them (AWS Health user guide, "Reference: AWS Health events Amazon
// EventBridge schema"). Kept in the state directory. Any thread.

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "metrics/lifecycle.h"
#include "proxy/events.h"

namespace understudy::proxy {

// What one event says of the models that it names.
struct HealthEvent {
  std::string code;                 // eventTypeCode
  std::vector<std::string> models;  // as metrics::canonical_model() files them
  routing::ModelDates dates;        // one of them is set; none where the event is over
  bool over = false;                // closed: nothing is planned any more
};
// In order, well formed, but not of a Bedrock model's life.
struct OtherHealthEvent {
  std::string why;
};
struct HealthEventProblem {
  std::string what;  // where, and what
};
// `body` is hostile: depth, entities and texts are bounded. Never throws.
std::variant<HealthEvent, OtherHealthEvent, HealthEventProblem> read_health_event(
    std::string_view body);

// "Wed, 05 Aug 2026 22:00:00 GMT", "2026-08-05T22:00:00Z" and "2026-08-05": the day, UTC.
std::optional<std::chrono::sys_days> day_from_moment(std::string_view text);

class LifecyclePosts {
 public:
  static constexpr std::size_t kMaxModels = 512;  // that dates are kept of

  // Both outlive this. Without a directory a restart forgets what was posted.
  LifecyclePosts(EventLog& events, StateWriter& writer, const std::string& state_directory,
                 std::function<std::chrono::sys_days()> today);

  struct Answer {
    unsigned status = 200;  // 400: it is no such event; 507: no room
    std::string body;       // JSON
  };
  Answer post(std::string_view body);

  // The dates in force with what was posted before them; the config's own stay before both.
  std::shared_ptr<const metrics::Lifecycles> with_posted(
      std::shared_ptr<const metrics::Lifecycles> known) const;

 private:
  using Table = std::map<std::string, metrics::ModelLifecycle, std::less<>>;
  bool has_room(const HealthEvent& event) const;
  void load();
  void save() const;
  void tell(const HealthEvent& event);

  EventLog& events_;
  StateWriter& writer_;
  const std::filesystem::path file_;  // empty: nothing is kept
  const std::function<std::chrono::sys_days()> today_;
  mutable std::mutex mutex_;
  Table posted_;  // by canonical_model(); guarded by mutex_
};

}  // namespace understudy::proxy

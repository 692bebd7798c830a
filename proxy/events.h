#pragma once
// What happened that a person may want to know of: state changes of rollouts and their kin. Each is
// a line in the log, an entry of GET /api/events, and handed on to whoever listens (the webhook).
// Owned by the serve command; any thread may use it.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::proxy {

struct Event {
  std::string kind;   // of a closed set: "rollout", "lifecycle"
  std::string route;  // empty: the process as a whole
  std::string text;   // a sentence for people
  // Names and values for machines: never content, never a secret.
  std::vector<std::pair<std::string, std::string>> facts{};
  bool warning = false;
  // Filled in by the log.
  std::uint64_t id = 0;  // rises by one, from 1 at each start
  std::chrono::system_clock::time_point at{};
};

// One JSON object.
std::string to_json_text(const Event& event);

class EventLog {
 public:
  static constexpr std::size_t kKept = 256;  // the newest

  explicit EventLog(
      std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now)
      : now_(std::move(now)) {}

  // Never blocks for longer than a line of log takes.
  void publish(Event event);
  // Called for each event on the thread that publishes it; must not block, and must not publish.
  // Before the first event.
  void listen(std::function<void(const Event&)> listener) { listener_ = std::move(listener); }

  // The newest first: {"events": [...]}
  std::string all_as_json() const;
  std::vector<Event> recent() const;

 private:
  const std::function<std::chrono::system_clock::time_point()> now_;
  std::function<void(const Event&)> listener_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::deque<Event> events_;
  std::uint64_t last_id_ = 0;
};

}  // namespace understudy::proxy

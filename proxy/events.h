#pragma once
// What happened that a person may want to know of: state changes of rollouts and their kin. Each is
// a line in the log, an entry of GET /api/events, and handed on to whoever listens (the webhook).
// The newest ones live on in the state directory. Owned by the serve command; any thread may use
// it.

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/state_writer.h"

namespace understudy::proxy {

struct Event {
  // Of a closed set: "rollout", "drift", "verdict", "end_of_life", "drill", "lifecycle",
  // "config".
  std::string kind;
  std::string route;  // empty: the process as a whole
  std::string text;   // a sentence for people
  // Names and values for machines: never content, never a secret.
  std::vector<std::pair<std::string, std::string>> facts{};
  bool warning = false;
  // Filled in by the log.
  std::uint64_t id = 0;  // rises by one, from 1; goes on after a restart where events are kept
  std::chrono::system_clock::time_point at{};
};

// One JSON object.
std::string to_json_text(const Event& event);
// What EventLog::save() wrote, the newest first. None where it is no such file; never throws.
// `text` is hostile.
std::optional<std::vector<Event>> events_from_json(std::string_view text);

class EventLog {
 public:
  static constexpr std::size_t kKept = 256;            // the newest
  static constexpr std::size_t kMaxTextBytes = 4'096;  // of a text or a fact; the rest is cut

  explicit EventLog(
      std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now)
      : now_(std::move(now)) {}
  ~EventLog();  // hands on what was not saved
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Events are kept in that directory from now on; empty: nowhere. The first time, those that are
  // there come before those of this process. What cannot be read is set aside as .damaged. `writer`
  // outlives this.
  void keep_in(const std::string& directory, StateWriter& writer);
  // Hands what is new to the writer. Publishing only marks it.
  void save();

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
  std::mutex saving_;  // one at a time, before mutex_
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::deque<Event> events_;  // the newest first
  std::uint64_t last_id_ = 0;
  std::filesystem::path file_;
  StateWriter* writer_ = nullptr;  // of file_
  bool unsaved_ = false;
};

}  // namespace understudy::proxy

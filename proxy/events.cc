#include "proxy/events.h"

#include <nlohmann/json.hpp>

#include "proxy/log.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;

json describe(const Event& event) {
  json facts = json::object();
  for (const auto& [name, value] : event.facts) facts[name] = value;
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(event.at.time_since_epoch());
  return {{"id", event.id},           {"unix_ms", ms.count()},
          {"kind", event.kind},       {"route", event.route.empty() ? json() : json(event.route)},
          {"warning", event.warning}, {"text", event.text},
          {"facts", std::move(facts)}};
}

std::string dumped(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string to_json_text(const Event& event) {
  return dumped(describe(event), -1);
}

void EventLog::publish(Event event) {
  event.at = now_();
  {
    const std::lock_guard lock(mutex_);
    event.id = ++last_id_;
    events_.push_front(event);
    if (events_.size() > kKept) events_.pop_back();
  }
  const json facts = describe(event)["facts"];
  log(event.warning ? LogLevel::warn : LogLevel::info, "event",
      {{"id", static_cast<std::int64_t>(event.id)},
       {"kind", event.kind},
       {"route", event.route},
       {"text", event.text},
       {"facts", dumped(facts, -1)}});
  if (listener_) listener_(event);
}

std::vector<Event> EventLog::recent() const {
  const std::lock_guard lock(mutex_);
  return {events_.begin(), events_.end()};
}

std::string EventLog::all_as_json() const {
  json events = json::array();
  for (const Event& event : recent()) events.push_back(describe(event));
  return dumped({{"events", std::move(events)}}, 2) + "\n";
}

}  // namespace understudy::proxy

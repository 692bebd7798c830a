#include "proxy/events.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "metrics/state_file.h"
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

constexpr int kVersion = 1;
constexpr int kMaxDepth = 5;
constexpr std::uintmax_t kMaxFileBytes = 16u << 20;
constexpr std::size_t kMaxFacts = 32;
constexpr const char* kFileName = "events.json";

void cut(std::string& text) {
  if (text.size() > EventLog::kMaxTextBytes) text.resize(EventLog::kMaxTextBytes);
}

std::string text_at(const json& object, const char* key) {
  auto text = object.at(key).get<std::string>();
  cut(text);
  return text;
}

Event event_from(const json& from) {
  Event event{.kind = text_at(from, "kind"), .route = {}, .text = text_at(from, "text")};
  if (!from.at("route").is_null()) event.route = text_at(from, "route");
  event.warning = from.at("warning").get<bool>();
  event.id = from.at("id").get<std::uint64_t>();
  constexpr std::int64_t kYear9999 = 253'402'300'799'000;
  const auto ms = from.at("unix_ms").get<std::int64_t>();
  if (ms < 0 || ms > kYear9999 || event.id > (std::uint64_t{1} << 53))
    throw std::invalid_argument("out of all bounds");
  event.at = std::chrono::system_clock::time_point(std::chrono::milliseconds(ms));
  const json& facts = from.at("facts");
  if (facts.size() > kMaxFacts) throw std::invalid_argument("too many facts");
  for (const auto& [name, value] : facts.items()) {
    auto text = value.get<std::string>();
    cut(text);
    event.facts.emplace_back(name.substr(0, 64), std::move(text));
  }
  return event;
}

std::string dumped(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string to_json_text(const Event& event) {
  return dumped(describe(event), -1);
}

std::optional<std::vector<Event>> events_from_json(std::string_view text) {
  try {
    const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; };
    const json from = json::parse(text, shallow);
    if (from.at("version").get<int>() != kVersion) return std::nullopt;
    std::vector<Event> events;
    for (const json& one : from.at("events")) {
      if (events.size() == EventLog::kKept) break;
      events.push_back(event_from(one));
      if (events.size() > 1 && events.back().id >= events[events.size() - 2].id)
        return std::nullopt;
    }
    return events;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

EventLog::~EventLog() {
  save();
}

void EventLog::keep_in(const std::string& directory, StateWriter& writer) {
  const std::lock_guard turn(saving_);
  const std::filesystem::path file =
      directory.empty() ? std::filesystem::path() : std::filesystem::path(directory) / kFileName;
  {
    const std::lock_guard lock(mutex_);
    if (file == file_) return;
    const bool first = file_.empty();
    if (!first) writer_->forget(file_);
    file_ = file;
    writer_ = &writer;
    unsaved_ = !events_.empty();
    if (file.empty() || !first) return;
  }
  const metrics::StateText read = writer.read(file, kMaxFileBytes);
  auto known = read.text ? events_from_json(*read.text) : std::vector<Event>();
  if (!known || !read.problem.empty()) {
    writer.set_aside(file, "damaged");
    log_warn("events_not_loaded", {{"what", file.string() + " was set aside as .damaged"}});
    return;
  }
  const std::lock_guard lock(mutex_);
  // Those of this process are newer, whatever has been published by now.
  const std::uint64_t before = known->empty() ? 0 : known->front().id;
  for (Event& event : events_) event.id += before;
  last_id_ += before;
  for (Event& event : *known) {
    if (events_.size() < kKept) events_.push_back(std::move(event));
  }
}

void EventLog::save() {
  const std::lock_guard turn(saving_);
  std::filesystem::path file;
  StateWriter* writer = nullptr;
  json all = json::array();
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(unsaved_, false) || file_.empty()) return;
    file = file_;
    writer = writer_;
    for (const Event& event : events_) all.push_back(describe(event));
  }
  const std::string text = dumped({{"version", kVersion}, {"events", std::move(all)}}, 1) + "\n";
  writer->write(file, text);
}

void EventLog::publish(Event event) {
  event.at = now_();
  cut(event.text);
  for (auto& [name, value] : event.facts) cut(value);
  {
    const std::lock_guard lock(mutex_);
    event.id = ++last_id_;
    events_.push_front(event);
    if (events_.size() > kKept) events_.pop_back();
    unsaved_ = true;
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

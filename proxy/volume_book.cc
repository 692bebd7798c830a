#include "proxy/volume_book.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "metrics/state_file.h"
#include "proxy/log.h"
#include "routing/day.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

constexpr std::int64_t kMinute = 60;
constexpr int kVersion = 1;
constexpr std::uintmax_t kMaxBytes = 64u << 10;
constexpr auto kSaveEvery = std::chrono::seconds(30);

void raise(VolumePeak& peak, const VolumePeak& to) noexcept {
  peak.requests = std::max(peak.requests, to.requests);
  peak.tokens = std::max(peak.tokens, to.tokens);
}

json describe(const VolumeMeter::Day& day) {
  return {{"day", routing::day_text(day.day)},
          {"requests", day.peak.requests},
          {"tokens", day.peak.tokens}};
}

VolumeMeter::Day read_day(const json& object) {
  const auto day = routing::day_from_text(object.at("day").get<std::string>());
  if (!day) throw std::invalid_argument("no day");
  return {.day = *day,
          .peak = {.requests = object.at("requests").get<std::uint64_t>(),
                   .tokens = object.at("tokens").get<std::uint64_t>()}};
}

double amount_at(const json& object, const char* key) {
  const auto value = object.at(key).get<double>();
  if (!std::isfinite(value) || value < 0.0) throw std::invalid_argument("no amount");
  return value;
}

}  // namespace

VolumeMeter::Day& VolumeMeter::day_of(std::int64_t second) noexcept {
  const sys_days day =
      std::chrono::floor<std::chrono::days>(sys_seconds(std::chrono::seconds(second)));
  Day& slot = days_[static_cast<std::size_t>(day.time_since_epoch().count() % kDays)];
  if (slot.day != day) slot = {.day = day};
  return slot;
}

void VolumeMeter::add(sys_seconds when, std::uint64_t tokens) noexcept {
  const std::int64_t begun = std::max<std::int64_t>(when.time_since_epoch().count(), 0);
  Day& day = day_of(begun);
  for (std::int64_t second = begun; second < begun + kMinute; ++second) {
    Window& window = windows_[static_cast<std::size_t>(second) % kWindows];
    if (window.second != second) window = {.second = second};
    ++window.sum.requests;
    window.sum.tokens += tokens;
    raise(day.peak, window.sum);
  }
}

void VolumeMeter::add_day(const Day& day) noexcept {
  if (day.day.time_since_epoch().count() < 0) return;
  Day& slot = days_[static_cast<std::size_t>(day.day.time_since_epoch().count() % kDays)];
  if (slot.day < day.day) slot = {.day = day.day};
  if (slot.day == day.day) raise(slot.peak, day.peak);
}

std::optional<VolumePeak> VolumeMeter::peak(sys_days today) const noexcept {
  VolumePeak peak;
  for (const Day& day : days_) {
    if (day.day > today - std::chrono::days(kDays)) raise(peak, day.peak);
  }
  if (peak.requests == 0) return std::nullopt;
  return peak;
}

std::vector<VolumeMeter::Day> VolumeMeter::days() const {
  std::vector<Day> used;
  std::ranges::copy_if(days_, std::back_inserter(used),
                       [](const Day& day) { return day.peak.requests > 0; });
  return used;
}

VolumeBook::VolumeBook(const std::string& state_directory, metrics::StateStore& store)
    : directory_(state_directory), store_(store) {}

VolumeBook::~VolumeBook() {
  save_new();
}

// As the candidate counts it; a request whose tokens nobody told is taken for the mean of the
// others.
std::uint64_t VolumeBook::Route::input_of(const Request& request) noexcept {
  const auto told = metrics::whole_input(request.usage);
  if (!told) return static_cast<std::uint64_t>(inputs > 0.0 ? std::ceil(input / inputs) : 0.0);
  const double tokens =
      std::ceil(static_cast<double>(*told) * (request.by_candidate ? 1.0 : scale()));
  input += tokens;
  inputs += 1.0;
  return static_cast<std::uint64_t>(tokens);
}

void VolumeBook::note(std::string_view name, const Request& request) {
  const std::lock_guard lock(mutex_);
  Route& of_route = route(name);
  if (of_route.rule != request.rule) {
    of_route.rule = request.rule;
    of_route.meter = {};
  }
  const std::uint64_t input = of_route.input_of(request);
  const auto output =
      static_cast<std::uint64_t>(std::max<std::int64_t>(request.usage.output.value_or(0), 0));
  // What is reserved first, or what is counted in the end: the quota must hold the larger.
  const std::uint64_t tokens =
      std::max(metrics::reserved_tokens(input, request.max_output, request.rule),
               input + output * request.rule.output_burn_down);
  of_route.meter.add(std::chrono::floor<std::chrono::seconds>(request.begun), tokens);
  of_route.unsaved = true;
}

void VolumeBook::note_pair(std::string_view name, std::uint64_t by_primary,
                           std::uint64_t by_candidate) {
  const std::lock_guard lock(mutex_);
  Route& of_route = route(name);
  of_route.primary_input += static_cast<double>(by_primary);
  of_route.candidate_input += static_cast<double>(by_candidate);
}

std::optional<VolumePeak> VolumeBook::peak(std::string_view name) {
  const std::lock_guard lock(mutex_);
  return route(name).meter.peak(routing::today());
}

VolumeBook::Route& VolumeBook::route(std::string_view name) {
  const auto found = routes_.find(name);
  if (found != routes_.end()) return found->second;
  Route& made = routes_[std::string(name)];
  load(name, made);
  return made;
}

std::filesystem::path VolumeBook::path_of(std::string_view name) const {
  return directory_ / ("volume-" + std::string(name) + ".json");
}

void VolumeBook::load(std::string_view name, Route& into) const {
  if (directory_.empty()) return;
  const std::filesystem::path path = path_of(name);
  const metrics::StateText read = store_.read(path, kMaxBytes);
  std::string problem = read.problem;
  try {
    if (read.text) {
      const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= 3; };
      const json object = json::parse(*read.text, shallow);
      if (object.at("version").get<int>() != kVersion) throw std::invalid_argument("version");
      Route stored;
      stored.rule = {.output_burn_down = object.at("output_burn_down").get<std::uint32_t>(),
                     .max_output_tokens = object.at("max_output_tokens").get<std::uint64_t>()};
      stored.primary_input = amount_at(object, "primary_input");
      stored.candidate_input = amount_at(object, "candidate_input");
      for (const json& day : object.at("days")) stored.meter.add_day(read_day(day));
      into = stored;
    }
  } catch (const std::exception&) {
    problem = "it is no volume of this version";
  }
  if (problem.empty()) return;
  store_.set_aside(path, "damaged");
  log_warn("volume_not_loaded", {{"route", name}, {"what", problem}});
}

std::string VolumeBook::to_json_text(const Route& route) {
  json days = json::array();
  for (const VolumeMeter::Day& day : route.meter.days()) days.push_back(describe(day));
  return json{{"version", kVersion},
              {"output_burn_down", route.rule.output_burn_down},
              {"max_output_tokens", route.rule.max_output_tokens},
              {"primary_input", route.primary_input},
              {"candidate_input", route.candidate_input},
              {"days", std::move(days)}}
             .dump(1) +
         "\n";
}

// Without the lock while the disk is waited for: rollouts ask for peaks.
void VolumeBook::save_new() {
  if (directory_.empty()) return;
  std::vector<std::pair<std::string, std::string>> texts;  // by route
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, route] : routes_) {
      if (std::exchange(route.unsaved, false)) texts.emplace_back(name, to_json_text(route));
    }
  }
  for (auto& [name, text] : texts) {
    const std::string problem = store_.write(path_of(name), std::move(text));
    if (problem.empty()) continue;
    log_warn("volume_not_saved", {{"route", name}, {"what", problem}});
    const std::lock_guard lock(mutex_);
    routes_.at(name).unsaved = true;  // tried again next time
  }
}

void VolumeBook::save_when_due() {
  const auto now = std::chrono::steady_clock::now();
  if (now - saved_ < kSaveEvery) return;
  saved_ = now;
  save_new();
}

}  // namespace understudy::proxy

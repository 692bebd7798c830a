#include "proxy/fleet_history.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "proxy/fleet_exposition.h"
#include "proxy/replica_id.h"

namespace understudy::proxy {

using metrics::FleetCounts;
using metrics::FleetSums;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

namespace {

// Lives that begin and end between two readings of a long-lived proxy are met here.
constexpr milliseconds kFindLivesEvery = 10min;
constexpr std::int64_t kFinestSteps = 10'000;  // of the horizon

Error damaged(std::string what) {
  return {ErrorKind::bad_message, Side::upstream, "its answer is damaged: " + std::move(what)};
}

std::string duration_of(milliseconds duration) {
  return std::to_string(duration.count()) + "ms";
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool good = failure == std::errc{} && end == text.data() + text.size() && number >= 0;
  return good && number < std::int64_t{1} << 32 ? std::optional(number) : std::nullopt;
}

PrometheusTime begin_of(std::int64_t hour) {
  return PrometheusTime{std::chrono::hours{hour}};
}

}  // namespace

FleetHistory::FleetHistory(Of of, AskPrometheus ask) : of_(std::move(of)), ask_(std::move(ask)) {}

// Names of fleets and routes and ids of experiments need no escapes.
std::string FleetHistory::series(std::string_view metric, std::string_view more) const {
  std::string text{metric};
  text.append("{fleet=\"").append(of_.config.fleet).append("\",route=\"").append(of_.route);
  text.append("\",experiment=\"").append(of_.experiment).append("\"").append(more).append("}");
  return text;
}

milliseconds FleetHistory::step() const noexcept {
  return std::max(of_.config.window, of_.config.horizon / kFinestSteps);
}

Result<InstantVector> FleetHistory::ask(std::string_view query, PrometheusTime when) {
  if (++questions_ > kMaxQuestions)
    return Error{ErrorKind::cancelled, Side::internal, "their past is still being read"};
  return ask_(of_.config, query, when);
}

// --- Who there is

// None where the labels are not ours: they go into further queries.
std::optional<FleetHistory::Life> FleetHistory::life_of(const VectorSample& sample) {
  const auto begun = whole_number(sample.label("begun"));
  if (!begun || !is_replica_id(sample.label("replica"))) return std::nullopt;
  return Life{std::string(sample.label("replica")), *begun};
}

Status FleetHistory::find_lives(PrometheusTime at) {
  if (found_lives_ && at - *found_lives_ < kFindLivesEvery) return {};
  const auto seen =
      ask("max by (replica, begun) (max_over_time(timestamp(" + series(fleet_metric::kHours) +
              ")[" + duration_of(of_.config.horizon) + ":" + duration_of(step()) + "]))",
          at);
  if (!seen) return seen.error();
  for (const VectorSample& sample : *seen) {
    const auto whose = life_of(sample);
    if (!whose || sample.value < 0.0 || sample.value > 4e9)
      return damaged("a replica has no name or no time");
    const PrometheusTime last{milliseconds(static_cast<std::int64_t>(sample.value * 1000.0))};
    const auto [life, is_new] = lives_.try_emplace(*whose);
    if (!is_new && life->second.seen_until >= last) continue;
    life->second = {.seen_from = last - 1s, .seen_until = std::min(at, last + step())};
  }
  found_lives_ = at;
  return {};
}

Result<std::map<FleetHistory::Life, std::uint64_t>> FleetHistory::alive_at(PrometheusTime at) {
  const auto seen = ask("max by (replica, begun) (max_over_time(" + series(fleet_metric::kHours) +
                            "[" + duration_of(of_.config.window) + "]))",
                        at);
  if (!seen) return seen.error();
  std::map<Life, std::uint64_t> alive;
  for (const VectorSample& sample : *seen) {
    const auto whose = life_of(sample);
    const auto hours = sample.count();
    if (!whose || !hours) return damaged("a replica has no name or no hours");
    alive.insert_or_assign(*whose, *hours);
  }
  return alive;
}

Status FleetHistory::find_alive(PrometheusTime at) {
  const auto alive = alive_at(at);
  if (!alive) return alive.error();
  for (auto& [life, known] : lives_) {
    if (std::exchange(known.alive, false)) known.seen_until = at;
  }
  for (const auto& [life, hours] : *alive) {
    lives_.insert_or_assign(
        life,
        Known{
            .seen_from = at - of_.config.window, .seen_until = at, .alive = true, .hours = hours});
  }
  forget_oldest();
  return {};
}

void FleetHistory::forget_oldest() {
  while (gone() > kMaxLives) {
    auto oldest = lives_.end();
    for (auto life = lives_.begin(); life != lives_.end(); ++life) {
      const bool older =
          oldest == lives_.end() || life->second.seen_until < oldest->second.seen_until;
      if (!life->second.alive && older) oldest = life;
    }
    lives_.erase(oldest);
  }
}

std::size_t FleetHistory::gone() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(lives_, [](const auto& one) { return !one.second.alive; }));
}

Status FleetHistory::read_ends(PrometheusTime at) {
  for (auto& [life, known] : lives_) {
    if (known.alive || known.end) continue;
    const PrometheusTime until = std::min(at, known.seen_until);
    const milliseconds range = until - known.seen_from + 1s;
    const std::string whose =
        ",replica=\"" + life.replica + "\",begun=\"" + std::to_string(life.begun) + "\"";
    const auto hours = ask("max(max_over_time(" + series(fleet_metric::kHours, whose) + "[" +
                               duration_of(range) + "]))",
                           until);
    if (!hours) return hours.error();
    auto end = sum_of(series(fleet_metric::kEvidence, whose), until, range);
    if (!end) return end.error();
    if (!hours->empty()) known.hours = hours->front().count().value_or(0);
    known.end = std::move(*end);
  }
  return {};
}

// --- Sums

Result<FleetCounts> FleetHistory::sum_of(std::string_view selected, PrometheusTime at,
                                         milliseconds range) {
  std::string query =
      "sum by (family, signal, cell) (max by (family, signal, cell, replica, begun) "
      "(max_over_time(";
  query.append(selected).append("[").append(duration_of(range)).append("])))");
  const auto cells = ask(query, at);
  if (!cells) return cells.error();
  metrics::CellCollector collector;
  for (const VectorSample& cell : *cells) {
    const auto count = cell.count();
    if (!count ||
        !collector.add(cell.label("family"), cell.label("signal"), cell.label("cell"), *count))
      return damaged("there is no such count");
  }
  return std::move(collector).take();
}

Result<FleetHistory::Mark> FleetHistory::mark_at(PrometheusTime at) {
  auto sum = sum_of(series(fleet_metric::kEvidence), at, of_.config.window);
  if (!sum) return sum.error();
  const auto alive = alive_at(at);
  if (!alive) return alive.error();
  Mark mark{.sum = std::move(*sum), .alive = {}};
  for (const auto& [life, hours] : *alive) mark.alive.insert(life);
  return mark;
}

// With those that had gone by then.
FleetCounts FleetHistory::total(const Mark& mark, PrometheusTime at) const {
  FleetCounts total = mark.sum;
  for (const auto& [life, known] : lives_) {
    if (known.end && known.seen_from < at && !mark.alive.contains(life)) total.add(*known.end);
  }
  return total;
}

Status FleetHistory::mark_hours(PrometheusTime at, std::chrono::sys_seconds since) {
  const auto wanted = metrics::hours_to_mark(since, std::chrono::floor<std::chrono::seconds>(at));
  std::erase_if(marks_, [&](const auto& mark) { return !std::ranges::count(wanted, mark.first); });
  for (auto hour = wanted.rbegin(); hour != wanted.rend(); ++hour) {
    if (marks_.contains(*hour)) continue;
    auto mark = mark_at(begin_of(*hour));
    if (!mark) return mark.error();
    marks_.emplace(*hour, std::move(*mark));
  }
  return {};
}

Result<FleetSums> FleetHistory::sums(PrometheusTime at, const std::optional<metrics::Stage>& stage,
                                     PrometheusTime stage_since) {
  questions_ = 0;
  if (const Status found = find_lives(at); !found) return found.error();
  if (const Status found = find_alive(at); !found) return found.error();
  if (const Status read = read_ends(at); !read) return read.error();
  FleetSums sums{.experiment = of_.experiment,
                 .since = std::chrono::floor<std::chrono::seconds>(at),
                 .at = std::chrono::floor<std::chrono::seconds>(at)};
  for (const auto& [life, known] : lives_) {
    sums.since = std::min(sums.since, std::chrono::sys_seconds{std::chrono::seconds{life.begun}});
    sums.hours = std::max(sums.hours, known.hours);
  }
  if (const Status marked = mark_hours(at, sums.since); !marked) return marked.error();
  auto now = mark_at(at);
  if (!now) return now.error();
  sums.now = total(*now, at);
  for (const auto& [hour, mark] : marks_) sums.marks.emplace(hour, total(mark, begin_of(hour)));
  sums.stage = stage;
  if (!stage) return sums;
  if (stage_since > at) {
    sums.at_stage = sums.now;
    return sums;
  }
  if (!stage_mark_ || stage_marked_ != stage_since) {
    auto mark = mark_at(stage_since);
    if (!mark) return mark.error();
    stage_mark_ = std::move(*mark);
    stage_marked_ = stage_since;
  }
  sums.at_stage = total(*stage_mark_, stage_since);
  return sums;
}

}  // namespace understudy::proxy

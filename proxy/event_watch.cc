#include "proxy/event_watch.h"

#include "proxy/rollout_status.h"

namespace understudy::proxy {
namespace {

using metrics::VerdictState;
using routing::Moment;

bool alarms(VerdictState verdict) noexcept {
  return verdict == VerdictState::fix_first || verdict == VerdictState::roll_back;
}

std::string requests(double count) {
  return std::to_string(static_cast<std::uint64_t>(count)) +
         (count == 1.0 ? " request" : " requests");
}

}  // namespace

void EventWatch::look(const Figures& figures, Moment now) {
  std::map<std::string, Told> still;  // routes that are gone are forgotten
  for (const routing::RouteConfig& route : figures.snapshot.config().routes) {
    if (!route.candidate) continue;
    look_at_verdict(figures, route.name, now);
    still.insert(verdicts_.extract(route.name));
  }
  verdicts_ = std::move(still);
  for (const ModelBook::Entry& entry : figures.models) look_at_model(entry);
  for (const Sample& sample : figures.samples) {
    if (sample.name == "understudy_end_of_life_takeovers_total") look_at_takeovers(sample, now);
  }
}

void EventWatch::look_at_verdict(const Figures& figures, const std::string& route, Moment now) {
  const RouteLook seen = look_at(figures.snapshot, route, figures.evidence, {});
  const auto [known, is_new] = verdicts_.try_emplace(route, Told{seen.verdict, {}});
  Told& told = known->second;
  if (is_new || told.verdict == seen.verdict) return;
  if (!alarms(seen.verdict) && now - told.at < kVerdictPause) return;
  const std::string from(label(told.verdict)), to(label(seen.verdict));
  told = {seen.verdict, now};
  events_.publish(
      {.kind = "verdict",
       .route = route,
       .text = "verdict on " + route + ": " + from + " -> " + to + ": " + seen.verdict_text,
       .facts = {{"from", from}, {"to", to}},
       .warning = alarms(seen.verdict)});
}

// The models are bounded by the book.
void EventWatch::look_at_model(const ModelBook::Entry& entry) {
  const std::pair<std::string, std::string> key(entry.route, entry.model);
  if (!entry.gone) {
    gone_.erase(key);
    return;
  }
  if (!gone_.insert(key).second) return;
  const std::string kind(label(*entry.gone)), variant(routing::label(entry.variant));
  events_.publish({.kind = "end_of_life",
                   .route = entry.route,
                   .text = "the " + variant + "'s model of " + entry.route +
                           " is gone, says its upstream (" + kind + ")",
                   .facts = {{"gone", kind}, {"variant", variant}},
                   .warning = true});
}

void EventWatch::look_at_takeovers(const Sample& sample, Moment now) {
  const std::string route(sample.label("route")), kind(sample.label("kind"));
  Takeovers& known = takeovers_[{route, kind}];
  const double more = sample.value - known.count;
  if (more <= 0.0) return;
  if (known.told != Moment{} && now - known.told < kTakeoverPause) return;
  known = {sample.value, now};
  const bool drill = kind == "drill";
  events_.publish({.kind = drill ? "drill" : "end_of_life",
                   .route = route,
                   .text = drill ? "drill on " + route + ": a played end of life was met by " +
                                       requests(more) + ", which the candidate was to answer"
                                 : "end of life on " + route +
                                       ": the candidate takes over for the primary (" + kind +
                                       "), " + requests(more) + " so far",
                   .facts = {{"takeovers", kind}},
                   .warning = !drill});
}

}  // namespace understudy::proxy

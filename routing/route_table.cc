#include "routing/route_table.h"

#include <algorithm>

#include "routing/hash.h"
#include "routing/model_id.h"
#include "routing/sampling.h"

namespace understudy::routing {
namespace {

constexpr Percent kAll{10'000};

constexpr std::uint32_t bit(Operation operation) noexcept {
  return std::uint32_t{1} << static_cast<unsigned>(operation);
}

bool takes_vendor_body(Operation operation) noexcept {
  return operation == Operation::invoke_model ||
         operation == Operation::invoke_model_with_response_stream;
}

// A body is written for the model that the client named; where that name hides the model, for the
// one that the route's primary names.
bool speaks_other_body(const RouteConfig& route, const RequestFacts& facts) noexcept {
  if (!takes_vendor_body(facts.operation)) return false;
  const std::string_view asked =
      body_format(facts.model_id).empty() ? std::string_view{route.primary.model} : facts.model_id;
  return differ_in_body_format(asked, route.candidate->model);
}

}  // namespace

std::string_view label(Variant variant) noexcept {
  return variant == Variant::candidate ? "candidate" : "primary";
}

std::string_view label(SkipReason reason) noexcept {
  switch (reason) {
    case SkipReason::not_sampled:
      return "not_sampled";
    case SkipReason::probe:
      return "probe";
    case SkipReason::retry:
      return "retry";
    case SkipReason::mirrored:
      return "mirrored";
    case SkipReason::body_format:
      return "body_format";
    case SkipReason::primary_failed:
      return "primary_failed";
    case SkipReason::primary_cut:
      return "primary_cut";
    case SkipReason::client_gone:
      return "client_gone";
    case SkipReason::too_large:
      return "too_large";
    case SkipReason::rewrite_failed:
      return "rewrite_failed";
    case SkipReason::stateful:
      return "stateful";
    case SkipReason::end_of_life:
      return "end_of_life";
  }
  return "not_sampled";
}

RouteTable::RouteTable(std::shared_ptr<const Config> config) : config_(std::move(config)) {
  matchers_.reserve(config_->routes.size());
  for (const RouteConfig& route : config_->routes) {
    Matcher& matcher = matchers_.emplace_back();
    for (const std::string& model : route.match.models) matcher.models.emplace_back(model);
    for (const std::string& path : route.match.paths) matcher.paths.emplace_back(path);
    for (const Operation operation : route.match.operations) matcher.operations |= bit(operation);
    if (route.match.operations.empty()) matcher.operations = ~std::uint32_t{0};
    for (const HeaderMatch& header : route.match.headers) {
      matcher.headers.emplace_back(header.name, Glob(header.value));
    }
    for (const std::string& caller : route.match.callers) matcher.callers.emplace_back(caller);
  }
}

bool RouteTable::Matcher::matches(const RequestFacts& facts) const noexcept {
  if ((operations & bit(facts.operation)) == 0) return false;
  // A path that names no model belongs to routes that ask for none.
  const auto fits = [&](const Glob& glob) { return glob.matches(facts.model_id); };
  if (!models.empty() && (facts.model_id.empty() || std::ranges::none_of(models, fits))) {
    return false;
  }
  const auto on_path = [&](const Glob& glob) { return glob.matches(facts.path); };
  if (!paths.empty() && std::ranges::none_of(paths, on_path)) return false;
  const auto is_caller = [&](const Glob& glob) { return glob.matches(facts.caller); };
  if (!callers.empty() && (facts.caller.empty() || std::ranges::none_of(callers, is_caller))) {
    return false;
  }
  return std::ranges::all_of(headers, [&](const auto& header) {
    return std::ranges::any_of(facts.fields, [&](const Field& field) {
      return equals_ignoring_case(field.name, header.first) && header.second.matches(field.value);
    });
  });
}

const RouteConfig* RouteTable::find_route(const RequestFacts& facts) const noexcept {
  for (std::size_t i = 0; i < matchers_.size(); ++i) {
    if (matchers_[i].matches(facts)) return &config_->routes[i];
  }
  return nullptr;
}

RouteDecision RouteTable::decide(const RequestFacts& facts) const {
  RouteDecision decision;
  decision.route = find_route(facts);
  if (decision.route == nullptr) {
    decision.upstream = config_->default_upstream;
    return decision;
  }
  decision.route_index = static_cast<std::size_t>(decision.route - config_->routes.data());
  decision.upstream = decision.route->primary.upstream;
  decision.eligible = is_understood(facts.operation) && decision.route->candidate.has_value();
  if (decision.eligible) {
    decision.fits_candidate = !speaks_other_body(*decision.route, facts) && !facts.stateful;
    draw_served(facts, decision);
    draw_shadow(facts, decision);
    draw_drill(facts, decision);
  }
  return decision;
}

void RouteTable::draw_served(const RequestFacts& facts, RouteDecision& decision) const {
  const Percent share = decision.route->canary.percent;
  if (share == Percent{} || speaks_other_body(*decision.route, facts)) return;
  // What an earlier answer left behind lies with the primary's upstream, unless all of them are the
  // candidate's.
  if (facts.stateful && share < kAll) return;
  if (share < kAll) {
    std::uint64_t conversation =
        conversation_key(facts.body, config_->limits.max_conversation_scan_bytes);
    // Equal openings of different callers are different conversations.
    if (!facts.caller.empty()) conversation = hash64(facts.caller, conversation);
    decision.canary_bucket =
        bucket(config_->sampling_salt, "canary", decision.route->name, hex(conversation));
  }
  if (!drawn(decision.canary_bucket, share)) return;
  decision.served = Variant::candidate;
  decision.upstream = decision.route->candidate->upstream;
}

void RouteTable::draw_shadow(const RequestFacts& facts, RouteDecision& decision) const {
  const RouteConfig& route = *decision.route;
  const Percent share = route.shadow.percent;
  if (Percent{} < share && share < kAll) {
    decision.shadow_bucket =
        bucket(config_->sampling_salt, "shadow", route.name, facts.sampling_key);
  }
  if (find_field(facts.fields, kShadowHeader)) {
    decision.skip = SkipReason::mirrored;
  } else if (speaks_other_body(route, facts)) {
    decision.skip = SkipReason::body_format;
  } else if (facts.stateful) {
    decision.skip = SkipReason::stateful;
  } else {
    // Whoever serves, the other variant gets the copy: evidence goes on while the candidate serves.
    decision.shadow = drawn(decision.shadow_bucket, share);
  }
}

void RouteTable::draw_drill(const RequestFacts& facts, RouteDecision& decision) const {
  const RouteConfig& route = *decision.route;
  if (route.drill == Percent{} || decision.served != Variant::primary || !decision.fits_candidate ||
      decision.skip == SkipReason::mirrored) {
    return;
  }
  decision.drill =
      drawn(bucket(config_->sampling_salt, "drill", route.name, facts.sampling_key), route.drill);
}

}  // namespace understudy::routing

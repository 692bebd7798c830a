#include "routing/route_table.h"

#include <algorithm>

#include "routing/hash.h"
#include "routing/model_id.h"
#include "routing/sampling.h"

namespace understudy::routing {
namespace {

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
    case SkipReason::settled:
      return "settled";
  }
  return "not_sampled";
}

RouteTable::RouteTable(std::shared_ptr<const Config> config, LiveShares shares)
    : config_(std::move(config)), shares_(std::move(shares)) {
  shares_.resize(config_->routes.size());
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    if (shares_[i]) continue;
    shares_[i] = std::make_shared<LiveShare>(config_->routes[i].canary.first_share());
  }
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

Percent RouteTable::served_share(std::size_t route) const noexcept {
  return std::min(shares_[route]->now(), config_->routes[route].canary.ceiling());
}

// Who gets the same key is served by the same variant.
std::uint64_t RouteTable::sticky_key(const RequestFacts& facts,
                                     const StickyBy& sticky_by) const noexcept {
  using Kind = StickyBy::Kind;
  const std::size_t most = config_->limits.max_conversation_scan_bytes;
  std::string_view value;
  if (sticky_by.kind == Kind::caller) value = facts.caller;
  if (sticky_by.kind == Kind::header)
    value = find_field(facts.fields, sticky_by.name).value_or(std::string_view());
  if (sticky_by.kind == Kind::metadata) value = request_metadata(facts.body, sticky_by.name, most);
  if (!value.empty()) return hash64(value);
  // Equal openings of different callers are different conversations.
  const std::uint64_t conversation = conversation_key(facts.body, most);
  return facts.caller.empty() ? conversation : hash64(facts.caller, conversation);
}

void RouteTable::draw_served(const RequestFacts& facts, RouteDecision& decision) const {
  const Percent share = served_share(decision.route_index);
  if (share == Percent{} || speaks_other_body(*decision.route, facts)) return;
  // What an earlier answer left behind lies with the primary's upstream, unless all of them are the
  // candidate's.
  if (facts.stateful && share < kAllTraffic) return;
  if (share < kAllTraffic) {
    const std::uint64_t key = sticky_key(facts, decision.route->canary.sticky_by);
    decision.canary_bucket =
        bucket(config_->sampling_salt, "canary", decision.route->name, hex(key));
  }
  if (!drawn(decision.canary_bucket, share)) return;
  decision.served = Variant::candidate;
  decision.upstream = decision.route->candidate->upstream;
}

void RouteTable::draw_shadow(const RequestFacts& facts, RouteDecision& decision) const {
  const RouteConfig& route = *decision.route;
  const Percent share = route.shadow.percent;
  if (Percent{} < share && share < kAllTraffic) {
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
      decision.skip == SkipReason::mirrored || shares_[decision.route_index]->withdrawn()) {
    return;
  }
  decision.drill =
      drawn(bucket(config_->sampling_salt, "drill", route.name, facts.sampling_key), route.drill);
}

}  // namespace understudy::routing

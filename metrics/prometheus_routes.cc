#include "metrics/prometheus_routes.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace understudy::metrics {

using prometheus::MetricFamily;
using prometheus::MetricType;

namespace {

std::string code_label(std::size_t slot) {
  return slot == 0 ? std::string{"none"} : std::to_string(slot + 99);
}

// What ended so, by each reason; what never happened is left out.
template <typename Reason, std::size_t N, typename Count>
void add_reasons(MetricFamily& to, const std::string& route, std::string_view result,
                 const Count& count_of) {
  for (std::size_t i = 0; i < N; ++i) {
    const auto reason = static_cast<Reason>(i);
    const std::uint64_t count = count_of(reason);
    if (count == 0) continue;
    add_counter(to, labels({{"route", route}, {"result", result}, {"reason", label(reason)}}),
                count);
  }
}

}  // namespace

MetricFamily& RouteFamilies::counter(std::string_view name, std::string_view help) {
  return all_.emplace_back(family(name, MetricType::Counter, help));
}

MetricFamily& RouteFamilies::histogram(std::string_view name, std::string_view help) {
  return all_.emplace_back(family(name, MetricType::Histogram, help));
}

void RouteFamilies::add(const RouteCounters& route) {
  add_requests(route);
  add_spend(route);
  add_stand_ins(route);
  // Ends before beginnings, as in RouteCounters::counts().
  add_ends(shadow_, route.name(), route.shadow());
  add_ends(control_, route.name(), route.control());
  add_reasons<routing::SkipReason, kSkipReasons>(
      shadow_, route.name(), "skipped",
      [&](routing::SkipReason reason) { return route.skips(reason); });
  add_counter(eligible_, labels({{"route", route.name()}}), route.eligible_count());
  for (const auto& [signal, counts] : route.signals()) {
    if (counts.pairs == 0) continue;
    add_counter(divergence_, labels({{"route", route.name()}, {"signal", label(signal)}}),
                counts.divergent);
  }
  add_counter(comparisons_, labels({{"route", route.name()}, {"outcome", "same"}}),
              route.shadow().same());
  add_counter(comparisons_, labels({{"route", route.name()}, {"outcome", "different"}}),
              route.shadow().different());
}

void RouteFamilies::add_requests(const RouteCounters& route) {
  for (const routing::Operation operation : routing::kOperations) {
    for (std::size_t variant = 0; variant < kVariants; ++variant) {
      for (std::size_t leg = 0; leg < kLegs; ++leg) {
        const RequestSeries* series =
            route.requests(static_cast<std::size_t>(operation), variant, leg);
        if (series == nullptr) continue;
        const MetricLabels common =
            labels({{"route", route.name()},
                    {"operation", label(operation)},
                    {"variant", label(static_cast<routing::Variant>(variant))},
                    {"leg", label(static_cast<Leg>(leg))}});
        const auto add_code = [&](std::string code, std::uint64_t count) {
          if (count == 0) return;
          MetricLabels with = common;
          with.push_back({"code", std::move(code)});
          add_counter(requests_, std::move(with), count);
        };
        add_code("200", series->ok.sum(0));
        for (std::size_t slot = 0; slot < series->other_codes.size(); ++slot) {
          add_code(code_label(slot), series->other_codes[slot].load(std::memory_order_relaxed));
        }
        add_histogram(duration_, common, series->duration);
        add_histogram(first_token_, common, series->first_token);
        add_histogram(per_token_, common, series->per_token);
      }
    }
  }
}

void RouteFamilies::add_spend(const RouteCounters& route) {
  for (std::size_t variant = 0; variant < kVariants; ++variant) {
    if (const std::uint64_t count = route.broken(variant); count != 0) {
      add_counter(broken_,
                  labels({{"route", route.name()},
                          {"variant", label(static_cast<routing::Variant>(variant))},
                          {"leg", label(Leg::served)}}),
                  count);
    }
    for (std::size_t leg = 0; leg < kLegs; ++leg) {
      const SpendSeries& spend = route.spend(variant, leg);
      const MetricLabels common =
          labels({{"route", route.name()},
                  {"variant", label(static_cast<routing::Variant>(variant))},
                  {"leg", label(static_cast<Leg>(leg))}});
      for (std::size_t type = 0; type < kTokenTypes.size(); ++type) {
        const std::uint64_t count = spend.tokens[type].load(std::memory_order_relaxed);
        if (count == 0) continue;
        MetricLabels with = common;
        with.push_back({"type", std::string{kTokenTypes[type]}});
        add_counter(tokens_, std::move(with), count);
      }
      const std::uint64_t missing = spend.usage_missing.load(std::memory_order_relaxed);
      if (missing != 0) add_counter(usage_missing_, common, missing);
      const double cost_usd = spend.cost_usd.load(std::memory_order_relaxed);
      if (cost_usd > 0.0) add_counter(cost_, common, cost_usd);
    }
  }
}

void RouteFamilies::add_stand_ins(const RouteCounters& route) {
  const auto add_one = [&](MetricFamily& to, std::string_view name, std::string_view value,
                           std::uint64_t count) {
    if (count != 0) add_counter(to, labels({{"route", route.name()}, {name, value}}), count);
  };
  for (std::size_t i = 0; i < kFallbackReasons; ++i) {
    const auto reason = static_cast<FallbackReason>(i);
    add_one(fallbacks_, "reason", label(reason), route.fallbacks(reason));
  }
  for (std::size_t i = 0; i < kModelGoneKinds; ++i) {
    const auto kind = static_cast<ModelGone>(i);
    add_one(takeovers_, "kind", label(kind), route.takeovers(kind));
  }
  const auto presets = routing::presets();
  for (std::size_t i = 0; i < presets.size(); ++i)
    add_one(rewrites_, "preset", presets[i].name, route.rewrites(i));
}

void RouteFamilies::add_ends(MetricFamily& to, const std::string& route, const PairSeries& pairs) {
  add_counter(to, labels({{"route", route}, {"result", "compared"}, {"reason", ""}}),
              pairs.compared());
  add_reasons<DropReason, kDropReasons>(to, route, "dropped",
                                        [&](DropReason reason) { return pairs.drops(reason); });
  add_reasons<FailReason, kFailReasons>(to, route, "failed",
                                        [&](FailReason reason) { return pairs.fails(reason); });
}

void RouteFamilies::move_to(std::vector<MetricFamily>& all) {
  std::ranges::move(all_, std::back_inserter(all));
}

}  // namespace understudy::metrics

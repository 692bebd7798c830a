#pragma once
// The part of the page that tells of routes. Included by the doors to prometheus-cpp alone.

#include <prometheus/metric_family.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/prometheus_families.h"
#include "metrics/route_counters.h"

namespace understudy::metrics {

// The families that carry a route label, filled route by route. One that is declared here is on the
// page, in this order.
class RouteFamilies {
 public:
  RouteFamilies() = default;
  RouteFamilies(const RouteFamilies&) = delete;  // its members refer to one another
  RouteFamilies& operator=(const RouteFamilies&) = delete;

  void add(const RouteCounters& route);
  // Once, last.
  void move_to(std::vector<prometheus::MetricFamily>& all);

 private:
  prometheus::MetricFamily& counter(std::string_view name, std::string_view help);
  prometheus::MetricFamily& histogram(std::string_view name, std::string_view help);
  void add_requests(const RouteCounters& route);
  void add_spend(const RouteCounters& route);
  void add_stand_ins(const RouteCounters& route);
  static void add_ends(prometheus::MetricFamily& to, const std::string& route,
                       const PairSeries& pairs);

  std::deque<prometheus::MetricFamily> all_;  // first: the others are in it
  prometheus::MetricFamily& requests_ =
      counter("requests_total", "Finished attempts at an upstream, by status code.");
  prometheus::MetricFamily& duration_ =
      histogram("request_duration_seconds", "From an attempt's begin to the end of its answer.");
  prometheus::MetricFamily& first_token_ = histogram(
      "time_to_first_token_seconds", "From an attempt's begin to the first event with content.");
  prometheus::MetricFamily& per_token_ = histogram(
      "time_per_output_token_seconds", "Mean time between output tokens after the first.");
  prometheus::MetricFamily& tokens_ =
      counter("tokens_total", "Tokens as the upstream counted them.");
  prometheus::MetricFamily& broken_ =
      counter("broken_answers_total",
              "Served answers that began as a success and failed later: cut by the upstream, or "
              "with an error in their stream.");
  prometheus::MetricFamily& usage_missing_ =
      counter("usage_missing_total", "Successful answers whose token usage is unknown.");
  prometheus::MetricFamily& cost_ =
      counter("cost_usd_total", "Estimated cost of answers whose usage and price are known.");
  prometheus::MetricFamily& eligible_ =
      counter("shadow_eligible_total", "Understood operations on a route with a candidate.");
  prometheus::MetricFamily& shadow_ =
      counter("shadow_total", "Where eligible exchanges ended; the results add up to eligible.");
  prometheus::MetricFamily& control_ =
      counter("control_total", "Where second copies to the served variant ended.");
  prometheus::MetricFamily& divergence_ =
      counter("divergence_total", "Compared pairs in which the signal diverged.");
  prometheus::MetricFamily& comparisons_ =
      counter("comparisons_total", "Compared pairs by outcome.");
  prometheus::MetricFamily& fallbacks_ = counter(
      "fallbacks_total", "Exchanges that the primary answered because the candidate could not.");
  prometheus::MetricFamily& takeovers_ =
      counter("end_of_life_takeovers_total",
              "Exchanges that the candidate answered because the primary's model is gone.");
  prometheus::MetricFamily& rewrites_ =
      counter("rewrites_total", "Requests that a compatibility preset changed.");
};

}  // namespace understudy::metrics

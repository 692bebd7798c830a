#pragma once
// The part of the page that tells of routes. Included by the doors to prometheus-cpp alone.

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "metrics/prometheus_families.h"
#include "metrics/route_counters.h"

namespace understudy::metrics {

// The families that carry a route label, filled route by route.
struct RouteFamilies {
  prometheus::MetricFamily requests = family("requests_total", prometheus::MetricType::Counter,
                                             "Finished attempts at an upstream, by status code.");
  prometheus::MetricFamily duration =
      family("request_duration_seconds", prometheus::MetricType::Histogram,
             "From an attempt's begin to the end of its answer.");
  prometheus::MetricFamily first_token =
      family("time_to_first_token_seconds", prometheus::MetricType::Histogram,
             "From an attempt's begin to the first event with content.");
  prometheus::MetricFamily per_token =
      family("time_per_output_token_seconds", prometheus::MetricType::Histogram,
             "Mean time between output tokens after the first.");
  prometheus::MetricFamily tokens = family("tokens_total", prometheus::MetricType::Counter,
                                           "Tokens as the upstream counted them.");
  prometheus::MetricFamily broken =
      family("broken_answers_total", prometheus::MetricType::Counter,
             "Served answers that began as a success and failed later: cut by the upstream, or "
             "with an error in their stream.");
  prometheus::MetricFamily usage_missing =
      family("usage_missing_total", prometheus::MetricType::Counter,
             "Successful answers whose token usage is unknown.");
  prometheus::MetricFamily cost =
      family("cost_usd_total", prometheus::MetricType::Counter,
             "Estimated cost of answers whose usage and price are known.");
  prometheus::MetricFamily eligible =
      family("shadow_eligible_total", prometheus::MetricType::Counter,
             "Understood operations on a route with a candidate.");
  prometheus::MetricFamily shadow =
      family("shadow_total", prometheus::MetricType::Counter,
             "Where eligible exchanges ended; the results add up to eligible.");
  prometheus::MetricFamily control = family("control_total", prometheus::MetricType::Counter,
                                            "Where second copies to the served variant ended.");
  prometheus::MetricFamily divergence = family("divergence_total", prometheus::MetricType::Counter,
                                               "Compared pairs in which the signal diverged.");
  prometheus::MetricFamily comparisons =
      family("comparisons_total", prometheus::MetricType::Counter, "Compared pairs by outcome.");

  prometheus::MetricFamily fallbacks =
      family("fallbacks_total", prometheus::MetricType::Counter,
             "Exchanges that the primary answered because the candidate could not.");
  prometheus::MetricFamily takeovers =
      family("end_of_life_takeovers_total", prometheus::MetricType::Counter,
             "Exchanges that the candidate answered because the primary's model is gone.");
  prometheus::MetricFamily rewrites = family("rewrites_total", prometheus::MetricType::Counter,
                                             "Requests that a compatibility preset changed.");

  void add(const RouteCounters& route);
  // Once, last.
  void move_to(std::vector<prometheus::MetricFamily>& all);

 private:
  void add_requests(const RouteCounters& route);
  void add_spend(const RouteCounters& route);
  void add_stand_ins(const RouteCounters& route);
  static void add_ends(prometheus::MetricFamily& to, const std::string& route,
                       const PairSeries& pairs);
};

}  // namespace understudy::metrics

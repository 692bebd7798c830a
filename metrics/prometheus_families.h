#pragma once
// What prometheus-cpp's families are filled with. Included by its doors alone (prometheus_*).

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/route_counters.h"

namespace understudy::metrics {

using MetricLabels = std::vector<prometheus::ClientMetric::Label>;

MetricLabels labels(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs);

// An empty one; `name` is without the prefix that all of ours have.
prometheus::MetricFamily family(std::string_view name, prometheus::MetricType type,
                                std::string_view help);

void add_counter(prometheus::MetricFamily& to, MetricLabels with, double value);
void add_counter(prometheus::MetricFamily& to, MetricLabels with, std::uint64_t value);
void add_gauge(prometheus::MetricFamily& to, MetricLabels with, double value);

// None while nothing was observed.
template <std::size_t N>
void add_histogram(prometheus::MetricFamily& to, MetricLabels with,
                   const TimeHistogram<N>& histogram) {
  const auto totals = histogram.totals();
  if (totals.count() == 0) return;
  prometheus::ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(with);
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < N; ++i) {
    so_far += totals.buckets[i];
    metric.histogram.bucket.push_back({so_far, histogram.bounds()[i]});
  }
  so_far += totals.buckets[N];
  metric.histogram.bucket.push_back({so_far, std::numeric_limits<double>::infinity()});
  metric.histogram.sample_count = so_far;
  metric.histogram.sample_sum = totals.sum_seconds;
}

}  // namespace understudy::metrics

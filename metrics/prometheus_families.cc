#include "metrics/prometheus_families.h"

#include <string>

namespace understudy::metrics {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricLabels labels(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
  MetricLabels all;
  all.reserve(pairs.size());
  for (const auto& [name, value] : pairs) all.push_back({std::string{name}, std::string{value}});
  return all;
}

MetricFamily family(std::string_view name, MetricType type, std::string_view help) {
  MetricFamily made;
  made.name = "understudy_" + std::string{name};
  made.help = help;
  made.type = type;
  return made;
}

void add_counter(MetricFamily& to, MetricLabels with, double value) {
  ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(with);
  metric.counter.value = value;
}

void add_counter(MetricFamily& to, MetricLabels with, std::uint64_t value) {
  add_counter(to, std::move(with), static_cast<double>(value));
}

void add_gauge(MetricFamily& to, MetricLabels with, double value) {
  ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(with);
  metric.gauge.value = value;
}

}  // namespace understudy::metrics

#pragma once
// Reads the Prometheus text format back, as far as our own recorder writes it, so that the status
// page shows the very numbers that a scrape sees. Values only; any thread.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::proxy {

struct Sample {
  std::string name;  // "understudy_requests_total"
  std::map<std::string, std::string, std::less<>> labels;
  double value = 0.0;

  std::string_view label(std::string_view name_of_label) const;  // empty where it has none
};

// Lines that are no samples are skipped.
std::vector<Sample> parse_exposition(std::string_view text);

// One series of a histogram, or several of the same buckets added up.
class Histogram {
 public:
  void add_bucket(double upper_bound, double cumulative_count) {
    buckets_[upper_bound] += cumulative_count;
  }
  void add_sum(double sum) { sum_ += sum; }

  double count() const;
  std::optional<double> mean() const;
  // Interpolated within its bucket, as PromQL's histogram_quantile does; none where nothing was
  // counted.
  std::optional<double> quantile(double share) const;

 private:
  std::map<double, double> buckets_;  // upper bound to cumulative count; the last is +Inf
  double sum_ = 0.0;
};

}  // namespace understudy::proxy

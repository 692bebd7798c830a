#include "proxy/exposition.h"

#include <cmath>
#include <cstdlib>
#include <iterator>
#include <utility>

namespace understudy::proxy {
namespace {

// Takes `"..."` from the front, with the format's three escapes undone.
std::optional<std::string> take_quoted(std::string_view& text) {
  if (!text.starts_with('"')) return std::nullopt;
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      value += text[i] == 'n' ? '\n' : text[i];
    } else {
      value += text[i];
    }
  }
  return std::nullopt;
}

// Takes `{name="value",...}` from the front.
bool take_labels(std::string_view& text, Sample& sample) {
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '}') {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return false;
    std::string name(text.substr(0, equals));
    text.remove_prefix(equals + 1);
    auto value = take_quoted(text);
    if (!value) return false;
    sample.labels.emplace(std::move(name), std::move(*value));
    if (text.starts_with(',')) text.remove_prefix(1);
  }
  if (text.empty()) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<Sample> parse_line(std::string_view line) {
  if (line.empty() || line.front() == '#') return std::nullopt;
  Sample sample;
  const std::size_t name_end = line.find_first_of("{ ");
  if (name_end == std::string_view::npos) return std::nullopt;
  sample.name = line.substr(0, name_end);
  line.remove_prefix(name_end);
  if (line.front() == '{' && !take_labels(line, sample)) return std::nullopt;
  const std::string number(line);
  char* end = nullptr;
  sample.value = std::strtod(number.c_str(), &end);  // knows "+Inf" and "NaN"
  if (end == number.c_str()) return std::nullopt;
  return sample;
}

}  // namespace

std::string_view Sample::label(std::string_view name_of_label) const {
  const auto found = labels.find(name_of_label);
  return found == labels.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<Sample> parse_exposition(std::string_view text) {
  std::vector<Sample> samples;
  while (!text.empty()) {
    const std::size_t line_end = text.find('\n');
    if (auto sample = parse_line(text.substr(0, line_end))) samples.push_back(std::move(*sample));
    if (line_end == std::string_view::npos) break;
    text.remove_prefix(line_end + 1);
  }
  return samples;
}

double Histogram::count() const {
  return buckets_.empty() ? 0.0 : buckets_.rbegin()->second;
}

std::optional<double> Histogram::mean() const {
  if (count() <= 0.0) return std::nullopt;
  return sum_ / count();
}

std::optional<double> Histogram::quantile(double share) const {
  if (count() <= 0.0) return std::nullopt;
  const double rank = share * count();
  double lower_bound = 0.0;
  double below = 0.0;
  for (const auto& [upper_bound, cumulative] : buckets_) {
    if (cumulative >= rank && cumulative > below) {
      if (std::isinf(upper_bound)) return lower_bound;  // all that is known: it is more than that
      return lower_bound + (upper_bound - lower_bound) * (rank - below) / (cumulative - below);
    }
    lower_bound = upper_bound;
    below = cumulative;
  }
  return lower_bound;
}

}  // namespace understudy::proxy

#include "metrics/evidence/recent_past.h"

#include <algorithm>
#include <utility>

namespace understudy::metrics {
namespace {

std::int64_t floor_to(std::int64_t hour, std::int64_t length) noexcept {
  const std::int64_t rest = hour % length;
  return hour - (rest < 0 ? rest + length : rest);
}

// The span that holds an hour once `newest` has begun: the longest whose end lies four times its
// length back. It depends on nothing else, and what once shared a span always does.
std::pair<std::int64_t, std::int64_t> span_of(std::int64_t hour, std::int64_t newest) noexcept {
  for (std::int64_t length = RecentPast::kLongestSpan; length > 1; length /= 2) {
    const std::int64_t begin = floor_to(hour, length);
    if (newest - (begin + length) >= 4 * length) return {begin, length};
  }
  return {hour, 1};
}

}  // namespace

void RecentPast::age(std::int64_t newest) {
  std::vector<HourSpan> aged;
  aged.reserve(spans_.size() + 1);  // and the hour that begins: memory is bounded by the spans
  for (const HourSpan& span : spans_) {
    const auto [begin, hours] = span_of(span.begin, newest);
    if (begin + hours < newest - kHorizon) continue;
    if (!aged.empty() && aged.back().begin == begin) {
      aged.back().counts.merge(span.counts);
    } else {
      aged.push_back({begin, hours, span.counts});
    }
  }
  spans_ = std::move(aged);
}

void RecentPast::add(std::int64_t hour, const PairMarks& marks) {
  if (spans_.empty() || spans_.back().begin < hour) {
    age(hour);
    spans_.push_back({hour, 1, {}});
  }
  spans_.back().counts.add(marks);
}

void RecentPast::merge(const RecentPast& other) {
  if (other.spans_.empty()) return;
  std::vector<HourSpan> both;
  std::ranges::merge(spans_, other.spans_, std::back_inserter(both), {}, &HourSpan::begin,
                     &HourSpan::begin);
  spans_ = std::move(both);
  age(spans_.back().begin);
}

SpanCounts RecentPast::since(std::int64_t hour) const noexcept {
  SpanCounts sum;
  for (const HourSpan& span : spans_) {
    if (span.begin + span.hours > hour) sum.merge(span.counts);
  }
  return sum;
}

std::vector<HourSpan> RecentPast::spans_at(std::int64_t first, std::int64_t newest) {
  std::vector<HourSpan> spans;
  std::int64_t hour = std::max(first, newest - kHorizon - kLongestSpan);
  while (hour <= newest) {
    const auto [begin, hours] = span_of(hour, newest);
    if (begin + hours >= newest - kHorizon) spans.push_back({begin, hours, {}});
    hour = begin + hours;
  }
  return spans;
}

bool RecentPast::set_spans(std::vector<HourSpan> spans) {
  constexpr std::int64_t kFarthest = std::int64_t{1} << 32;  // keeps sums of hours in range
  if (spans.size() > kMaxSpans) return false;
  std::int64_t end = -kFarthest;
  for (const HourSpan& span : spans) {
    const bool is_span = span.hours >= 1 && span.hours <= kLongestSpan && span.begin < kFarthest;
    if (!is_span || span.begin < end) return false;
    end = span.begin + span.hours;
  }
  spans_ = std::move(spans);
  return true;
}

}  // namespace understudy::metrics

#pragma once
// The counts of the last ten days by the hours of the clock: single hours while they are young,
// spans of 2, 4, ... 32 hours as they age, and nothing older than that. So a process may begin at
// the start of any span, and a change for the worse is met by one that began shortly before it. The
// spans depend on the clock alone, so those of several proxies add up. Plain values.

#include <cstdint>
#include <vector>

#include "metrics/evidence/gate_counts.h"

namespace understudy::metrics {

// Hours since the Unix epoch; a span begins at a multiple of its length.
struct HourSpan {
  std::int64_t begin = 0;
  std::int64_t hours = 1;
  SpanCounts counts;
  friend bool operator==(const HourSpan&, const HourSpan&) = default;
};

class RecentPast {
 public:
  static constexpr std::int64_t kLongestSpan = 32;  // hours
  static constexpr std::int64_t kHorizon = 240;     // hours; what ended before is forgotten
  static constexpr std::size_t kMaxSpans = 40;

  // Counts in that hour, or in the newest known one where the clock went back.
  void add(std::int64_t hour, const PairMarks& marks);
  void merge(const RecentPast& other);

  const std::vector<HourSpan>& spans() const noexcept { return spans_; }  // oldest first
  // All that was counted in spans that ended after the hour's begin.
  SpanCounts since(std::int64_t hour) const noexcept;
  // The spans, without counts, that the hours from `first` on lie in once `newest` has begun.
  static std::vector<HourSpan> spans_at(std::int64_t first, std::int64_t newest);
  // As they were saved: in order, none twice, at most kMaxSpans. False, with nothing changed, where
  // they are not.
  bool set_spans(std::vector<HourSpan> spans);
  friend bool operator==(const RecentPast&, const RecentPast&) = default;

 private:
  void age(std::int64_t newest);
  std::vector<HourSpan> spans_;
};

}  // namespace understudy::metrics

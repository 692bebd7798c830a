#include <algorithm>
#include <cmath>
#include <string_view>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

// Between model versions +49 % is common and between two answers of one model a few per cent, so a
// quarter tells them apart; it is the same distance both ways on the logarithm's scale.
const double kNoticeable = std::log(1.25);

double characters(std::string_view utf8) {
  return static_cast<double>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // continuation bytes do not count
  }));
}

}  // namespace

std::optional<Finding> verbosity(const Observation& served, const Observation& other) {
  if (!both_answered(served, other)) return std::nullopt;
  const double here = characters(served.answer.text);
  const double there = characters(other.answer.text);
  if (here < 1.0 || there < 1.0) return std::nullopt;
  const double ratio = std::log(there / here);
  return Finding{
      .signal = Signal::verbosity, .diverges = std::abs(ratio) > kNoticeable, .value = ratio};
}

}  // namespace understudy::metrics::divergence

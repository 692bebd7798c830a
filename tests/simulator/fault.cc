#include "tests/simulator/fault.h"

#include <array>
#include <charconv>
#include <utility>

namespace understudy::simulator {
namespace {

struct NamedFault {
  std::string_view name;
  Fault fault;
};

const std::array<NamedFault, 13>& named_faults() {
  static const std::array<NamedFault, 13> faults{{
      {"none", {FaultKind::none, 0, {}}},
      {"hang", {FaultKind::hang, 0, {}}},
      {"reset", {FaultKind::reset, 0, {}}},
      {"truncate_midstream", {FaultKind::truncate_midstream, 2, {}}},
      {"hang_midstream", {FaultKind::hang_midstream, 2, {}}},
      {"garbage", {FaultKind::garbage, 0, {}}},
      {"garbage_head", {FaultKind::garbage_head, 0, {}}},
      {"huge", {FaultKind::huge, 0, {}}},
      {"slow_headers", {FaultKind::slow_headers, 50, {}}},
      {"close_after_head", {FaultKind::close_after_head, 0, {}}},
      {"close_after_reply", {FaultKind::close_after_reply, 0, {}}},
      {"bad_crc", {FaultKind::bad_crc, 1, {}}},
      {"exception_midstream", {FaultKind::exception_midstream, 2, "throttlingException"}},
  }};
  return faults;
}

bool read_count(std::string_view text, std::uint32_t& count) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  return error == std::errc{} && end == text.data() + text.size();
}

std::pair<std::string_view, std::string_view> split(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

std::optional<Fault> parse_fault(std::string_view text) {
  auto [name, argument] = split(text);
  for (const NamedFault& known : named_faults()) {
    if (known.name != name) continue;
    Fault fault = known.fault;
    if (fault.kind == FaultKind::exception_midstream && !argument.empty()) {
      const auto [exception, count] = split(argument);
      fault.exception = exception;
      argument = count;
    }
    if (!argument.empty() && !read_count(argument, fault.count)) return std::nullopt;
    return fault;
  }
  return std::nullopt;
}

std::string_view fault_names() {
  return "none, hang, reset, truncate_midstream[:N], hang_midstream[:N], garbage, garbage_head, "
         "huge, "
         "slow_headers[:MS], close_after_head, close_after_reply, bad_crc[:N], "
         "exception_midstream:NAME[:N]";
}

}  // namespace understudy::simulator

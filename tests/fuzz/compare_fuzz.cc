#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "metrics/comparison.h"
#include "metrics/divergence/answer_profile.h"
#include "metrics/divergence/error_headline.h"
#include "metrics/divergence/masked_message.h"

namespace {

using namespace understudy::metrics;

// The part up to the next NUL, which is taken off.
std::string_view next_part(std::string_view& bytes) {
  const std::string_view part = bytes.substr(0, bytes.find('\0'));
  bytes.remove_prefix(std::min(part.size() + 1, bytes.size()));
  return part;
}

Observation answer(std::string_view text, std::string_view arguments) {
  Observation seen;
  seen.status = 200;
  seen.answer.parsed = true;
  seen.answer.stop_reason = "end_turn";
  seen.answer.text = text;
  if (!arguments.empty()) seen.answer.tool_calls.push_back({"tool", std::string{arguments}});
  return seen;
}

const Finding* find(const Comparison& comparison, Signal signal) {
  for (const Finding& finding : comparison.findings) {
    if (finding.signal == signal) return &finding;
  }
  return nullptr;
}

// Values stay numbers, and what is bad does not depend on which side it is.
void hold(const Comparison& there, const Comparison& back) {
  for (const Finding& finding : there.findings) {
    if (!std::isfinite(finding.value)) std::abort();
    const Finding* swapped = find(back, finding.signal);
    if (swapped == nullptr) continue;
    if (finding.served_bad != swapped->other_bad) std::abort();
    if (finding.other_bad != swapped->served_bad) std::abort();
  }
}

}  // namespace

// Two answers, two calls' arguments and a request, split at NULs.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const std::string_view here = next_part(bytes);
  const std::string_view there = next_part(bytes);
  const std::string_view arguments_here = next_part(bytes);
  const std::string_view arguments_there = next_part(bytes);
  const Observation served = answer(here, arguments_here);
  const Observation other = answer(there, arguments_there);
  hold(compare(served, other), compare(other, served));

  AnswerProfile profile;
  for (int i = 0; i < 10; ++i) profile.learn(served);
  if (!AnswerProfile::from_json(profile.to_json())) std::abort();
  for (const auto operation :
       {understudy::routing::Operation::converse, understudy::routing::Operation::invoke_model}) {
    Expectations expectations = Expectations::from_request(operation, bytes);
    expectations.profile = &profile;
    hold(compare(served, other, expectations), compare(other, served, expectations));
  }
  if (understudy::metrics::divergence::masked_message(here).size() > 300) std::abort();
  if (understudy::metrics::divergence::error_headline(here, bytes).size() > 300) std::abort();
  const auto damaged = nlohmann::json::parse(bytes, nullptr, false);
  if (!damaged.is_discarded()) AnswerProfile::from_json(damaged);
  return 0;
}

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metrics/answer.h"

// The first byte chooses the operation and the status, the second the budget, the third the form;
// the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace understudy;
  if (size < 3) return 0;
  static constexpr std::array<std::string_view, 3> kTypes{
      "application/json", "application/vnd.amazon.eventstream", "text/event-stream"};
  const std::string_view body{reinterpret_cast<const char*>(data) + 3, size - 3};
  const std::array<routing::Field, 2> fields{
      routing::Field{"content-type", kTypes[data[2] % kTypes.size()]},
      routing::Field{"x-amzn-errortype", body.substr(0, body.find('\n'))}};
  metrics::BlockPool pool;
  metrics::ResponseReader reader{
      pool, {.beginning_bytes = data[1] * std::size_t{64}, .tail_bytes = data[1]}};
  reader.on_head((data[0] & 2) ? 200 : 400, fields);
  reader.on_body(body, metrics::TimePoint{});
  metrics::AttemptFacts facts;
  facts.operation = routing::kOperations[(data[0] >> 2) % routing::kOperations.size()];
  const metrics::CapturedAnswer captured = reader.finish(metrics::AnswerEnd::complete);
  const metrics::Observation all = metrics::read_answer(facts, captured);
  const metrics::Observation figures =
      metrics::read_answer(facts, captured, metrics::Detail::figures);
  if (figures.error_class != all.error_class) std::abort();
  // Which family an InvokeModel body is of is the full reader's guess.
  const bool is_guess = facts.operation == routing::Operation::invoke_model;
  if (!is_guess && all.answer.parsed && !(figures.usage == all.usage)) std::abort();
  return 0;
}

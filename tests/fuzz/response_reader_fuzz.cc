#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metrics/response_reader.h"

namespace {

using namespace understudy;

metrics::CapturedAnswer read(metrics::BlockPool& pool, metrics::ResponseReader::Budget budget,
                             std::string_view body, std::size_t piece) {
  metrics::ResponseReader reader{pool, budget};
  const std::array<routing::Field, 1> fields{
      routing::Field{"content-type", "application/vnd.amazon.eventstream"}};
  reader.on_head(200, fields);
  metrics::TimePoint now{};
  for (std::size_t at = 0; at < body.size(); at += piece) {
    now += std::chrono::milliseconds{1};
    reader.on_body(body.substr(at, piece), now);
  }
  return reader.finish(metrics::AnswerEnd::complete);
}

}  // namespace

// The first four bytes are budgets and the size of the pieces; pieces must not change what is
// captured.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const metrics::ResponseReader::Budget budget{.beginning_bytes = data[0] * std::size_t{8},
                                               .tail_bytes = data[1]};
  const std::size_t piece = data[2] + std::size_t{1};
  const std::string_view body{reinterpret_cast<const char*>(data) + 4, size - 4};
  metrics::BlockPool pool;
  const auto whole = read(pool, budget, body, std::max<std::size_t>(body.size(), 1));
  const auto pieces = read(pool, budget, body, piece);
  if (whole.beginning_text() != pieces.beginning_text() ||
      whole.tail_text() != pieces.tail_text() || whole.frame_count != pieces.frame_count ||
      whole.tail_offset != pieces.tail_offset ||
      whole.malformed_frames != pieces.malformed_frames || whole.body_bytes != body.size() ||
      whole.kept_bytes() > budget.beginning_bytes + 2 * budget.tail_bytes) {
    std::abort();
  }
  return 0;
}

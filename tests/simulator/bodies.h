#pragma once
// Writes an Answer in the body format of each API and model family, whole or as the events of a
// stream. Pure.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/simulator/answer.h"
#include "tests/simulator/config.h"
#include "tests/simulator/message.h"

namespace understudy::simulator {

struct RenderContext {
  std::string model_id;          // without geo prefix and ARN
  std::uint64_t latency_ms = 0;  // as the service would report it
  std::uint64_t first_byte_ms = 0;
  std::uint64_t padding_seed = 0;
};

// Compact, keys in alphabetical order, as recorded from the service.
std::string converse_body(const Answer& answer, const RenderContext& context);
std::vector<StreamEvent> converse_events(const Answer& answer, const RenderContext& context);

std::string invoke_body(Family family, const Answer& answer, const RenderContext& context);
std::vector<StreamEvent> invoke_events(Family family, const Answer& answer,
                                       const RenderContext& context);

// Text in the pieces in which a model streams it: one to six tokens, never inside a UTF-8
// character.
struct Piece {
  std::string text;
  double tokens = 0;
};
std::vector<Piece> pieces_of(std::string_view text, std::uint64_t seed);

// What Anthropic's models stream, as InvokeModel and Messages both carry it.
struct StreamObject {
  nlohmann::ordered_json value;
  double tokens = 0;
};
std::vector<StreamObject> anthropic_stream(const Answer& answer, const RenderContext& context);

// One `chunk` event that carries `inner`, as InvokeModelWithResponseStream sends it.
std::string chunk_event(std::string_view inner, std::uint64_t padding_draw);

}  // namespace understudy::simulator

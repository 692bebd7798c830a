#pragma once
// Which model a request of the second wire asks for: its JSON body says so itself. One look over
// the members of the outermost object, no tree, no recursion. Pure; used on io threads, where it
// costs a part of what signing the same bytes does.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace understudy::routing {

struct BodyModel {
  std::string id;  // decoded
  // Where it stands in the body: the bytes between its quotation marks.
  std::size_t offset = 0;
  std::size_t size = 0;
  // The request goes on from something that an upstream keeps (`previous_response_id`,
  // `conversation`), or its answer will be kept rather than sent (`background`).
  bool stateful = false;
};

// Why there is none that could be relied on. The metric label is the enumerator's spelling.
enum class BodyModelProblem : std::uint8_t {
  absent,
  duplicate,    // who reads it decides which one counts: we do not guess
  not_a_model,  // no text of visible ASCII, or longer than 2048 bytes
  malformed,    // no JSON object, nested too deeply, or something behind it
  too_large,    // the body exceeds limits.max_model_scan_bytes, or has more than one bracket,
                // quotation mark or item in 32 bytes of that limit
};
inline constexpr std::size_t kBodyModelProblems =
    static_cast<std::size_t>(BodyModelProblem::too_large) + 1;
std::string_view label(BodyModelProblem problem) noexcept;

// Reads the whole object, so that a second `model` is seen wherever it stands; a key or a value
// that is written with escapes is read as a JSON parser would.
std::variant<BodyModel, BodyModelProblem> find_body_model(std::string_view body,
                                                          std::size_t max_bytes);

}  // namespace understudy::routing

// The request target, as any client may send it. First byte: which base path the listener has.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "routing/model_id.h"
#include "routing/operation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace understudy::routing;
  if (size == 0) return 0;
  const std::string_view target(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto result = parse_target("POST", target, data[0] % 2 == 0 ? "" : "/bedrock");
  const auto* parsed = std::get_if<RequestTarget>(&result);
  if (parsed == nullptr) return 0;
  // What is sent on is a tail of what came, and nothing in the id can be decoded again.
  if (!target.ends_with(parsed->forwarded)) std::abort();
  if (parsed->model_id.find('%') != std::string_view::npos) std::abort();
  if (parsed->forwarded.find(parsed->raw_model) == std::string_view::npos) std::abort();
  body_format(parsed->model_id);
  return 0;
}

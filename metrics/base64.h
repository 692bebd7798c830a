#pragma once
// RFC 4648 base64, standard alphabet, as JSON blobs of Bedrock have it.

#include <optional>
#include <string>
#include <string_view>

namespace understudy::metrics {

// None for anything that is not whole, padded base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace understudy::metrics

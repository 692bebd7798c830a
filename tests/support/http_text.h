#pragma once
// The little of HTTP/1.1 that both ends of the tests need to read. Trusting: what it reads was made
// here or has passed the proxy.

#include <optional>
#include <string>
#include <string_view>

namespace understudy::testing_support {

// The value of the first field of that name in a head; names in any case.
std::optional<std::string> field_of(std::string_view head, std::string_view name);

// Takes the chunked body at the beginning of `bytes` apart. None while its end is not there; throws
// where it is no chunked body. `consumed` tells how far it went.
std::optional<std::string> decode_chunks(std::string_view bytes, std::size_t& consumed);

}  // namespace understudy::testing_support

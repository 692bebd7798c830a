#pragma once
// Error messages by which equal ones can be counted.

#include <string>
#include <string_view>

namespace understudy::metrics::divergence {

// The message with '#' for every number and for every identifier (12 and more letters and digits
// mixed, with hyphens or without), and "..." for what is quoted at length: it may be the caller's
// text. At most 300 bytes, printable, valid UTF-8 if the message was.
std::string masked_message(std::string_view message);

}  // namespace understudy::metrics::divergence

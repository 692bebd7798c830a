#pragma once
// What an upstream says when it refuses a request as invalid, with nothing of the request in it:
// fit to be counted, shown and kept.

#include <string>
#include <string_view>

namespace understudy::metrics::divergence {

// masked_message(), and "..." in the place of every word that the request's own texts hold as well,
// unless it belongs to the closed vocabulary of such messages (parameters, fields, the words around
// them) or names a field of the request. Of a request that is no JSON, or holds more than 256 KiB
// of text, only the vocabulary is shown; of words with other letters than ASCII's, nothing. At most
// 300 bytes of printable ASCII; never throws but std::bad_alloc.
std::string error_headline(std::string_view message, std::string_view request_body);

}  // namespace understudy::metrics::divergence

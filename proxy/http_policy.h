#pragma once
// What a listener lets in, beyond what the wire format demands: the second half of the gate whose
// first half is http_head. The same for every protocol.

#include <string_view>
#include <variant>

#include "proxy/http_head.h"
#include "routing/config.h"
#include "routing/operation.h"

namespace understudy::proxy {

inline constexpr HeadProblem kBodyTooLarge{413, "max_body_bytes",
                                           "The request's body is larger than max_body_bytes."};
inline constexpr HeadProblem kNoRoomForBody{
    503, "max_buffered_body_bytes",
    "The proxy holds as many bytes of request bodies as it may. Please try again."};

// The target that routing sees, or why the request is refused.
std::variant<routing::RequestTarget, HeadProblem> admit(const RequestHead& head,
                                                        const routing::ListenerConfig& listener);

}  // namespace understudy::proxy

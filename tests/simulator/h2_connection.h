#pragma once
// A connection that begins with HTTP/2's preface (prior knowledge; what the AWS SDKs do without
// TLS), in front of a Service: the same answers as over HTTP/1.1, many at once, and
// InvokeModelWithBidirectionalStream, whose events are echoed as they come. Of the faults those
// that HTTP/2 can have: hang, reset and, of answers that are not echoed, the two in mid-stream.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string_view>

#include "tests/simulator/service.h"

namespace understudy::simulator {

inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Until the client has left and its last answer has ended. Runs on the socket's loop, which may be
// stopped at any time.
boost::asio::awaitable<void> serve_http2(boost::asio::ip::tcp::socket socket, Service& service);

}  // namespace understudy::simulator

#pragma once
// TLS towards upstreams. The one place where a client context is made, so that verification, name
// check and SNI are always on together: each of them alone lets a self-signed certificate for
// another name pass (measured, see the tests).

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <string>

#include "proxy/error.h"
#include "proxy/tls_server.h"

namespace understudy::proxy {

using TlsStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;

// TLS 1.2 or later, the peer verified against `ca_file`, or the system's anchors where it is empty.
// Shared between threads, constant after construction. Offers "http/1.1" by ALPN.
Result<std::shared_ptr<boost::asio::ssl::context>> make_client_tls(const std::string& ca_file);

// A stream over `socket` that will send `host` as SNI (unless it is an address) and accept only a
// certificate for it.
Result<std::unique_ptr<TlsStream>> make_client_stream(boost::asio::ip::tcp::socket socket,
                                                      boost::asio::ssl::context& context,
                                                      const std::string& host);

// The context of a listener's first certificate for a stream of Asio's own, which the admin port
// uses. `server` must outlive what is made of it.
std::shared_ptr<boost::asio::ssl::context> asio_context_of(const TlsServer& server);

}  // namespace understudy::proxy

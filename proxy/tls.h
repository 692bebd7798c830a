#pragma once
// TLS towards upstreams. The one place where a client context is made, so that verification, name
// check and SNI are always on together: each of them alone lets a self-signed certificate for
// another name pass (measured, see the tests).

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/error.h"
#include "proxy/tls_server.h"
#include "proxy/tls_session.h"

namespace understudy::proxy {

// TLS 1.2 or later, the peer verified against `ca_file`, or the system's anchors where it is empty.
// Shared between threads, constant after construction.
Result<std::shared_ptr<boost::asio::ssl::context>> make_client_tls(const std::string& ca_file);

// What the client's ends made of `context` show to a server that asks for a certificate. PEM files;
// call it before the first is made.
Status present_certificate(boost::asio::ssl::context& context, const std::string& certificate_file,
                           const std::string& key_file);

// The client's end of a connection, which will send `host` as SNI (unless it is an address), accept
// only a certificate for it, and offer one protocol by ALPN.
Result<TlsSession> make_client_session(boost::asio::ssl::context& context, const std::string& host,
                                       std::string_view protocol = "http/1.1");

// The context of a listener's first certificate for a stream of Asio's own, which the admin port
// uses. `server` must outlive what is made of it.
std::shared_ptr<boost::asio::ssl::context> asio_context_of(const TlsServer& server);

}  // namespace understudy::proxy

// The one unit that holds the bodies of Asio, its TLS and Beast (see proxy/CMakeLists.txt).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>

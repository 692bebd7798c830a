#include "proxy/tls_socket_bio.h"

#include <openssl/bio.h>

#include <array>
#include <boost/asio/error.hpp>

#include "proxy/stream_socket.h"

namespace understudy::proxy {

namespace asio = boost::asio;

namespace {

TlsSocket& socket_of(BIO* bio) noexcept {
  return *static_cast<TlsSocket*>(BIO_get_data(bio));
}

int write_to_socket(BIO* bio, const char* data, std::size_t size, std::size_t* written) noexcept {
  BIO_clear_retry_flags(bio);
  TlsSocket& to = socket_of(bio);
  const std::array buffers{asio::const_buffer(data, size)};
  const auto [error, taken] = to.socket.try_write(buffers);
  if (error) BIO_set_retry_write(bio);
  if (error && error != asio::error::would_block) to.write_error = error;
  *written = taken;
  return error ? 0 : 1;
}

int read_from_socket(BIO* bio, char* data, std::size_t size, std::size_t* got) noexcept {
  BIO_clear_retry_flags(bio);
  TlsSocket& from = socket_of(bio);
  const auto [error, received] = from.socket.try_read(asio::mutable_buffer(data, size));
  *got = received;
  if (error == asio::error::eof) {
    BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  } else if (error) {
    BIO_set_retry_read(bio);
    if (error != asio::error::would_block) from.read_error = error;
  }
  return error ? 0 : 1;
}

long control(BIO* bio, int command, long, void*) noexcept {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;  // nothing is held back
    case BIO_CTRL_EOF:
      return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    default:
      return 0;
  }
}

// Lives as long as the process: one for all threads, as OpenSSL's own.
const BIO_METHOD* socket_method() noexcept {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "non-blocking socket");
    if (made == nullptr) return made;
    BIO_meth_set_write_ex(made, write_to_socket);
    BIO_meth_set_read_ex(made, read_from_socket);
    BIO_meth_set_ctrl(made, control);
    return made;
  }();
  return method;
}

}  // namespace

bio_st* make_socket_bio(TlsSocket& socket) noexcept {
  if (socket_method() == nullptr) return nullptr;
  BIO* bio = BIO_new(socket_method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, &socket);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace understudy::proxy

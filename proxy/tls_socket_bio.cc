#include "proxy/tls_socket_bio.h"

#include <openssl/bio.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace understudy::proxy {
namespace {

int socket_of(BIO* bio) noexcept {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

bool try_again_later() noexcept {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int write_to_socket(BIO* bio, const char* data, std::size_t size, std::size_t* written) noexcept {
  BIO_clear_retry_flags(bio);
  const ::ssize_t sent = ::send(socket_of(bio), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    if (try_again_later()) BIO_set_retry_write(bio);
    return 0;
  }
  *written = static_cast<std::size_t>(sent);
  return 1;
}

int read_from_socket(BIO* bio, char* data, std::size_t size, std::size_t* got) noexcept {
  BIO_clear_retry_flags(bio);
  const ::ssize_t received = ::recv(socket_of(bio), data, size, MSG_DONTWAIT);
  if (received <= 0) {
    if (received < 0 && try_again_later()) BIO_set_retry_read(bio);
    if (received == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return 0;
  }
  *got = static_cast<std::size_t>(received);
  return 1;
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

bio_st* make_socket_bio(int socket) noexcept {
  if (socket_method() == nullptr) return nullptr;
  BIO* bio = BIO_new(socket_method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace understudy::proxy

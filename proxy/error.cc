#include "proxy/error.h"

namespace understudy::proxy {

std::string_view label(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::resolve:
      return "resolve";
    case ErrorKind::connect:
      return "connect";
    case ErrorKind::tls:
      return "tls";
    case ErrorKind::credentials:
      return "credentials";
    case ErrorKind::timeout:
      return "timeout";
    case ErrorKind::closed:
      return "closed";
    case ErrorKind::bad_message:
      return "bad_message";
    case ErrorKind::too_large:
      return "too_large";
    case ErrorKind::cancelled:
      return "cancelled";
    case ErrorKind::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace understudy::proxy

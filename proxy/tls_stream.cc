#include "proxy/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <cstring>
#include <new>
#include <utility>

namespace understudy::proxy {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kRecordBytes = 16u << 10;  // RFC 8446 5.1

// Who writes much to a peer that takes it at once lets the others of the thread run after so many.
constexpr std::size_t kRecordsInARow = 32;

// Walks over what is to be written. Small pieces are joined, so that an answer's head and body are
// one record and one system call.
class Pieces {
 public:
  explicit Pieces(std::span<const asio::const_buffer> buffers) : buffers_(buffers) { skip_empty(); }

  bool empty() const noexcept { return buffers_.empty(); }

  // What comes next, at most a record, contiguous: in place where one buffer fills a record or is
  // the last, joined in `scratch` otherwise. The same until advance().
  std::string_view next(std::array<char, kRecordBytes>& scratch) const {
    const std::size_t here = buffers_.front().size() - offset_;
    if (here >= kRecordBytes || buffers_.size() == 1)
      return {data(buffers_.front()) + offset_, std::min(here, kRecordBytes)};
    std::size_t filled = 0, offset = offset_;
    for (const auto& buffer : buffers_) {
      const std::size_t part = std::min(buffer.size() - offset, kRecordBytes - filled);
      if (part > 0) std::memcpy(scratch.data() + filled, data(buffer) + offset, part);
      filled += part;
      offset = 0;
      if (filled == kRecordBytes) break;
    }
    return {scratch.data(), filled};
  }

  void advance(std::size_t bytes) {
    offset_ += bytes;
    while (!buffers_.empty() && offset_ >= buffers_.front().size()) {
      offset_ -= buffers_.front().size();
      buffers_ = buffers_.subspan(1);
    }
  }

 private:
  static const char* data(const asio::const_buffer& buffer) {
    return static_cast<const char*>(buffer.data());
  }
  void skip_empty() { advance(0); }

  std::span<const asio::const_buffer> buffers_;
  std::size_t offset_ = 0;  // into the first
};

// Between next() and SSL_write nothing else runs on the thread.
std::array<char, kRecordBytes>& thread_scratch() {
  static thread_local std::array<char, kRecordBytes> scratch;
  return scratch;
}

// What OpenSSL reported last on this thread.
error_code last_error() {
  const unsigned long error = ERR_peek_error();
  if (error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return asio::ssl::error::stream_truncated;
  return {static_cast<int>(error), asio::error::get_ssl_category()};
}

std::string_view word_for(int reason) {
  switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "closed";
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_PACKET_LENGTH:
      return "not_tls";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_PROTOCOL:
      return "version";
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
      return "cipher";
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return "alpn";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "no_certificate";
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return "bad_certificate";
    default:
      // What the peer says is 1000 and its alert (SSL_AD_REASON_OFFSET).
      return reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256 ? "alert"
                                                                                   : "other";
  }
}

// Why the last handshake on this thread failed, which was `session`'s.
TlsStream::Handshake failure_of(SSL* session) {
  TlsStream::Handshake failed{.result = word_for(ERR_GET_REASON(ERR_peek_error())),
                              .detail = last_error().message()};
  if (const long verified = SSL_get_verify_result(session); verified != X509_V_OK)
    failed.detail += std::string{": "} + X509_verify_cert_error_string(verified);
  return failed;
}

class NameList {
 public:
  void add(const ASN1_STRING* text) {
    constexpr std::size_t kMaxNames = 32, kMaxBytes = 256;
    const std::string_view name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                static_cast<std::size_t>(ASN1_STRING_length(text)));
    const bool visible =
        std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
    if (visible && !name.empty() && name.size() <= kMaxBytes && names_.size() < kMaxNames)
      names_.emplace_back(name);
  }
  void add_alternatives(const GENERAL_NAMES* all, int type) {
    for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
      const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
      if (name->type == type) add(name->d.ia5);
    }
  }
  std::vector<std::string> take() { return std::move(names_); }

 private:
  std::vector<std::string> names_;
};

}  // namespace

TlsStream::TlsStream(SocketEvents& events, asio::ip::tcp::socket socket, TlsSession session,
                     std::shared_ptr<const TlsServer> server)
    : socket_(events, std::move(socket)), server_(std::move(server)), session_(std::move(session)) {
  BIO* const bio = session_ ? make_socket_bio(io_) : nullptr;
  if (bio == nullptr) throw std::bad_alloc();
  SSL_set_bio(session_.get(), bio, bio);
  // An idle connection holds no record buffers; a record is read with one system call; a write that
  // has to wait may go on from another buffer with the same content.
  SSL_set_mode(session_.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_read_ahead(session_.get(), 1);
}

// What OpenSSL wants before it goes on; an error where there is no way on.
Task<error_code> TlsStream::wait_for(int openssl_wants) {
  error_code error;
  if (openssl_wants == SSL_ERROR_WANT_READ) {
    error = io_.read_error;
    if (!error) error = co_await socket_.readable();
  } else if (openssl_wants == SSL_ERROR_WANT_WRITE) {
    error = io_.write_error;
    if (!error) error = co_await socket_.writable();
  } else if (openssl_wants == SSL_ERROR_ZERO_RETURN) {
    error = asio::error::eof;
  } else {
    broken_ = true;
    error = last_error();
  }
  co_return error;
}

Task<TlsStream::Handshake> TlsStream::shake_hands() {
  Handshake handshake{.result = "closed"};
  while (!handshake.done && usable()) {
    ERR_clear_error();
    const int outcome = SSL_do_handshake(session_.get());
    handshake.done = outcome == 1;
    if (handshake.done) break;
    const int wants = SSL_get_error(session_.get(), outcome);
    // Before the wait: the queue of errors is the thread's.
    if (wants == SSL_ERROR_SSL) handshake = failure_of(session_.get());
    if (const error_code error = co_await wait_for(wants)) {
      if (handshake.detail.empty()) handshake.detail = error.message();
      co_return handshake;
    }
  }
  if (handshake.done) handshake.result = SSL_session_reused(session_.get()) ? "resumed" : "full";
  co_return handshake;
}

std::string_view TlsStream::protocol() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(session_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::vector<std::string> TlsStream::client_names() const {
  if (SSL_is_server(session_.get()) == 0) return {};
  NameList names;
  X509* certificate = SSL_get0_peer_certificate(session_.get());
  if (certificate == nullptr) return {};
  if (auto* all = static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))) {
    for (const int type : {GEN_URI, GEN_DNS, GEN_EMAIL}) names.add_alternatives(all, type);
    GENERAL_NAMES_free(all);
  }
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) names.add(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  return names.take();
}

bool TlsStream::has_pending() const noexcept {
  return SSL_has_pending(session_.get()) == 1;
}

Task<IoResult> TlsStream::read_some(asio::mutable_buffer buffer) {
  if (socket_.must_give_way()) co_await asio::post(socket_.context(), kAsTuple);
  while (usable()) {
    ERR_clear_error();
    std::size_t got = 0;
    const int outcome = SSL_read_ex(session_.get(), buffer.data(), buffer.size(), &got);
    if (outcome == 1) co_return IoResult{error_code{}, got};
    const int wants = SSL_get_error(session_.get(), outcome);
    const error_code error = co_await wait_for(wants);
    if (error) co_return IoResult{error, 0};
  }
  co_return IoResult{asio::error::connection_reset, 0};
}

Task<IoResult> TlsStream::write(std::span<const asio::const_buffer> buffers) {
  std::size_t written = 0, records = 0;
  for (Pieces pieces(buffers); !pieces.empty();) {
    if (!usable()) co_return IoResult{asio::error::connection_reset, written};
    const std::string_view piece = pieces.next(thread_scratch());
    ERR_clear_error();
    std::size_t taken = 0;
    const int outcome = SSL_write_ex(session_.get(), piece.data(), piece.size(), &taken);
    if (outcome == 1) {
      written += taken;
      pieces.advance(taken);
      if (++records % kRecordsInARow == 0) co_await asio::post(socket_.context(), kAsTuple);
      continue;
    }
    const int wants = SSL_get_error(session_.get(), outcome);
    const error_code error = co_await wait_for(wants);
    if (error) co_return IoResult{error, written};
  }
  co_return IoResult{error_code{}, written};
}

Task<void> TlsStream::end_writing() {
  while (usable()) {
    ERR_clear_error();
    const int outcome = SSL_shutdown(session_.get());
    if (outcome >= 0) co_return;  // sent; whether the client answers is its own affair
    const error_code error = co_await wait_for(SSL_get_error(session_.get(), outcome));
    if (error) co_return;
  }
}

void TlsStream::try_end_writing() noexcept {
  if (!usable() || SSL_in_init(session_.get()) == 1) return;
  ERR_clear_error();
  SSL_shutdown(session_.get());
  ERR_clear_error();
}

}  // namespace understudy::proxy

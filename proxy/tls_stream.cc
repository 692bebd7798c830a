#include "proxy/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <cstring>
#include <utility>

namespace understudy::proxy {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kRecordBytes = 16u << 10;  // RFC 8446 5.1

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

// Why the last handshake on this thread failed.
std::string_view failure_of(int wants) {
  if (wants == SSL_ERROR_SYSCALL || wants == SSL_ERROR_ZERO_RETURN) return "closed";
  switch (const int reason = ERR_GET_REASON(ERR_peek_error())) {
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

class PeerNames {
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

TlsServerStream::TlsServerStream(SocketEvents& events, asio::ip::tcp::socket socket,
                                 std::shared_ptr<const TlsServer> server)
    : socket_(events, std::move(socket)),
      server_(std::move(server)),
      session_(server_->make_session(socket_)) {
  if (!session_) throw std::bad_alloc();
}

// What OpenSSL wants before it goes on; an error where there is no way on.
Task<error_code> TlsServerStream::wait_for(int openssl_wants) {
  error_code error;
  if (openssl_wants == SSL_ERROR_WANT_READ) {
    error = co_await socket_.readable();
  } else if (openssl_wants == SSL_ERROR_WANT_WRITE) {
    error = co_await socket_.writable();
  } else if (openssl_wants == SSL_ERROR_ZERO_RETURN) {
    error = asio::error::eof;
  } else {
    broken_ = true;
    error = asio::error::connection_reset;
  }
  co_return error;
}

Task<TlsServerStream::Handshake> TlsServerStream::shake_hands() {
  while (usable()) {
    ERR_clear_error();
    const int outcome = SSL_accept(session_.get());
    if (outcome == 1)
      co_return Handshake{true, SSL_session_reused(session_.get()) == 1 ? "resumed" : "full"};
    const int wants = SSL_get_error(session_.get(), outcome);
    const bool goes_on = wants == SSL_ERROR_WANT_READ || wants == SSL_ERROR_WANT_WRITE;
    const std::string_view failure = goes_on ? "closed" : failure_of(wants);
    const error_code error = co_await wait_for(wants);
    if (error) co_return Handshake{false, failure};
  }
  co_return Handshake{false, "closed"};
}

std::string_view TlsServerStream::protocol() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(session_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::vector<std::string> TlsServerStream::peer_names() const {
  PeerNames names;
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

bool TlsServerStream::has_pending() const noexcept {
  return SSL_has_pending(session_.get()) == 1;
}

Task<IoResult> TlsServerStream::read_some(asio::mutable_buffer buffer) {
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

Task<IoResult> TlsServerStream::write(std::span<const asio::const_buffer> buffers) {
  std::size_t written = 0;
  for (Pieces pieces(buffers); !pieces.empty();) {
    if (!usable()) co_return IoResult{asio::error::connection_reset, written};
    const std::string_view piece = pieces.next(thread_scratch());
    ERR_clear_error();
    std::size_t taken = 0;
    const int outcome = SSL_write_ex(session_.get(), piece.data(), piece.size(), &taken);
    if (outcome == 1) {
      written += taken;
      pieces.advance(taken);
      continue;
    }
    const int wants = SSL_get_error(session_.get(), outcome);
    const error_code error = co_await wait_for(wants);
    if (error) co_return IoResult{error, written};
  }
  co_return IoResult{error_code{}, written};
}

Task<void> TlsServerStream::end_writing() {
  while (usable()) {
    ERR_clear_error();
    const int outcome = SSL_shutdown(session_.get());
    if (outcome >= 0) co_return;  // sent; whether the client answers is its own affair
    const error_code error = co_await wait_for(SSL_get_error(session_.get(), outcome));
    if (error) co_return;
  }
}

void TlsServerStream::try_end_writing() noexcept {
  if (!usable() || SSL_in_init(session_.get()) == 1) return;
  ERR_clear_error();
  SSL_shutdown(session_.get());
  ERR_clear_error();
}

}  // namespace understudy::proxy

#include "proxy/tls_handshake.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <utility>

#include "proxy/log.h"

namespace understudy::proxy {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// How long a client that was refused may take to read why.
constexpr auto kLinger = 1s;
constexpr std::size_t kMaxLingerBytes = 64u << 10;

}  // namespace

TlsHandshake::TlsHandshake(std::unique_ptr<Transport> transport, std::chrono::milliseconds timeout,
                           metrics::Recorder& recorder, std::string listener)
    : transport_(std::move(transport)),
      timeout_(timeout),
      recorder_(recorder),
      listener_(std::move(listener)) {}

Task<void> TlsHandshake::run() {
  transport_->expire_after(timeout_);
  const auto handshake = co_await transport_->shake_hands();
  if (!handshake.done) co_return co_await fail(handshake);
  recorder_.tls_handshake(handshake.result);
  transport_->never_expire();
  done_ = !transport_->aborted();
}

std::unique_ptr<Transport> TlsHandshake::take() noexcept {
  return done_ ? std::move(transport_) : nullptr;
}

void TlsHandshake::cut() noexcept {
  if (transport_) transport_->abort();
}

Task<void> TlsHandshake::fail(const TlsStream::Handshake& failed) {
  if (transport_->aborted()) co_return;
  const std::string_view why = transport_->timed_out() ? "timeout" : failed.result;
  recorder_.tls_handshake(why);
  // Probes of load balancers connect and leave: not worth a line at the usual level.
  log(why == "closed" ? LogLevel::debug : LogLevel::warn, "tls_handshake_failed",
      {{"listener", std::string_view{listener_}},
       {"why", why},
       {"detail", std::string_view{failed.detail}}});
  if (why == "closed" || !transport_->is_open()) co_return;
  // A close with unread input would reset the connection and could take our alert with it.
  transport_->shut_down_sending();
  transport_->expire_after(kLinger);
  std::array<char, 512> unread;
  for (std::size_t seen = 0; seen < kMaxLingerBytes;) {
    const auto [error, got] = co_await transport_->read_raw(asio::buffer(unread));
    if (error) co_return;
    seen += got;
  }
}

}  // namespace understudy::proxy

#pragma once
// A client's connection until TLS has shaken hands; then it is handed on to whoever speaks the
// protocol that was agreed on. Belongs to one io thread.

#include <chrono>
#include <memory>
#include <string>

#include "metrics/recorder.h"
#include "proxy/downstream_connection.h"
#include "proxy/task.h"
#include "proxy/transport.h"

namespace understudy::proxy {

class TlsHandshake final : public DownstreamConnection {
 public:
  // `listener` is its name in the log.
  TlsHandshake(std::unique_ptr<Transport> transport, std::chrono::milliseconds timeout,
               metrics::Recorder& recorder, std::string listener);

  Task<void> run() override;
  // There is no request yet that would be worth finishing.
  void finish() noexcept override { cut(); }
  void cut() noexcept override;

  // After run(): the connection, or null where it did not come to be.
  std::unique_ptr<Transport> take() noexcept;

 private:
  Task<void> fail(const TlsStream::Handshake& failed);

  std::unique_ptr<Transport> transport_;  // null once taken
  bool done_ = false;
  const std::chrono::milliseconds timeout_;
  metrics::Recorder& recorder_;
  const std::string listener_;
};

}  // namespace understudy::proxy

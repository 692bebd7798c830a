#pragma once
// One request to an upstream over HTTP/2, on a connection of its own: for the operation whose
// request and answer flow at the same time. TLS with ALPN "h2", or prior knowledge on http://.
// Belongs to one thread: one coroutine writes the request, another reads the answer, interrupt()
// may be called by other code of that thread. Destroying it takes back what has not ended: the
// upstream sees RST_STREAM(CANCEL) and GOAWAY.

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "proxy/error.h"
#include "proxy/http_head.h"
#include "proxy/task.h"
#include "proxy/upstream_pool.h"
#include "routing/fields.h"

namespace understudy::proxy {

struct H2ClientLimits {
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds idle{600'000};  // without a byte of either direction
  std::size_t max_head_bytes = 64u << 10;   // of the answer
};

class H2Client {
 public:
  // `pool` makes the connection and does not get it back.
  H2Client(std::shared_ptr<UpstreamPool> pool, const H2ClientLimits& limits);
  ~H2Client();
  H2Client(const H2Client&) = delete;
  H2Client& operator=(const H2Client&) = delete;

  // Connects and hands in the request's head, pseudo fields first; names in lower case. What the
  // fields refer to must live until it ends.
  Task<Status> open(std::span<const routing::Field> fields);

  // The next bytes of the body; ends when the socket has taken them, so that a slow upstream holds
  // back its client. An error says that nobody will read them, also where the answer is already
  // whole.
  Task<Status> write(std::string_view bytes, bool last);

  // The final head; 1xx heads before it are passed over. It lives as long as the call.
  Task<Result<const ResponseHead*>> read_head();
  struct Part {
    std::string bytes;
    bool last = false;
  };
  // What has come since; waits until there is something. The upstream may send as much again when
  // the next part is asked for. A reset, GOAWAY or end before the answer's is ErrorKind::closed.
  Task<Result<Part>> read();

  // Whatever is waited for ends at once with ErrorKind::cancelled. Any time, any number of times.
  void interrupt() noexcept;

 private:
  class Stream;

  const std::shared_ptr<UpstreamPool> pool_;
  const H2ClientLimits limits_;
  Connecting connecting_;
  bool interrupted_ = false;
  std::shared_ptr<Stream> stream_;  // once connected; also held by its own coroutines
};

}  // namespace understudy::proxy

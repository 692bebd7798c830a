#pragma once
// One HTTP/2 connection of a client: carries bytes between its socket and its H2Session, and keeps
// the requests that come of them. One coroutine reads, one writes; what several streams have to
// say in one turn of the loop goes out in one write. Belongs to one io thread; made by
// std::make_shared. Waits without a read buffer; keeps what it writes from, and what ended requests
// leave to the next ones, while streams are open and 250 ms longer. An
// idle one costs about 18 KiB, most of it nghttp2's frame buffer and header tables; once it has
// served many streams up to 60 KiB, because the library remembers as many closed streams as may be
// open (RFC 9113 5.1 wants some told apart).

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "proxy/deadline.h"
#include "proxy/downstream_connection.h"
#include "proxy/h2_request.h"
#include "proxy/h2_session.h"
#include "proxy/task.h"
#include "proxy/transport.h"
#include "proxy/waiter.h"
#include "proxy/worker_context.h"
#include "routing/config.h"

namespace understudy::proxy {

class H2Connection final : public DownstreamConnection,
                           public std::enable_shared_from_this<H2Connection>,
                           private Deadline {
 public:
  // `listener` outlives the connection. `already_read`: the first bytes of the client, if somebody
  // looked at them.
  H2Connection(WorkerContext& worker, const ServedListener& listener,
               std::unique_ptr<Transport> transport, metrics::Block already_read = {});
  ~H2Connection() override;

  Task<void> run() override;
  void finish() noexcept override;
  void cut() noexcept override;

  // --- For its requests.
  WorkerContext& worker() noexcept { return worker_; }
  const std::vector<std::string>& client_names() const noexcept {
    return transport_->client_names();
  }
  const ServedListener& listener() const noexcept { return listener_; }
  const routing::LimitsConfig& limits() const noexcept { return limits_; }
  H2Session& session() noexcept { return session_; }
  // Runs what answers a request; ended() follows.
  void start(std::int32_t stream, Task<void> answering);
  // Destroys the request.
  void ended(std::int32_t stream);
  // Counts what a request is about to begin against the files of the process. False where it must
  // not begin; else exchange_ended() follows.
  bool begin_exchange() noexcept;
  void exchange_ended() noexcept;
  // Memory of a head for the next request, and of its last one back.
  RequestHead take_head() noexcept;
  void give_back(RequestHead head);
  // Something may be there to send. Sends it at the end of this turn of the loop.
  void flush_soon();

 private:
  // What the connection as a whole waits for, each with a limit of its own.
  enum class Awaiting : std::uint8_t { nothing, greeting, head, round_trip, request, last_bytes };

  // Gives back what a connection at rest has no use for.
  class IdleRelease final : public Deadline {
   public:
    IdleRelease(DeadlineSweep& sweep, H2Connection& connection)
        : Deadline(sweep, AtStop::is_dropped), connection_(connection) {}

   private:
    void expired() noexcept override { connection_.release_idle(); }
    H2Connection& connection_;
  };

  Task<void> read_loop();
  Task<void> write_loop();
  Task<bool> send_once();
  void take(std::string_view bytes);
  void release_idle() noexcept;
  void handle_events();
  void handle(const H2Session::Event& event);
  void watch();
  std::chrono::milliseconds patience(Awaiting what) const noexcept;
  void expired() noexcept override;

  WorkerContext& worker_;
  const ServedListener& listener_;
  const std::unique_ptr<Transport> transport_;
  metrics::Block already_read_;
  routing::LimitsConfig limits_;  // in force when something was last read
  H2Session session_;
  std::size_t exchanges_ = 0;             // under way
  std::vector<RequestHead> spare_heads_;  // of ended requests
  std::unordered_map<std::int32_t, H2Request> requests_;
  std::vector<H2Session::Event> spare_events_;  // emptied
  IdleRelease idle_release_;
  H2Output out_;  // of the write under way
  std::vector<boost::asio::const_buffer> buffers_;

  Waiter output_;          // the writing coroutine, until there is something to send
  Waiter all_ended_;       // run(), until writer and requests have ended
  bool flushing_ = false;  // asked for in this turn
  bool writing_ = false;   // the writing coroutine is there
  bool closed_ = false;    // nothing more comes in
  Awaiting awaiting_ = Awaiting::nothing;
  std::int32_t awaited_head_ = 0;
};

}  // namespace understudy::proxy

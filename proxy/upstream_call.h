#pragma once
// One try at an upstream over HTTP/1.1: send a request, read the answer's head, pull its body.
// Belongs to one coroutine of one thread; interrupt() may be called by other code of that thread.
// When it is destroyed before the answer's end, the connection is closed; after a whole answer it
// goes back to the pool.

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "metrics/response_reader.h"
#include "proxy/chunked.h"
#include "proxy/error.h"
#include "proxy/http_head.h"
#include "proxy/task.h"
#include "proxy/upstream_pool.h"

namespace understudy::proxy {

struct CallLimits {
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds first_byte{3'600'000};
  std::chrono::milliseconds idle{600'000};
  std::size_t max_head_bytes;
  std::size_t max_chunk_overhead_bytes;
};

class UpstreamCall {
 public:
  // `head` is where the answer's head is read to; it outlives the call.
  UpstreamCall(std::shared_ptr<UpstreamPool> pool, const CallLimits& limits, ResponseHead& head);
  ~UpstreamCall();
  UpstreamCall(const UpstreamCall&) = delete;
  UpstreamCall& operator=(const UpstreamCall&) = delete;

  // In its turn (SendTurn). `head` and `body` must live until the call is over. A small body is
  // laid behind the head. A connection that rested and takes no byte of the request any more is
  // replaced by a new one; whatever may have left is never sent again.
  Task<Status> send(std::string& head, std::string_view body);

  // The final head; up to eight 1xx heads before it are passed over. Views stay valid until the
  // first body part is taken.
  Task<Result<const ResponseHead*>> read_head(bool to_head_request);

  struct Part {
    std::span<const std::string_view> pieces;  // valid until the next part is taken
    bool last = false;
  };
  // What has arrived with the head or the last read, without waiting. An empty part that is not
  // last means: nothing.
  Result<Part> buffered();
  // Waits for more. An upstream that ends before the framing says so is ErrorKind::closed.
  Task<Result<Part>> read_part();

  // Whatever the call waits for ends at once with ErrorKind::cancelled. Any time, any number of
  // times.
  void interrupt() noexcept;

  bool body_ended() const noexcept { return ended_; }
  // The config key of the limit that the answer exceeded, its last part; empty: none.
  std::string_view limit_met() const noexcept { return limit_met_; }
  metrics::TimePoint first_byte_at() const noexcept { return first_byte_at_; }
  // When the last bytes handed out were read.
  metrics::TimePoint last_read_at() const noexcept { return last_read_at_; }

 private:
  Task<Status> open();
  Task<IoResult> write(std::span<const boost::asio::const_buffer> request);
  Task<Status> fill();
  void make_room();
  Result<Part> take_pieces();
  Status take_chunks(std::size_t& count);
  Error io_error(const boost::system::error_code& error, std::string_view doing) const;
  std::string_view unread() const noexcept { return {buffer_.data() + begin_, end_ - begin_}; }

  static constexpr std::size_t kMaxPieces = 32;
  static constexpr std::size_t kSmallBuffer = 16u << 10;

  std::shared_ptr<UpstreamPool> pool_;
  const CallLimits limits_;
  std::unique_ptr<Transport> connection_;
  Connecting connecting_;
  bool interrupted_ = false;
  bool answer_begun_ = false;
  bool write_failed_ = false;
  bool eof_ = false;  // the upstream ended its side in order

  metrics::Block buffer_;
  std::size_t read_bytes_ = kSmallBuffer;
  std::size_t begin_ = 0, end_ = 0;
  ResponseHead& head_;
  ChunkDecoder chunks_{limits_.max_chunk_overhead_bytes};
  std::uint64_t left_ = 0;  // of a body with a length
  bool ended_ = false;
  std::string_view limit_met_;
  std::array<std::string_view, kMaxPieces> pieces_;
  metrics::TimePoint first_byte_at_{}, last_read_at_{};
};

}  // namespace understudy::proxy

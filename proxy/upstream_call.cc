#include "proxy/upstream_call.h"

#include <algorithm>
#include <cstring>

namespace understudy::proxy {

namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

// Once reads fill the small buffer: large bodies want few, large reads.
constexpr std::size_t kLargeBuffer = 64u << 10;
// Of 1xx before the answer (RFC 9110 15.2 sets no bound). No key: Bedrock sends none, and whoever
// sends more does not speak HTTP as anybody means it. Counted as any other bad message.
constexpr int kMaxInterimHeads = 8;

}  // namespace

UpstreamCall::UpstreamCall(std::shared_ptr<UpstreamPool> pool, const CallLimits& limits,
                           ResponseHead& head)
    : pool_(std::move(pool)), limits_(limits), connecting_(pool_->resources().sweep), head_(head) {}

UpstreamCall::~UpstreamCall() {
  if (!connection_) return;
  // Bytes behind the answer belong to nobody, and a request that was not taken whole leaves the
  // framing in doubt.
  const bool clean =
      ended_ && head_.keep_alive && begin_ == end_ && !write_failed_ && !interrupted_;
  if (clean) {
    pool_->give_back(std::move(connection_));
  } else {
    connection_->close();
  }
}

void UpstreamCall::interrupt() noexcept {
  interrupted_ = true;
  if (connection_) connection_->abort();
  connecting_.interrupt();  // may end whoever waits, and with it this object
}

Error UpstreamCall::io_error(const boost::system::error_code& error, std::string_view doing) const {
  const std::string context = std::string{doing} + " " + pool_->authority();
  if (interrupted_) return {ErrorKind::cancelled, Side::internal, context + ": stopped"};
  if (connection_->timed_out())
    return {ErrorKind::timeout, Side::upstream, context + ": timed out"};
  return {ErrorKind::closed, Side::upstream, context + ": " + error.message()};
}

Task<Status> UpstreamCall::open() {
  auto connected = co_await pool_->connect(connecting_, limits_.connect);
  if (!connected) co_return connected.error();
  connection_ = std::move(*connected);
  co_return Status{};
}

Task<IoResult> UpstreamCall::write(std::span<const asio::const_buffer> request) {
  // An upstream that takes no byte for this long is as good as silent.
  connection_->expire_after(limits_.idle);
  return connection_->write(request);
}

Task<Status> UpstreamCall::send(std::string& head, std::string_view body) {
  co_await pool_->resources().sends.wait();
  if (!interrupted_) connection_ = pool_->take_idle();
  const bool rested = connection_ != nullptr;
  if (!interrupted_ && !rested) {
    if (auto opened = co_await open(); !opened) co_return opened;
  }
  if (interrupted_) co_return Error{ErrorKind::cancelled, Side::internal, "stopped before sending"};
  const bool in_one = body.size() <= kCheaperCopied;
  if (in_one) head.append(body);
  const std::array buffers{asio::const_buffer(head.data(), head.size()),
                           asio::const_buffer(body.data(), body.size())};
  const auto request = std::span{buffers}.first(in_one ? 1 : 2);
  auto [error, written] = co_await write(request);
  // It broke between the look at it and the write. By TLS less than a record may have left, which
  // nobody can read.
  if (error && written == 0 && rested && !interrupted_ && !connection_->timed_out()) {
    connection_.reset();
    if (auto opened = co_await open(); !opened) co_return opened;
    std::tie(error, written) = co_await write(request);
  }
  if (!error) {
    connection_->expire_after(limits_.first_byte);
    co_return Status{};
  }
  Error failed = io_error(error, "send to");
  if (failed.kind != ErrorKind::closed) co_return failed;
  // The upstream may have answered before it closed, to refuse a large body, say: read_head() will
  // tell.
  write_failed_ = true;
  connection_->expire_after(limits_.idle);
  co_return Status{};
}

// Makes sure that there is free space behind `end_`.
void UpstreamCall::make_room() {
  metrics::BlockPool& blocks = pool_->resources().blocks;
  if (!buffer_) buffer_ = blocks.take(read_bytes_);
  if (end_ < buffer_.capacity()) return;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  } else {
    metrics::Block larger = blocks.take(std::max(kLargeBuffer, buffer_.capacity() * 2));
    std::memcpy(larger.data(), buffer_.data(), end_);
    buffer_ = std::move(larger);
  }
  end_ -= begin_;
  begin_ = 0;
}

// Waits without a buffer where nothing is left in it.
Task<Status> UpstreamCall::fill() {
  if (begin_ == end_) {
    buffer_ = {};
    begin_ = end_ = 0;
  }
  Transport& transport = *connection_;
  if (answer_begun_) transport.expire_after(limits_.idle);
  boost::system::error_code error = co_await transport.wait_readable();
  std::size_t size = 0;
  if (!error) {
    make_room();
    const asio::mutable_buffer space(buffer_.data() + end_, buffer_.capacity() - end_);
    std::tie(error, size) = co_await transport.read_some(space);
    if (size == space.size()) read_bytes_ = kLargeBuffer;
  }
  if (error) {
    eof_ = error == asio::error::eof;
    co_return io_error(error, "answer of");
  }
  last_read_at_ = steady_clock::now();
  end_ += size;
  if (!answer_begun_) {
    answer_begun_ = true;
    first_byte_at_ = last_read_at_;
  }
  // Between reads it is the client who may be slow.
  transport.never_expire();
  co_return Status{};
}

Task<Result<const ResponseHead*>> UpstreamCall::read_head(bool to_head_request) {
  const HeadLimits head_limits{.max_fields = 256, .max_target_bytes = 0};
  for (int heads = 0; heads <= kMaxInterimHeads; ++heads) {
    std::size_t searched = 0;
    std::size_t head_size = std::string_view::npos;
    while (true) {
      if (buffer_) head_size = find_head_end(unread(), searched);
      const bool whole = head_size != std::string_view::npos;
      if ((whole ? head_size : end_ - begin_) > limits_.max_head_bytes) {
        limit_met_ = "max_response_header_bytes";
        co_return Error{ErrorKind::too_large, Side::upstream,
                        "the answer's head exceeds max_response_header_bytes"};
      }
      if (whole) break;
      if (auto filled = co_await fill(); !filled) co_return filled.error();
    }
    if (const auto problem = scan_response_head(unread().substr(0, head_size), head_limits,
                                                to_head_request, head_)) {
      co_return Error{ErrorKind::bad_message, Side::upstream, std::string{problem->what}};
    }
    begin_ += head_size;
    if (head_.status == 101) {
      co_return Error{ErrorKind::bad_message, Side::upstream,
                      "the upstream switched protocols unasked"};
    }
    if (head_.status < 200) continue;
    left_ = head_.content_length;
    ended_ = head_.framing == Framing::none;
    co_return &head_;
  }
  co_return Error{ErrorKind::bad_message, Side::upstream,
                  "the upstream sends interim answers without end"};
}

// Decodes chunks out of the buffer into pieces_, as many as there is room for.
Status UpstreamCall::take_chunks(std::size_t& count) {
  while (begin_ < end_ && count < kMaxPieces) {
    const auto step = chunks_.next(unread());
    begin_ += step.consumed;
    if (!step.data.empty()) pieces_[count++] = step.data;
    switch (step.state) {
      case ChunkDecoder::State::more:
        break;
      case ChunkDecoder::State::done:
        ended_ = true;
        return {};
      case ChunkDecoder::State::malformed:
        return Error{ErrorKind::bad_message, Side::upstream, "the answer's chunks are malformed"};
      case ChunkDecoder::State::too_much_framing:
        limit_met_ = "max_chunk_overhead_bytes";
        return Error{ErrorKind::too_large, Side::upstream,
                     "the answer's chunks are more framing than data: it exceeds "
                     "max_chunk_overhead_bytes"};
    }
  }
  return {};
}

Result<UpstreamCall::Part> UpstreamCall::take_pieces() {
  std::size_t count = 0;
  if (ended_ || begin_ == end_) return Part{{}, ended_};
  switch (head_.framing) {
    case Framing::none:
      ended_ = true;
      break;
    case Framing::content_length: {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, end_ - begin_));
      pieces_[count++] = unread().substr(0, size);
      begin_ += size;
      left_ -= size;
      ended_ = left_ == 0;
      break;
    }
    case Framing::until_close:
      pieces_[count++] = unread();
      begin_ = end_;
      break;
    case Framing::chunked:
      if (auto taken = take_chunks(count); !taken) return taken.error();
      break;
  }
  return Part{std::span{pieces_}.first(count), ended_};
}

Result<UpstreamCall::Part> UpstreamCall::buffered() {
  return take_pieces();
}

Task<Result<UpstreamCall::Part>> UpstreamCall::read_part() {
  while (true) {
    if (auto part = take_pieces(); !part || !part->pieces.empty() || part->last) co_return part;
    if (auto filled = co_await fill(); !filled) {
      const bool end_by_close = head_.framing == Framing::until_close && !interrupted_ &&
                                !connection_->timed_out() && eof_;
      if (!end_by_close) co_return filled.error();
      ended_ = true;
      co_return Part{{}, true};
    }
  }
}

}  // namespace understudy::proxy

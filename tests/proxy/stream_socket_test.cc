#include "proxy/stream_socket.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/proxy/socket_fixture.h"

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

struct Hangups final : StreamSocket::HangupListener {
  void hung_up() noexcept override {
    ++count;
    if (then) then();
  }
  int count = 0;
  std::function<void()> then;
};

class StreamSocketTest : public SocketFixture {
 protected:
  struct Pair {
    std::unique_ptr<StreamSocket> ours;
    tcp::socket peer;
  };
  // The peer's end blocks, and belongs to a context that does not run.
  Pair connected() {
    auto [ours, peer] = SocketFixture::connected(peers_);
    return {std::make_unique<StreamSocket>(events_, std::move(ours)), std::move(peer)};
  }
  // Whatever the kernel has to tell now has been told.
  void run_what_is_ready() {
    auto [ours, peer] = connected();
    Hangups last;
    ours->tell_hangup(&last);
    peer.close();
    run_until([&] { return last.count == 1; });
  }

  struct Reading {
    std::string text;
    error_code error;
    bool over = false;
  };
  void read_from(StreamSocket& socket, Reading& reading, std::size_t most = 100) {
    begin(read(socket, reading, most));
  }
  static Task<void> read(StreamSocket& socket, Reading& reading, std::size_t most) {
    std::string buffer(most, '\0');
    const auto [error, size] = co_await socket.read_some(asio::buffer(buffer));
    reading = {buffer.substr(0, size), error, true};
  }

  // Does not touch the socket behind its wait.
  static Task<void> wait_for_input(StreamSocket& socket, std::optional<error_code>& outcome) {
    outcome = co_await socket.readable();
  }

  // The buffer had no room for more, so that the socket cannot know whether there is more.
  void read_exactly_what_comes_in(Pair& pair) {
    Reading exact;
    read_from(*pair.ours, exact, 5);
    say(pair.peer, "hello");
    run_until([&] { return exact.over; });
    EXPECT_EQ(exact.text, "hello");
  }

  static Task<void> write(StreamSocket& socket, std::span<const asio::const_buffer> buffers,
                          std::optional<IoResult>& written) {
    written = co_await socket.write(buffers);
  }

  static void say(tcp::socket& peer, std::string_view text) {
    asio::write(peer, asio::buffer(text.data(), text.size()));
  }

  asio::io_context peers_;
};

TEST_F(StreamSocketTest, WaitsForWhatThePeerSays) {
  auto [ours, peer] = connected();
  Reading first, second;
  read_from(*ours, first);
  EXPECT_FALSE(first.over);
  say(peer, "hello");
  run_until([&] { return first.over; });
  EXPECT_EQ(first.text, "hello");
  read_from(*ours, second);
  EXPECT_FALSE(second.over) << "nothing more came in";
  say(peer, "again");
  run_until([&] { return second.over; });
  EXPECT_EQ(second.text, "again");
}

TEST_F(StreamSocketTest, ReadsWhatDidNotFitWithoutWaiting) {
  auto [ours, peer] = connected();
  Reading first, second;
  say(peer, "hello");
  read_from(*ours, first, 2);
  run_until([&] { return first.over; });
  read_from(*ours, second);
  EXPECT_TRUE(second.over);
  EXPECT_EQ(first.text + second.text, "hello");
}

TEST_F(StreamSocketTest, ReadsTheEndBehindTheLastBytes) {
  auto [ours, peer] = connected();
  say(peer, "bye");
  peer.close();
  Reading bytes, end;
  read_from(*ours, bytes);
  run_until([&] { return bytes.over; });
  read_from(*ours, end);
  run_until([&] { return end.over; });
  EXPECT_EQ(bytes.text, "bye");
  EXPECT_EQ(end.error, asio::error::eof);
}

// Which is not a part of what is read (tcp(7)), but ends a read.
TEST_F(StreamSocketTest, ReadsOnBehindAByteSentAsUrgent) {
  auto [ours, peer] = connected();
  say(peer, "hello");
  peer.send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
  say(peer, " world");
  std::string got;
  Reading reading;
  while (got.size() < 11) {
    reading = {};
    read_from(*ours, reading);
    run_until([&] { return reading.over; });
    ASSERT_TRUE(reading.over && !reading.error);
    got += reading.text;
  }
  EXPECT_EQ(got, "hello world");
}

TEST_F(StreamSocketTest, IsQuietUntilSomethingComesIn) {
  auto [ours, peer] = connected();
  run_what_is_ready();
  EXPECT_TRUE(ours->is_quiet());
  say(peer, "unasked");
  run_until([&] { return !ours->is_quiet(); });
  Reading reading;
  read_from(*ours, reading);
  run_until([&] { return reading.over; });
  EXPECT_TRUE(ours->is_quiet()) << "all of it was read";
}

TEST_F(StreamSocketTest, IsQuietWhereTheLastReadTookAllThereWasAndAllTheSpace) {
  Pair pair = connected();
  read_exactly_what_comes_in(pair);
  EXPECT_TRUE(pair.ours->is_quiet());
  say(pair.peer, "more");
  run_until([&] { return !pair.ours->is_quiet(); });
}

TEST_F(StreamSocketTest, WaitsWithoutAReadWhereTheLastOneTookAllThereWas) {
  Pair pair = connected();
  read_exactly_what_comes_in(pair);
  std::optional<error_code> waited;
  begin(wait_for_input(*pair.ours, waited));
  EXPECT_FALSE(waited);
  say(pair.peer, "more");
  run_until([&] { return waited.has_value(); });
}

TEST_F(StreamSocketTest, IsNotQuietOnceThePeerHasLeft) {
  auto [ours, peer] = connected();
  peer.close();
  run_until([&] { return !ours->is_quiet(); });
}

TEST_F(StreamSocketTest, TellsOnceThatThePeerHasLeftWhileNobodyReads) {
  auto [ours, peer] = connected();
  Hangups hangups;
  ours->tell_hangup(&hangups);
  say(peer, "bytes that nobody reads");
  run_what_is_ready();
  EXPECT_EQ(hangups.count, 0);
  peer.shutdown(tcp::socket::shutdown_send);
  run_until([&] { return hangups.count == 1; });
  peer.close();
  run_what_is_ready();
  EXPECT_EQ(hangups.count, 1);
}

TEST_F(StreamSocketTest, TellsThatThePeerHasLeftBeforeItsLastBytesAreRead) {
  auto [ours, peer] = connected();
  Reading reading;
  Hangups hangups;
  bool read_before = false;
  hangups.then = [&] { read_before = reading.over; };
  ours->tell_hangup(&hangups);
  read_from(*ours, reading);
  say(peer, "bye");
  peer.close();
  run_until([&] { return reading.over && hangups.count == 1; });
  EXPECT_FALSE(read_before);
  EXPECT_EQ(reading.text, "bye");
}

TEST_F(StreamSocketTest, EndsTheWaitOfWhoReadsWhenItIsClosedAndNotBeforeThatReturns) {
  auto [ours, peer] = connected();
  Reading reading;
  read_from(*ours, reading);
  ours->close();
  EXPECT_FALSE(reading.over);
  run_until([&] { return reading.over; });
  EXPECT_EQ(reading.error, asio::error::operation_aborted);
}

TEST_F(StreamSocketTest, EndsTheWaitOfWhoWritesWhenItIsClosed) {
  auto [ours, peer] = connected();
  const std::string much(64u << 20, 'a');
  const std::array buffers{asio::buffer(much)};
  std::optional<IoResult> written;
  begin(write(*ours, buffers, written));
  ASSERT_FALSE(written) << "nobody takes it";
  ours->close();
  run_until([&] { return written.has_value(); });
  EXPECT_EQ(std::get<0>(*written), asio::error::operation_aborted);
}

// The address sanitizer sees it where the reader touches what is gone.
TEST_F(StreamSocketTest, EndsTheWaitForInputWhenItIsDestroyed) {
  auto [ours, peer] = connected();
  std::optional<error_code> waited;
  begin(wait_for_input(*ours, waited));
  ours.reset();
  run_until([&] { return waited.has_value(); });
  EXPECT_EQ(*waited, asio::error::operation_aborted);
}

TEST_F(StreamSocketTest, WakesBothWhoWaitForOneDirection) {
  auto [ours, peer] = connected();
  Reading reading;
  std::optional<error_code> other;
  read_from(*ours, reading);
  begin(wait_for_input(*ours, other));
  say(peer, "hello");
  run_until([&] { return reading.over && other; });
  EXPECT_EQ(reading.text, "hello");
  EXPECT_EQ(other, error_code{});
}

TEST_F(StreamSocketTest, TellsTheSecondWhoWaitsThatTheFirstDestroyedIt) {
  auto [ours, peer] = connected();
  std::optional<error_code> second;
  const auto destroy_then = [](std::unique_ptr<StreamSocket>& socket) -> Task<void> {
    co_await socket->readable();
    socket.reset();
  };
  begin(destroy_then(ours));
  begin(wait_for_input(*ours, second));
  say(peer, "hello");
  run_until([&] { return second.has_value(); });
  EXPECT_EQ(second, asio::error::operation_aborted);
}

TEST_F(StreamSocketTest, CanNeitherBeReadNorWrittenOnceItIsClosed) {
  auto [ours, peer] = connected();
  ours->close();
  EXPECT_FALSE(ours->is_open());
  EXPECT_FALSE(ours->is_quiet());
  Reading reading;
  read_from(*ours, reading);
  EXPECT_EQ(reading.error, asio::error::operation_aborted);
  std::optional<IoResult> written;
  const std::array buffers{asio::const_buffer("x", 1)};
  begin(write(*ours, buffers, written));
  ASSERT_TRUE(written);
  EXPECT_EQ(std::get<0>(*written), asio::error::operation_aborted);
}

TEST_F(StreamSocketTest, WritesAllToAPeerThatTakesItSlowly) {
  auto [ours, peer] = connected();
  constexpr std::size_t kPieces = 200;  // more than one system call takes
  const std::string piece(100'000, 'a');
  const std::vector<asio::const_buffer> buffers(kPieces, asio::buffer(piece));
  std::optional<IoResult> written;
  begin(write(*ours, buffers, written));
  EXPECT_FALSE(written) << "the kernel cannot take it all";
  std::string got(kPieces * piece.size(), '\0');
  std::size_t received = 0;
  run_until([&] {
    if (peer.available() > 0)
      received += peer.read_some(asio::buffer(got.data() + received, got.size() - received));
    return received == got.size() && written;
  });
  EXPECT_EQ(*written, IoResult(error_code{}, got.size()));
  EXPECT_EQ(got, std::string(got.size(), 'a'));
}

TEST_F(StreamSocketTest, DoesNotLetOneWhoAlwaysFindsSomethingKeepTheThread) {
  constexpr int kBytes = 1000;
  auto [ours, peer] = connected();
  say(peer, std::string(kBytes, 'a'));
  int read = 0;
  const auto read_byte_by_byte = [&]() -> Task<void> {
    for (char byte = 0; read < kBytes; ++read) co_await ours->read_some(asio::buffer(&byte, 1));
  };
  run_until([&] { return !ours->is_quiet(); });
  begin(read_byte_by_byte());
  EXPECT_GT(turns_of_others_until([&] { return read == kBytes; }), kBytes / 20);
}

TEST_F(StreamSocketTest, TellsNothingToOneThatAnotherDestroyedMeanwhile) {
  auto first = connected(), second = connected();
  Hangups of_first, of_second;
  of_first.then = [&] { second.ours.reset(); };
  of_second.then = [&] { first.ours.reset(); };
  first.ours->tell_hangup(&of_first);
  second.ours->tell_hangup(&of_second);
  first.peer.close();
  second.peer.close();
  run_until([&] { return of_first.count + of_second.count > 0; });
  run_what_is_ready();
  EXPECT_EQ(of_first.count + of_second.count, 1);
}

TEST_F(StreamSocketTest, MayBeDestroyedByWhoHearsThatThePeerHasLeft) {
  auto [ours, peer] = connected();
  std::optional<error_code> waited;
  begin(wait_for_input(*ours, waited));
  Hangups hangups;
  hangups.then = [&ours = ours] { ours.reset(); };
  ours->tell_hangup(&hangups);
  peer.close();
  run_until([&] { return waited.has_value(); });
  EXPECT_EQ(*waited, asio::error::operation_aborted);
}

TEST_F(StreamSocketTest, TellsTheOthersWhereATaskEndsByAnException) {
  auto failing = connected(), other = connected();
  Reading unused, reading;
  spawn(context_, read(*failing.ours, unused, 10),
        [](std::exception_ptr) { throw std::runtime_error("by a task's completion"); });
  read_from(*other.ours, reading);
  say(failing.peer, "x");
  say(other.peer, "hello");
  int thrown = 0;
  run_until([&] {
    try {
      context_.run_one_for(std::chrono::milliseconds(10));
    } catch (const std::runtime_error&) {
      ++thrown;
    }
    return reading.over;
  });
  EXPECT_EQ(thrown, 1);
  EXPECT_EQ(reading.text, "hello");
}

TEST_F(StreamSocketTest, ShowsThePeerAResetOrAnEnd) {
  auto cut = connected(), ended = connected();
  cut.ours->reset();
  ended.ours->shut_down_sending();
  char byte = 0;
  error_code of_cut, of_ended;
  cut.peer.read_some(asio::buffer(&byte, 1), of_cut);
  ended.peer.read_some(asio::buffer(&byte, 1), of_ended);
  EXPECT_EQ(of_cut, asio::error::connection_reset);
  EXPECT_EQ(of_ended, asio::error::eof);
}

TEST_F(StreamSocketTest, KeepsNobodyWaitingForTheHangupOfAClosedSocket) {
  auto [closed, peer] = connected();
  closed->close();
  Hangups hangups;
  closed->tell_hangup(&hangups);
  auto [open, other_peer] = connected();
  Reading reading;
  read_from(*open, reading);
  say(other_peer, "hello");
  context_.run();
  EXPECT_TRUE(reading.over) << "and the context ran out of work";
  EXPECT_EQ(hangups.count, 0);
}

// Another holder of the socket, as a process that is just being spawned, keeps it in the kernel's
// set beyond its close.
TEST_F(StreamSocketTest, IsToldNothingOnceItIsClosedThoughSomebodyElseHoldsTheSocket) {
  auto [socket, peer] = SocketFixture::connected(peers_);
  const int held = ::dup(socket.native_handle());
  auto ours = std::make_unique<StreamSocket>(events_, std::move(socket));
  say(peer, "what the event is about");
  ours.reset();
  run_what_is_ready();
  ::close(held);
}

TEST_F(StreamSocketTest, TellsAllOfManyThatBecomeReadyAtOnce) {
  constexpr std::size_t kMany = 150;  // more than are collected at once
  std::vector<Pair> pairs;
  std::vector<Reading> readings(kMany);
  for (Reading& reading : readings) {
    pairs.push_back(connected());
    read_from(*pairs.back().ours, reading);
  }
  for (Pair& pair : pairs) say(pair.peer, "hello");
  run_until([&] { return std::ranges::all_of(readings, &Reading::over); });
}

TEST_F(StreamSocketTest, LetsTheContextRunOutOfWorkWhereNobodyWaits) {
  auto [ours, peer] = connected();
  context_.run();
  Reading reading;
  read_from(*ours, reading);
  say(peer, "hello");
  context_.run();
  EXPECT_TRUE(reading.over);
  Reading closed;
  read_from(*ours, closed);
  ours->close();
  context_.run();
  EXPECT_TRUE(closed.over);
}

}  // namespace
}  // namespace understudy::proxy

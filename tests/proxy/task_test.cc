#include "proxy/task.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "proxy/waiter.h"

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Stream = asio::local::stream_protocol::socket;

void unheard(std::exception_ptr) {}

Task<int> ready(int value) {
  co_return value;
}

Task<int> sum_of_ready(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await ready(1);
  co_return sum;
}

Task<int> after_waiting(Waiter& waiter, int value) {
  co_await waiter.wait();
  co_return value;
}

Task<int> twice(Waiter& waiter) {
  const int first = co_await after_waiting(waiter, 1);
  const int second = co_await after_waiting(waiter, 2);
  co_return first * 10 + second;
}

Task<int> throws_after(Waiter& waiter) {
  co_await waiter.wait();
  throw std::runtime_error("what a task throws");
}

Task<std::string> what_it_threw(Waiter& waiter) {
  try {
    co_await throws_after(waiter);
  } catch (const std::runtime_error& failure) {
    co_return failure.what();
  }
  co_return "nothing";
}

Task<void> wait_holding(Waiter& waiter, std::shared_ptr<int> held) {
  co_await waiter.wait();
  (void)held;
}

Task<void> wait_deeper_holding(Waiter& waiter, std::shared_ptr<int> held) {
  co_await wait_holding(waiter, held);
}

class TaskTest : public testing::Test {
 protected:
  template <typename T>
  void begin(Task<T> task, std::optional<T>& outcome) {
    spawn(context_, std::move(task), [&](std::exception_ptr failure, T value) {
      failure_ = failure;
      outcome = std::move(value);
    });
    context_.poll();
  }

  asio::io_context context_;
  Waiter waiter_;
  std::exception_ptr failure_;
  std::atomic<bool> out_of_handlers_{false};
};

TEST_F(TaskTest, AwaitsAnotherLikeACall) {
  std::optional<int> outcome;
  begin(sum_of_ready(3), outcome);
  EXPECT_EQ(outcome, 3);
}

TEST_F(TaskTest, DoesNotGrowTheStackByWhatIsReadyAtOnce) {
  std::optional<int> outcome;
  begin(sum_of_ready(200'000), outcome);
  EXPECT_EQ(outcome, 200'000);
}

TEST_F(TaskTest, GoesOnInTheInnermostAndReturnsThroughThoseThatAwaitIt) {
  std::optional<int> outcome;
  begin(twice(waiter_), outcome);
  waiter_.wake();
  EXPECT_FALSE(outcome);
  waiter_.wake();
  EXPECT_EQ(outcome, 12);
}

TEST_F(TaskTest, ThrowsWhereItIsAwaited) {
  std::optional<std::string> outcome;
  begin(what_it_threw(waiter_), outcome);
  waiter_.wake();
  EXPECT_EQ(outcome, "what a task throws");
}

TEST_F(TaskTest, TellsItsCompletionWhatNobodyCaught) {
  std::optional<int> outcome;
  begin(throws_after(waiter_), outcome);
  waiter_.wake();
  ASSERT_TRUE(failure_);
  EXPECT_THROW(std::rethrow_exception(failure_), std::runtime_error);
}

TEST_F(TaskTest, IsNeverOverBeforeSpawnHasReturned) {
  asio::post(context_, [this] {
    bool over = false;
    spawn(context_, ready(1), [&over](std::exception_ptr, int) { over = true; });
    EXPECT_FALSE(over);
    context_.poll_one();
    EXPECT_TRUE(over);
  });
  context_.run();
}

TEST_F(TaskTest, HasGoneWithItsFramesWhenItsCompletionIsCalled) {
  auto held = std::make_shared<int>(0);
  bool over = false;
  spawn(context_, wait_deeper_holding(waiter_, held), [&](std::exception_ptr) {
    over = true;
    EXPECT_EQ(held.use_count(), 1);
  });
  context_.poll();
  EXPECT_GT(held.use_count(), 1);
  waiter_.wake();
  EXPECT_TRUE(over);
}

Task<std::thread::id> own_thread() {
  co_return std::this_thread::get_id();
}

TEST_F(TaskTest, RunsOnTheContextsThreadWhoeverSpawnsIt) {
  std::thread::id ran_on, told_on;
  spawn(context_, own_thread(), [&](std::exception_ptr, std::thread::id thread) {
    ran_on = thread;
    told_on = std::this_thread::get_id();
  });
  std::thread thread([this] { context_.run(); });
  const auto expected = thread.get_id();
  thread.join();
  EXPECT_EQ(ran_on, expected);
  EXPECT_EQ(told_on, expected);
}

TEST_F(TaskTest, KeepsItsContextRunningWhileItWaitsForAThread) {
  std::optional<int> outcome;
  begin(after_waiting(waiter_, 7), outcome);
  context_.restart();
  // Begun when there is nothing else to run any more.
  std::thread other;
  asio::post(context_, [&] {
    other = std::thread([this] {
      while (!out_of_handlers_) std::this_thread::yield();
      asio::post(context_, [this] { waiter_.wake(); });
    });
  });
  EXPECT_EQ(context_.poll(), 1u);
  out_of_handlers_ = true;
  context_.run();
  other.join();
  EXPECT_EQ(outcome, 7);
}

Task<std::size_t> read_word(Stream& stream, std::string& word) {
  const auto [error, size] = co_await asio::async_read(stream, asio::buffer(word), kAsTuple);
  co_return error ? 0 : size;
}

Task<boost::system::error_code> read_byte(Stream& stream) {
  char byte = 0;
  const auto [error, size] = co_await stream.async_read_some(asio::buffer(&byte, 1), kAsTuple);
  co_return error;
}

TEST_F(TaskTest, IsToldAllThatAnOperationOfAsioTells) {
  Stream near(context_), far(context_);
  asio::local::connect_pair(near, far);
  std::string word(4, ' ');
  std::optional<std::size_t> read;
  begin(read_word(near, word), read);
  EXPECT_FALSE(read);
  asio::write(far, asio::buffer("word", 4));
  context_.run();
  EXPECT_EQ(read, 4u);
  EXPECT_EQ(word, "word");

  std::optional<boost::system::error_code> error;
  context_.restart();
  begin(read_byte(near), error);
  far.close();
  context_.run();
  EXPECT_EQ(error, asio::error::eof);
}

// What an operation with no memory for itself does.
struct CannotBegin {
  template <typename Handler>
  void operator()(Handler) const {
    throw std::bad_alloc();
  }
};

Task<int> tries_what_cannot_begin() {
  try {
    co_await asio::async_initiate<const AsTuple&, void(int)>(CannotBegin{}, kAsTuple);
  } catch (const std::bad_alloc&) {
    co_return 1;
  }
  co_return 0;
}

TEST_F(TaskTest, GoesOnWhereAnOperationCannotEvenBegin) {
  std::optional<int> outcome;
  begin(tries_what_cannot_begin(), outcome);
  EXPECT_EQ(outcome, 1);
}

Task<void> sleep_holding(asio::io_context& context, std::shared_ptr<int> held) {
  asio::steady_timer timer(context, 1h);
  co_await timer.async_wait(kAsTuple);
  (void)held;
}

TEST(TaskOfAContextTest, IsUnwoundWithItsContext) {
  const auto held = std::make_shared<int>(0);
  {
    asio::io_context context;
    spawn(context, sleep_holding(context, held), [](std::exception_ptr) { FAIL() << "not over"; });
    context.poll();
    EXPECT_GT(held.use_count(), 1);
  }
  EXPECT_EQ(held.use_count(), 1);
}

// As a connection does it that only the completion of its own task keeps.
TEST(TaskOfAContextTest, IsUnwoundBeforeWhatItsCompletionKeeps) {
  struct Connection {
    asio::steady_timer timer;
    int requests = 0;

    Task<void> run() {
      struct Request {
        Connection& of;
        ~Request() { --of.requests; }  // the address sanitizer looks
      };
      ++requests;
      const Request request{*this};
      co_await timer.async_wait(kAsTuple);
    }
  };
  asio::io_context context;
  auto connection = std::make_shared<Connection>(asio::steady_timer(context, 1h));
  auto running = connection->run();
  spawn(context, std::move(running), [connection = std::move(connection)](std::exception_ptr) {});
  context.poll();
}

TEST(TaskOfAContextTest, IsUnwoundWhereItNeverBegan) {
  const auto held = std::make_shared<int>(0);
  {
    asio::io_context context;
    spawn(context, sleep_holding(context, held), unheard);
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace understudy::proxy

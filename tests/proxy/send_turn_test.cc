#include "proxy/send_turn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;

class SendTurnTest : public testing::Test {
 protected:
  static Task<void> send(SendTurn& sends, std::vector<std::string>& log, std::string name,
                         int times, std::shared_ptr<int> held) {
    for (; times > 0; --times) {
      co_await sends.wait();
      log.push_back(name);
      (void)held;
    }
  }
  void begin(const std::string& name, int times = 1) {
    spawn(*context_, send(*sends_, log_, name, times, held_), [](std::exception_ptr) {});
  }

  std::optional<asio::io_context> context_{std::in_place};
  std::optional<SendTurn> sends_{std::in_place, *context_};
  std::vector<std::string> log_;
  std::shared_ptr<int> held_ = std::make_shared<int>(0);
};

TEST_F(SendTurnTest, LetsAllSendInARowBehindWhatWasReady) {
  for (const char* name : {"a", "b", "c"}) {
    asio::post(*context_, [this, name] {
      log_.push_back(std::string("read ") + name);
      begin(name);
    });
  }
  context_->poll();
  EXPECT_THAT(log_, ElementsAre("read a", "read b", "read c", "a", "b", "c"));
}

TEST_F(SendTurnTest, GivesWhoComesAgainTheNextTurn) {
  asio::post(*context_, [this] {
    begin("twice", 2);
    begin("once");
    asio::post(*context_, [this] { log_.push_back("read"); });
  });
  context_->poll();
  EXPECT_THAT(log_, ElementsAre("twice", "once", "read", "twice"));
}

TEST_F(SendTurnTest, LetsTheOthersGoOnWhereOneEndsWithAnError) {
  spawn(*context_, send(*sends_, log_, "first", 1, held_),
        [](std::exception_ptr) { throw std::runtime_error("what its completion throws"); });
  begin("second");
  EXPECT_THROW(context_->poll(), std::runtime_error);
  context_->poll();
  EXPECT_THAT(log_, ElementsAre("first", "second"));
}

TEST_F(SendTurnTest, UnwindsWhoWaitsWhereItEnds) {
  begin("never");
  EXPECT_GT(held_.use_count(), 1);
  sends_.reset();
  context_.reset();
  EXPECT_EQ(held_.use_count(), 1) << "its frame is still there";
  EXPECT_THAT(log_, ElementsAre());
}

}  // namespace
}  // namespace understudy::proxy

#pragma once
// A context that the test itself runs, with the connections that are watched on it.

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <utility>

#include "proxy/socket_events.h"
#include "proxy/task.h"

namespace understudy::proxy {

class SocketFixture : public testing::Test {
 protected:
  using tcp = boost::asio::ip::tcp;

  static void unheard(std::exception_ptr) {}

  // Two ends over loopback, the first of `context_`.
  std::pair<tcp::socket, tcp::socket> connected(boost::asio::io_context& other) {
    tcp::acceptor acceptor(other, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    tcp::socket ours(context_), peer(other);
    ours.connect(acceptor.local_endpoint());
    acceptor.accept(peer);
    return {std::move(ours), std::move(peer)};
  }

  void run_until(const std::function<bool()>& met) {
    using namespace std::chrono_literals;
    const auto give_up = std::chrono::steady_clock::now() + 30s;
    context_.restart();  // it stops whenever nobody waits
    while (!met() && std::chrono::steady_clock::now() < give_up) context_.run_one_for(100ms);
    EXPECT_TRUE(met());
  }

  // Returns where it waits or is over.
  void begin(Task<void> task) {
    bool begun = false;
    spawn(context_, after_setting(begun, std::move(task)), unheard);
    context_.restart();
    while (!begun) context_.poll_one();
  }

  // How often others of the thread have their turn until `over`.
  int turns_of_others_until(const std::function<bool()>& over) {
    int turns = 0;
    const std::function<void()> take_a_turn = [&] {
      ++turns;
      if (!over()) boost::asio::post(context_, take_a_turn);
    };
    boost::asio::post(context_, take_a_turn);
    run_until(over);
    context_.poll();  // the last turn, which refers to what is here
    return turns;
  }

  boost::asio::io_context context_;
  SocketEvents events_{context_};

 private:
  static Task<void> after_setting(bool& begun, Task<void> task) {
    begun = true;
    co_await std::move(task);
  }
};

}  // namespace understudy::proxy

#pragma once
// Lets those who are about to send wait until their thread has looked at all that was ready; then
// they go on one after the other. What is sent in a row finds its receiver awake, where it has to
// be woken for what comes in between other work: on one machine that cost more than the bytes did
// (bench/README.md). Who is alone waits for one look at the thread's event loop. Belongs to the
// thread of its io_context, which does not run any more when it goes.

#include <coroutine>
#include <deque>
#include <utility>

#include "proxy/task.h"

namespace understudy::proxy {

class SendTurn {
 public:
  explicit SendTurn(boost::asio::io_context& context) noexcept : context_(context) {}
  SendTurn(const SendTurn&) = delete;
  SendTurn& operator=(const SendTurn&) = delete;

  // For co_await.
  auto wait() noexcept { return Awaiter{*this}; }

 private:
  struct Awaiter {
    SendTurn& turn;
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> coroutine) const {
      coroutine.promise().running().wait(coroutine,
                                         [this](Resumption go_on) { turn.add(std::move(go_on)); });
    }
    void await_resume() const noexcept {}
  };

  void add(Resumption go_on);
  void come_round();
  void let_go_on();

  boost::asio::io_context& context_;
  std::deque<Resumption> waiting_;
  bool comes_round_ = false;
};

}  // namespace understudy::proxy

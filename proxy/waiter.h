#pragma once
// Lets one coroutine wait until code of the same thread wakes it. Costs no timer and no system
// call.

#include <cassert>
#include <coroutine>
#include <utility>

#include "proxy/task.h"

namespace understudy::proxy {

class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  // Before the io_context of who still waits, which unwinds that one later: its locals must not
  // refer to what holds the Waiter.
  ~Waiter() = default;

  bool waiting() const noexcept { return static_cast<bool>(waiting_); }

  // For co_await; at most one coroutine at a time. Whoever lets it wait must see to it that it is
  // woken, or that the Waiter goes.
  auto wait() noexcept { return Awaiter{*this}; }

  // Continues the coroutine before it returns; nothing when none waits. Called on its thread. The
  // caller must not rely on anything that the coroutine may have destroyed.
  void wake() {
    if (auto go_on = std::exchange(waiting_, {})) go_on();
  }

 private:
  struct Awaiter {
    Waiter& waiter;
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> coroutine) const {
      assert(!waiter.waiting_);
      coroutine.promise().running().wait(
          coroutine, [this](Resumption go_on) { waiter.waiting_ = std::move(go_on); });
    }
    void await_resume() const noexcept {}
  };

  Resumption waiting_;
};

}  // namespace understudy::proxy

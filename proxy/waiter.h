#pragma once
// Lets one coroutine wait until code of the same thread wakes it. Costs no timer and no system
// call.

#include <array>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <new>
#include <utility>

namespace understudy::proxy {

class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  // Who still waits never goes on: its executor unwinds it later, so that its locals must not refer
  // to what holds the Waiter.
  ~Waiter() {
    if (auto* waiting = std::exchange(waiting_, nullptr)) waiting->~Waiting();
  }

  bool waiting() const noexcept { return waiting_ != nullptr; }

  // At most one coroutine at a time. Whoever lets it wait must see to it that it is woken, or that
  // the Waiter goes.
  boost::asio::awaitable<void> wait() {
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
        [this]<typename Handler>(Handler handler) {
          static_assert(sizeof(Holder<Handler>) <= sizeof room_);
          waiting_ = new (room_.data()) Holder<Handler>(std::move(handler));
        },
        boost::asio::use_awaitable);
  }

  // Continues the coroutine before it returns; nothing when none waits. Called on its thread. The
  // caller must not rely on anything that the coroutine may have destroyed.
  void wake() {
    if (auto* waiting = std::exchange(waiting_, nullptr)) waiting->complete();
  }

 private:
  struct Waiting {
    virtual ~Waiting() = default;
    virtual void complete() = 0;
  };
  template <typename Handler>
  struct Holder final : Waiting {
    explicit Holder(Handler h) : handler(std::move(h)) {}
    // The coroutine may wait here again, or end the Waiter.
    void complete() override {
      Handler last = std::move(handler);
      this->~Holder();
      std::move(last)();
    }
    Handler handler;
  };

  Waiting* waiting_ = nullptr;
  alignas(std::max_align_t) std::array<std::byte, 48> room_;  // where it lies
};

}  // namespace understudy::proxy

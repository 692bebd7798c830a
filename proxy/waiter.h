#pragma once
// Lets one coroutine wait until code of the same thread wakes it. Costs no timer and no system
// call.

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

namespace understudy::proxy {

class Waiter {
 public:
  bool waiting() const noexcept { return waiting_ != nullptr; }

  // At most one coroutine at a time. Whoever lets a coroutine wait must see to it that it is woken:
  // what waits at the end is never destroyed.
  boost::asio::awaitable<void> wait() {
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
        [this]<typename Handler>(Handler handler) {
          waiting_ = std::make_unique<Holder<Handler>>(std::move(handler));
        },
        boost::asio::use_awaitable);
  }

  // Continues the coroutine before it returns, when called on its thread; nothing when none waits.
  // The caller must not rely on anything that the coroutine may have destroyed.
  void wake() {
    if (auto waiting = std::exchange(waiting_, nullptr)) waiting->complete();
  }

 private:
  struct Waiting {
    virtual ~Waiting() = default;
    virtual void complete() = 0;
  };
  template <typename Handler>
  struct Holder final : Waiting {
    explicit Holder(Handler h) : handler(std::move(h)) {}
    void complete() override {
      auto executor = boost::asio::get_associated_executor(handler);
      boost::asio::dispatch(executor, std::move(handler));
    }
    Handler handler;
  };

  std::unique_ptr<Waiting> waiting_;
};

}  // namespace understudy::proxy

#pragma once
// Tells at once when a peer closes its side while nobody reads from it, at the price of one system
// call per connection: a pending read would cost one per request, because Asio tries every read
// before it waits. Belongs to one thread. Linux: an epoll set of its own, edge-triggered on
// EPOLLRDHUP alone, which the thread's event loop watches like any other descriptor.

#include <cstdint>
#include <memory>
#include <unordered_map>

namespace boost::asio {
class io_context;
}

namespace understudy::proxy {

class HangupWatch {
 public:
  // What hears of a hang-up. Registered from add() until it is destroyed.
  class Listener {
   public:
    Listener() = default;
    virtual ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

   protected:
    // The peer sends no more, or the connection broke. Once per connection; may destroy this
    // object.
    virtual void hung_up() noexcept = 0;

   private:
    friend class HangupWatch;
    HangupWatch* watch_ = nullptr;
    std::uint64_t id_ = 0;
  };

  explicit HangupWatch(boost::asio::io_context& context);
  ~HangupWatch();

  // Once per listener. The socket leaves the watch when it is closed.
  void add(int socket, Listener& listener) noexcept;
  // Ends the wait, so that the context can run out of work.
  void stop() noexcept;

 private:
  struct Set;
  void wait();
  void deliver() noexcept;

  std::unique_ptr<Set> set_;
  std::unordered_map<std::uint64_t, Listener*> listeners_;
  std::uint64_t next_id_ = 1;
};

}  // namespace understudy::proxy

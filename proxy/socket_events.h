#pragma once
// Which of a thread's connections can be read from or written to again, and whose peer has left:
// one edge-triggered epoll set (epoll(7)), which the thread's event loop watches like any other
// descriptor. Belongs to one thread.

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <cstdint>

namespace understudy::proxy {

class SocketEvents {
 public:
  // What is in the set, by its descriptor.
  class Member {
   public:
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

   protected:
    // Throws std::system_error where the kernel has no room for it.
    Member(SocketEvents& events, int descriptor);
    virtual ~Member() { leave(); }
    // Before the descriptor is closed, which until then is its.
    void leave() noexcept;
    SocketEvents& events() const noexcept { return events_; }
    int descriptor() const noexcept { return descriptor_; }
    bool is_in() const noexcept { return is_in_; }

    // The bits that epoll tells, EPOLLIN and so on. May destroy this object and others.
    virtual void happened(std::uint32_t what) = 0;

   private:
    friend class SocketEvents;
    SocketEvents& events_;
    const int descriptor_;
    bool is_in_ = true;
  };

  // The context outlives it, and it its members. Throws std::system_error without a descriptor.
  explicit SocketEvents(boost::asio::io_context& context);
  SocketEvents(const SocketEvents&) = delete;
  SocketEvents& operator=(const SocketEvents&) = delete;

  boost::asio::io_context& context() const noexcept { return context_; }
  // From happened(): it is still there and has not left.
  bool is_telling(const Member* member) const noexcept { return told_ == member; }
  // Somebody waits for a member, or not any more. As long as anybody does, the context does not run
  // out of work. The first may throw.
  void add_waiting();
  void remove_waiting() noexcept;

 private:
  void wait();
  void collect() noexcept;
  void tell();

  boost::asio::io_context& context_;
  boost::asio::posix::stream_descriptor set_;
  static constexpr std::size_t kAtOnce = 64;
  std::array<epoll_event, kAtOnce> events_;  // collected, told up to `next_`
  std::size_t next_ = 0, end_ = 0;
  const Member* told_ = nullptr;
  bool telling_ = false;
  std::size_t waiting_ = 0;    // tasks and listeners
  bool waits_ = false;         // for the set
  std::uint64_t wait_id_ = 0;  // of the wait that counts
};

}  // namespace understudy::proxy

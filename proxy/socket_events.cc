#include "proxy/socket_events.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

namespace understudy::proxy {

namespace asio = boost::asio;

namespace {

int checked(int outcome, const char* what) {
  if (outcome < 0) throw std::system_error(errno, std::system_category(), what);
  return outcome;
}

}  // namespace

SocketEvents::Member::Member(SocketEvents& events, int descriptor)
    : events_(events), descriptor_(descriptor) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = this;
  checked(epoll_ctl(events_.set_.native_handle(), EPOLL_CTL_ADD, descriptor, &event),
          "watch a connection (fs.epoll.max_user_watches is the limit)");
}

// A close would do in the kernel what this does, but not where a process that is just being spawned
// has the socket, too: it would tell of a member that is gone.
void SocketEvents::Member::leave() noexcept {
  if (!std::exchange(is_in_, false)) return;
  epoll_ctl(events_.set_.native_handle(), EPOLL_CTL_DEL, descriptor_, nullptr);
  if (events_.told_ == this) events_.told_ = nullptr;
  for (std::size_t i = events_.next_; i < events_.end_; ++i) {
    if (events_.events_[i].data.ptr == this) events_.events_[i].data.ptr = nullptr;
  }
}

SocketEvents::SocketEvents(asio::io_context& context)
    : context_(context),
      set_(context, checked(epoll_create1(EPOLL_CLOEXEC), "a set of connections")) {}

void SocketEvents::add_waiting() {
  if (!waits_ && !telling_) wait();
  ++waiting_;
}

void SocketEvents::remove_waiting() noexcept {
  if (--waiting_ > 0 || !std::exchange(waits_, false)) return;
  ++wait_id_;
  boost::system::error_code ignored;
  set_.cancel(ignored);
}

void SocketEvents::wait() {
  set_.async_wait(asio::posix::descriptor_base::wait_read,
                  [this, id = wait_id_](boost::system::error_code error) {
                    if (error || id != wait_id_) return;
                    waits_ = false;
                    collect();
                    tell();
                  });
  waits_ = true;
}

void SocketEvents::collect() noexcept {
  const int count =
      epoll_wait(set_.native_handle(), events_.data(), static_cast<int>(events_.size()), 0);
  next_ = 0;
  end_ = static_cast<std::size_t>(std::max(count, 0));
}

void SocketEvents::tell() {
  telling_ = true;
  try {
    while (next_ < end_) {
      const epoll_event& event = events_[next_++];
      auto* const member = static_cast<Member*>(event.data.ptr);
      if (member == nullptr) continue;
      told_ = member;
      member->happened(event.events);
    }
  } catch (...) {  // of a task that ended; the others are not to wait for ever
    asio::post(context_, [this] { tell(); });
    throw;
  }
  telling_ = false;
  if (waiting_ > 0) wait();
}

}  // namespace understudy::proxy

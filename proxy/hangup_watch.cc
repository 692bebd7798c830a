#include "proxy/hangup_watch.h"

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <stdexcept>

namespace understudy::proxy {

namespace asio = boost::asio;

struct HangupWatch::Set {
  Set(asio::io_context& context, int descriptor) : epoll(context, descriptor) {}
  asio::posix::stream_descriptor epoll;
};

HangupWatch::Listener::~Listener() {
  if (watch_) watch_->listeners_.erase(id_);
}

HangupWatch::HangupWatch(asio::io_context& context) {
  const int descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) throw std::runtime_error("no epoll set: out of file descriptors");
  set_ = std::make_unique<Set>(context, descriptor);
  wait();
}

HangupWatch::~HangupWatch() {
  for (auto& [id, listener] : listeners_) listener->watch_ = nullptr;
}

void HangupWatch::add(int socket, Listener& listener) noexcept {
  epoll_event event{};
  event.events = EPOLLRDHUP | EPOLLET;
  event.data.u64 = next_id_;
  // Without room in the kernel the peer's close is noticed later, by the next read or write.
  if (epoll_ctl(set_->epoll.native_handle(), EPOLL_CTL_ADD, socket, &event) != 0) return;
  listener.watch_ = this;
  listener.id_ = next_id_;
  listeners_.emplace(next_id_++, &listener);
}

void HangupWatch::stop() noexcept {
  boost::system::error_code ignored;
  set_->epoll.cancel(ignored);
}

void HangupWatch::wait() {
  set_->epoll.async_wait(asio::posix::descriptor_base::wait_read,
                         [this](boost::system::error_code error) {
                           if (error) return;
                           deliver();
                           wait();
                         });
}

// What one listener does may destroy others: each is looked up when its turn comes.
void HangupWatch::deliver() noexcept {
  std::array<epoll_event, 64> events;
  const int count =
      epoll_wait(set_->epoll.native_handle(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const auto found = listeners_.find(events[static_cast<std::size_t>(i)].data.u64);
    if (found == listeners_.end()) continue;
    Listener* listener = found->second;
    listener->watch_ = nullptr;
    listeners_.erase(found);
    listener->hung_up();
  }
}

}  // namespace understudy::proxy

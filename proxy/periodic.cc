#include "proxy/periodic.h"

#include <pthread.h>

#include <exception>
#include <utility>

#include "proxy/log.h"

namespace understudy::proxy {

Periodic::Periodic(std::string name, std::chrono::milliseconds every, std::function<void()> work)
    : name_(std::move(name)), every_(every), work_(std::move(work)), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), name_.c_str());
}

Periodic::~Periodic() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void Periodic::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, every_, [this] { return stopping(); })) {
    lock.unlock();
    try {
      work_();
    } catch (const std::exception& failure) {
      log_error("periodic_work_failed",
                {{"work", std::string_view{name_}}, {"why", failure.what()}});
    }
    lock.lock();
  }
}

}  // namespace understudy::proxy

#include "proxy/deadline.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace understudy::proxy {

void Deadline::set(std::chrono::milliseconds after) noexcept {
  if (sweep_.stopped_ && at_stop_ == AtStop::is_dropped) return;
  // Without a listed deadline the sweep does not tick and its idea of now is old.
  if (!sweep_.first_) sweep_.now_ = std::chrono::steady_clock::now();
  at_ = sweep_.now_ + after + DeadlineSweep::kPeriod;
  if (!listed_) sweep_.add(*this);
}

void Deadline::clear() noexcept {
  if (listed_) sweep_.remove(*this);
}

struct DeadlineSweep::Timer {
  explicit Timer(boost::asio::io_context& context) : timer(context) {}
  boost::asio::steady_timer timer;
};

DeadlineSweep::DeadlineSweep(boost::asio::io_context& context)
    : timer_(std::make_unique<Timer>(context)), now_(std::chrono::steady_clock::now()) {}

DeadlineSweep::~DeadlineSweep() = default;

void DeadlineSweep::stop() {
  stopped_ = true;
  timer_->timer.cancel();
  armed_ = false;
  for (Deadline *deadline = first_, *next = nullptr; deadline; deadline = next) {
    next = deadline->next_;
    if (deadline->at_stop_ == Deadline::AtStop::is_dropped) remove(*deadline);
  }
  if (first_) arm();
}

void DeadlineSweep::add(Deadline& deadline) noexcept {
  deadline.listed_ = true;
  deadline.previous_ = nullptr;
  deadline.next_ = first_;
  if (first_) first_->previous_ = &deadline;
  first_ = &deadline;
  if (!armed_) arm();
}

void DeadlineSweep::remove(Deadline& deadline) noexcept {
  if (cursor_ == &deadline) cursor_ = deadline.next_;
  if (deadline.previous_) {
    deadline.previous_->next_ = deadline.next_;
  } else {
    first_ = deadline.next_;
  }
  if (deadline.next_) deadline.next_->previous_ = deadline.previous_;
  deadline.listed_ = false;
}

void DeadlineSweep::arm() {
  armed_ = true;
  timer_->timer.expires_after(stopped_ ? std::chrono::milliseconds{} : kPeriod);
  timer_->timer.async_wait([this](boost::system::error_code error) {
    if (error) return;
    armed_ = false;
    sweep();
    if (first_ && !armed_) arm();
  });
}

void DeadlineSweep::sweep() noexcept {
  now_ = std::chrono::steady_clock::now();
  cursor_ = first_;
  while (Deadline* deadline = cursor_) {
    cursor_ = deadline->next_;
    if (deadline->at_ > now_ && !stopped_) continue;
    remove(*deadline);
    deadline->expired();
  }
}

}  // namespace understudy::proxy

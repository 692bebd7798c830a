#include "bench/peer/client.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace understudy::bench {

void Client::ask(Request& request, std::uint64_t number, Expected expected, Nanoseconds since) {
  if (fd_ < 0) {
    fd_ = connect_to_loopback(port_);
    loop_.watch(fd_, EPOLLIN, this);
  }
  request_ = &request;
  number_ = number;
  since_ = since;
  expected_ = expected;
  sent_ = 0;
  reader_ = AnswerReader();
  body_bytes_ = 0;
  body_differs_ = false;
  deltas_ = 0;
  last_sent_ = 0;
  carry_.clear();
  busy_ = true;
  send_rest();
}

void Client::send_rest() {
  request_->stamp(number_);  // the request is shared: another client may have stamped it since
  const std::string_view rest = std::string_view(request_->bytes).substr(sent_);
  const ssize_t written = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
  if (written < 0 && errno != EAGAIN) return fail("cannot send");
  if (written > 0) sent_ += static_cast<std::size_t>(written);
  const bool unfinished = sent_ < request_->bytes.size();
  if (unfinished != waits_for_room_) {
    waits_for_room_ = unfinished;
    loop_.change(fd_, unfinished ? EPOLLIN | EPOLLOUT : EPOLLIN, this);
  }
}

void Client::on_ready(std::uint32_t events) {
  if (fd_ >= 0 && (events & EPOLLOUT) != 0) send_rest();
  if (fd_ >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
}

void Client::receive() {
  const std::span<char> scratch = loop_.scratch();
  const ssize_t size = ::recv(fd_, scratch.data(), scratch.size(), 0);
  if (size < 0 && errno == EAGAIN) return;
  if (size <= 0) return busy_ ? fail("closed before the end of the answer") : close();
  if (!busy_) return fail("bytes nobody asked for");
  received_ = now();
  reader_.feed({scratch.data(), static_cast<std::size_t>(size)}, *this);
  if (reader_.state() == AnswerReader::State::broken) return fail(reader_.why_broken());
  if (reader_.state() == AnswerReader::State::done) finish();
}

void Client::on_body(std::string_view piece) {
  if (expected_.deltas > 0) return read_deltas(piece);
  body_differs_ |= body_bytes_ + piece.size() > expected_.body.size() ||
                   expected_.body.substr(body_bytes_, piece.size()) != piece;
  body_bytes_ += piece.size();
}

void Client::read_deltas(std::string_view piece) {
  carry_.append(piece);
  const std::size_t mark_size = kSentMark.size() + kSentDigits;
  std::size_t at = 0;
  for (std::size_t mark = carry_.find(kSentMark);
       mark != std::string::npos && mark + mark_size <= carry_.size();
       mark = carry_.find(kSentMark, at)) {
    Nanoseconds sent = 0;
    const char* digits = carry_.data() + mark + kSentMark.size();
    std::from_chars(digits, digits + kSentDigits, sent);
    body_differs_ |= sent <= last_sent_;
    last_sent_ = sent;
    ++deltas_;
    user_.on_delta(*this, received_, sent);
    at = mark + mark_size;
  }
  carry_.erase(0, std::max(at, carry_.size() - std::min(carry_.size(), mark_size)));
}

void Client::finish() {
  if (expected_.deltas == 0 && body_bytes_ != expected_.body.size())
    return fail("body of a wrong length");
  if (expected_.deltas != deltas_) return fail("frames are missing");
  if (body_differs_) return fail("body differs from the primary's");
  if (sent_ < request_->bytes.size()) return fail("answered before the request was sent");
  busy_ = false;
  user_.on_answer(*this, received_);
}

void Client::fail(std::string_view why) {
  close();
  user_.on_failure(*this, why);
}

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  busy_ = waits_for_room_ = false;
}

}  // namespace understudy::bench

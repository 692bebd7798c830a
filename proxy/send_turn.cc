#include "proxy/send_turn.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace understudy::proxy {

void SendTurn::add(Resumption go_on) {
  if (!comes_round_) come_round();
  waiting_.push_back(std::move(go_on));
}

void SendTurn::come_round() {
  boost::asio::post(context_, [this] { let_go_on(); });
  comes_round_ = true;
}

// Whoever waits again meanwhile has the next turn.
void SendTurn::let_go_on() {
  comes_round_ = false;
  try {
    for (std::size_t left = waiting_.size(); left > 0; --left) {
      Resumption next = std::move(waiting_.front());
      waiting_.pop_front();
      next();
    }
  } catch (...) {  // of a task that ended; the others are not to wait for ever
    if (!waiting_.empty() && !comes_round_) come_round();
    throw;
  }
}

}  // namespace understudy::proxy

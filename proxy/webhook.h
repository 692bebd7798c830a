#pragma once
// Posts events to a URL of the operator's, one after the other, on a thread of its own: a receiver
// that hangs or fails delays nobody, and what finds no room is counted. The body is the event as
// JSON; who has the secret can tell that it is ours:
//
//   x-understudy-timestamp: <Unix seconds of the try>
//   x-understudy-signature: sha256=<hex of HMAC-SHA256(secret, timestamp + "." + body)>
//
// Owned by the serve command. Any thread may use it.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "proxy/credentials.h"
#include "proxy/events.h"
#include "routing/config.h"

namespace understudy::proxy {

class Webhook {
 public:
  static constexpr std::size_t kMaxQueued = 128;

  // `environment` finds the secret of `secret_env`. The first pause between two tries of an event
  // doubles with each.
  explicit Webhook(Environment environment,
                   std::chrono::milliseconds first_pause = std::chrono::seconds(1));
  ~Webhook();  // what is not delivered by now is not
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  // For what is offered from now on; none: nothing is posted.
  void apply(const std::optional<routing::WebhookConfig>& config);
  void offer(const Event& event);  // never blocks

  struct Counts {
    std::uint64_t delivered = 0;
    std::uint64_t failed = 0;   // after all tries
    std::uint64_t dropped = 0;  // the queue was full
  };
  Counts counts() const noexcept;

 private:
  struct Item {
    routing::WebhookConfig config;
    std::string body;
    std::uint64_t id = 0;
  };
  void run();
  bool deliver(const Item& item);
  std::string try_once(const Item& item) const;  // empty, or what went wrong
  bool pause(std::chrono::milliseconds time);    // false: it is to end

  const Environment environment_;
  const std::chrono::milliseconds first_pause_;
  std::atomic<std::uint64_t> delivered_{0}, failed_{0}, dropped_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  std::optional<routing::WebhookConfig> config_;
  std::deque<Item> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

// understudy_webhook_total{result} in the exposition's text format.
std::string webhook_exposition(const Webhook::Counts& counts);

}  // namespace understudy::proxy

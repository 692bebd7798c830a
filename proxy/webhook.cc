#include "proxy/webhook.h"

#include <algorithm>
#include <array>

#include "proxy/digest.h"
#include "proxy/http_call.h"
#include "proxy/log.h"
#include "proxy/read_file.h"

namespace understudy::proxy {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kMaxSecretBytes = 4096;
constexpr std::size_t kMaxAnswerBytes = 64u << 10;
constexpr milliseconds kLongestPause = 60s;

// Read for each try, so that a changed secret needs no reload.
Secret secret_of(const routing::WebhookConfig& config, const Environment& environment) {
  std::string text = config.secret_file.empty()
                         ? environment(config.secret_env).value_or("")
                         : read_file(config.secret_file, kMaxSecretBytes).value_or("");
  trim_end(text);
  return Secret(std::move(text));
}

std::string now_text() {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count());
}

}  // namespace

Webhook::Webhook(Environment environment, milliseconds first_pause)
    : environment_(std::move(environment)), first_pause_(first_pause), thread_([this] { run(); }) {}

Webhook::~Webhook() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Webhook::apply(const std::optional<routing::WebhookConfig>& config) {
  const std::lock_guard lock(mutex_);
  config_ = config;
}

void Webhook::offer(const Event& event) {
  {
    const std::lock_guard lock(mutex_);
    if (!config_) return;
    if (queue_.size() >= kMaxQueued) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    queue_.push_back({*config_, to_json_text(event), event.id});
  }
  changed_.notify_all();
}

Webhook::Counts Webhook::counts() const noexcept {
  return {.delivered = delivered_.load(std::memory_order_relaxed),
          .failed = failed_.load(std::memory_order_relaxed),
          .dropped = dropped_.load(std::memory_order_relaxed)};
}

void Webhook::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const Item item = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    (deliver(item) ? delivered_ : failed_).fetch_add(1, std::memory_order_relaxed);
    lock.lock();
  }
}

bool Webhook::deliver(const Item& item) {
  milliseconds wait = first_pause_;
  for (std::size_t tries = 0;; ++tries) {
    const std::string problem = try_once(item);
    if (problem.empty()) return true;
    log_warn("webhook_failed", {{"event", static_cast<std::int64_t>(item.id)},
                                {"try", static_cast<std::int64_t>(tries + 1)},
                                {"what", problem}});
    if (tries == item.config.retries || !pause(wait)) return false;
    wait = std::min(wait * 2, kLongestPause);
  }
}

std::string Webhook::try_once(const Item& item) const {
  try {
    const Secret secret = secret_of(item.config, environment_);
    if (secret.empty()) return "there is no secret to sign with";
    const std::string timestamp = now_text();
    const auto answer = call_http(
        {.endpoint = item.config.url,
         .method = "POST",
         .fields = {{"x-understudy-event-id", std::to_string(item.id)},
                    {"x-understudy-timestamp", timestamp},
                    {"x-understudy-signature",
                     "sha256=" + hmac_sha256_hex(secret.reveal(), timestamp + "." + item.body)}},
         .content_type = "application/json",
         .body = item.body,
         .ca_file = item.config.ca_file,
         .timeout = item.config.timeout,
         .max_answer_bytes = kMaxAnswerBytes});
    if (!answer) return answer.error().context;
    return answer->status / 100 == 2 ? "" : "it answered " + std::to_string(answer->status);
  } catch (const std::exception& failure) {
    return failure.what();
  }
}

bool Webhook::pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return stopping_; });
}

std::string webhook_exposition(const Webhook::Counts& counts) {
  std::string text =
      "# HELP understudy_webhook_total Events by what became of their posting.\n"
      "# TYPE understudy_webhook_total counter\n";
  const std::array<std::pair<std::string_view, std::uint64_t>, 3> results{
      {{"delivered", counts.delivered}, {"failed", counts.failed}, {"dropped", counts.dropped}}};
  for (const auto& [result, count] : results) {
    text.append("understudy_webhook_total{result=\"").append(result).append("\"} ");
    text.append(std::to_string(count)).append("\n");
  }
  return text;
}

}  // namespace understudy::proxy

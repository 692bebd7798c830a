#pragma once
// The services that hand out credentials, on one port of 127.0.0.1: STS, the instance metadata
// service, a container endpoint, the portal and the OIDC service of single sign-on. Each answer's
// access key id tells who was asked for what ("STS.role.by.AKID"). Any thread may change how it
// behaves.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "proxy/credentials.h"
#include "tests/support/fake_bedrock.h"

namespace understudy::testing_support {

class FakeAws {
 public:
  FakeAws();

  std::uint16_t port() const { return server_->port(); }
  std::string url(std::string_view path = "") const;
  const FakeBedrock& server() const { return *server_; }

  // Of everything handed out from now on.
  void expires_at(proxy::WallTime when) { expires_ = when.time_since_epoch(); }
  // Instead of an answer: these very bytes; "hang" is silence. Empty: answers as usual.
  void answer_with(std::string bytes);
  // Requests that an upstream would have signed or answered, by what they asked for.
  std::size_t count(std::string_view target_or_action) const;

 private:
  void serve(const FakeRequest& request, FakePeer& peer);
  std::string answer_to(const FakeRequest& request) const;
  std::string expiration() const;
  std::string sts(const FakeRequest& request) const;

  std::atomic<std::chrono::system_clock::duration> expires_;
  mutable std::mutex mutex_;
  std::string instead_;                  // guarded by mutex_
  std::unique_ptr<FakeBedrock> server_;  // ends first
};

// A clock that stands until it is moved. Any thread.
class FakeClock {
 public:
  static constexpr std::chrono::seconds kBegin{1'800'000'000};
  proxy::WallTime now() const { return proxy::WallTime(now_.load()); }
  void advance(std::chrono::seconds by) { now_ = now_.load() + by; }

 private:
  std::atomic<std::chrono::system_clock::duration> now_{kBegin};
};

}  // namespace understudy::testing_support

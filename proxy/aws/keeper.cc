#include "proxy/aws/keeper.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "proxy/aws/fetch.h"
#include "proxy/aws/refresh_policy.h"
#include "proxy/aws/timestamp.h"
#include "proxy/log.h"

namespace understudy::proxy::aws {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// The wall clock is looked at this often at least: it may be set, and machines sleep.
constexpr milliseconds kLongestWait{30'000};
constexpr milliseconds kShortestWait{10};
// A reload that comes sooner after a good fetch does not fetch again.
constexpr seconds kFreshFor{10};

// One slot, what is done about it and for whom.
struct Entry {
  std::weak_ptr<CredentialSlot> slot;
  std::vector<std::weak_ptr<const CredentialUse>> users;  // guarded by the keeper's mutex

  // The keeper's thread only:
  std::shared_ptr<const Credentials> current;
  CredentialStatus status;
  std::optional<WallTime> due;  // the next try
  unsigned failures_in_a_row = 0;
  bool fetching = false;
  bool begun = false;
  bool wanted_now = false;
};

// Known to have ended. Keys are not used then; a token is, for the upstream's own answer tells more
// than ours would.
bool has_ended(const Credentials& credentials, WallTime now) {
  return credentials.expires && *credentials.expires <= now;
}

CredentialState state_of(const Entry& entry, WallTime now) {
  if (!entry.current) {
    if (entry.status.refreshes > 0) return CredentialState::expired;
    return entry.status.failures > 0 ? CredentialState::missing : CredentialState::fetching;
  }
  if (has_ended(*entry.current, now)) return CredentialState::expired;
  const bool late = entry.current->expires && *entry.current->expires - now <= kMandatory &&
                    (entry.failures_in_a_row > 0 || !entry.due);
  return late ? CredentialState::late : CredentialState::valid;
}

std::string when(const std::optional<WallTime>& expires) {
  return expires ? format_timestamp(*expires) : "never";
}

}  // namespace

struct CredentialsKeeper::Impl {
  Impl(metrics::Recorder& recorder_, std::function<WallTime()> now_)
      : recorder(recorder_), now(std::move(now_)) {
    thread = std::thread([this] { context.run(); });
    pthread_setname_np(thread.native_handle(), "credentials");
  }

  ~Impl() {
    asio::post(context, [this] { stop(); });
    thread.join();
  }

  // --- Any thread

  std::shared_ptr<const CredentialUse> use(std::string upstream, CredentialPlan plan) {
    const std::lock_guard lock(mutex);
    std::shared_ptr<CredentialSlot> slot;
    std::shared_ptr<Entry> entry;
    for (const auto& known : entries) {
      slot = known->slot.lock();
      if (slot && slot->plan() == plan) {
        entry = known;
        break;
      }
    }
    if (!entry) {
      slot = std::make_shared<CredentialSlot>(std::move(plan));
      entry = std::make_shared<Entry>();
      entry->slot = slot;
      entries.push_back(entry);
      if (slot->plan().is_fixed()) publish_fixed(*entry, *slot);
    }
    auto made = std::make_shared<const CredentialUse>(CredentialUse{std::move(upstream), slot});
    entry->users.emplace_back(made);
    recorder.credentials_expire(made->upstream, slot->status().expires);
    asio::post(context, [this, entry] {
      entry->wanted_now = true;
      tick();
    });
    return made;
  }

  bool wait_for_first(const CredentialSlot& slot, milliseconds limit) const {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, limit,
                            [&slot] { return slot.status().state != CredentialState::fetching; });
  }

  // --- Before the entry is known to the thread

  void publish_fixed(Entry& entry, CredentialSlot& slot) {
    entry.current =
        std::make_shared<const Credentials>(std::get<FixedSource>(slot.plan().source).credentials);
    entry.begun = true;
    entry.status.refreshes = 1;
    entry.status.fetched = now();
    entry.status.expires = entry.current->expires;
    entry.status.state = state_of(entry, now());
    const bool usable =
        entry.current->kind == Credentials::Kind::bearer || !has_ended(*entry.current, now());
    slot.publish(usable ? entry.current : nullptr, entry.status);
  }

  // --- The thread

  void tick() {
    if (stopping) return;
    const WallTime at = now();
    std::optional<WallTime> next;
    const auto sooner = [&](const std::optional<WallTime>& other) {
      if (other && *other > at && (!next || *other < *next)) next = other;
    };
    for (const auto& entry : live_entries()) {
      if (auto slot = entry->slot.lock()) look_after(entry, std::move(slot), at);
      sooner(entry->due);
      if (entry->current && entry->current->expires) {
        sooner(entry->current->expires);
        sooner(*entry->current->expires - kMandatory);
      }
    }
    arm(next, at);
  }

  std::vector<std::shared_ptr<Entry>> live_entries() {
    const std::lock_guard lock(mutex);
    std::erase_if(entries, [](const auto& entry) { return entry->slot.expired(); });
    for (const auto& entry : entries)
      std::erase_if(entry->users, [](const auto& user) { return user.expired(); });
    return entries;
  }

  void arm(std::optional<WallTime> next, WallTime at) {
    milliseconds wait = kLongestWait;
    if (next) wait = std::min(wait, std::chrono::ceil<milliseconds>(*next - at));
    timer.expires_after(std::max(wait, kShortestWait));
    timer.async_wait([this](boost::system::error_code error) {
      if (!error) tick();
    });
  }

  void look_after(const std::shared_ptr<Entry>& entry, std::shared_ptr<CredentialSlot> slot,
                  WallTime at) {
    tell_state(*entry, *slot, at);
    const bool wanted = std::exchange(entry->wanted_now, false);
    if (entry->fetching || slot->plan().is_fixed()) return;
    const bool stale = entry->failures_in_a_row > 0 || !entry->status.fetched ||
                       at - *entry->status.fetched >= kFreshFor;
    const bool due = !entry->begun || (wanted && stale) || (entry->due && *entry->due <= at);
    if (!due) return;
    entry->begun = true;
    entry->fetching = true;
    spawn(context, refresh(entry, std::move(slot)), [](std::exception_ptr failure) {
      if (failure) log_error("credentials_refresh_broke");
    });
  }

  // One at a time for each slot.
  Task<void> refresh(std::shared_ptr<Entry> entry, std::shared_ptr<CredentialSlot> slot) {
    Result<Credentials> fetched = credentials_error("the fetch broke off");
    try {
      fetched = co_await fetch_credentials(fetching, slot->plan());
    } catch (const std::exception& failure) {
      fetched = Error{ErrorKind::internal, Side::internal, failure.what()};
    }
    entry->fetching = false;
    if (stopping) co_return;
    const WallTime at = now();
    if (fetched) {
      succeeded(*entry, *slot, std::move(*fetched), at);
    } else {
      failed(*entry, *slot, fetched.error(), at);
    }
    tick();
  }

  void succeeded(Entry& entry, CredentialSlot& slot, Credentials credentials, WallTime at) {
    entry.failures_in_a_row = 0;
    entry.due.reset();
    if (credentials.expires) entry.due = next_refresh(at, *credentials.expires);
    entry.status.fetched = at;
    entry.status.problem.clear();
    ++entry.status.refreshes;
    entry.status.expires = credentials.expires;
    entry.current = std::make_shared<const Credentials>(std::move(credentials));
    entry.status.state = state_of(entry, at);
    count(entry, "ok");
    publish(entry, slot);
    log_info("credentials_fetched",
             {{"source", slot.plan().origin}, {"expires", when(entry.status.expires)}});
  }

  void failed(Entry& entry, CredentialSlot& slot, const Error& error, WallTime at) {
    ++entry.failures_in_a_row;
    ++entry.status.failures;
    entry.status.problem = error.context;
    const CredentialState state = state_of(entry, at);
    entry.due = at + retry_delay(entry.failures_in_a_row, state != CredentialState::valid,
                                 fetching.random());
    entry.status.state = state;
    count(entry, label(error.kind));
    publish(entry, slot);
    log(state == CredentialState::valid ? LogLevel::warn : LogLevel::error, "credentials_failed",
        {{"source", slot.plan().origin},
         {"what", error.context},
         {"state", label(state)},
         {"expires", entry.current ? when(entry.status.expires) : "none are there"}});
  }

  // What time alone changes.
  void tell_state(Entry& entry, CredentialSlot& slot, WallTime at) {
    const CredentialState state = state_of(entry, at);
    if (state == entry.status.state || !entry.begun) return;
    entry.status.state = state;
    const bool ended = state == CredentialState::expired;
    if (ended && entry.current && entry.current->kind != Credentials::Kind::bearer)
      entry.current.reset();
    publish(entry, slot);
    if (state != CredentialState::valid) {
      log(ended ? LogLevel::error : LogLevel::warn,
          ended ? "credentials_expired" : "credentials_expire_soon",
          {{"source", slot.plan().origin}, {"expires", when(entry.status.expires)}});
    }
  }

  void publish(Entry& entry, CredentialSlot& slot) {
    slot.publish(entry.current, entry.status);
    const std::lock_guard lock(mutex);
    changed.notify_all();
  }

  void count(const Entry& entry, std::string_view result) {
    const std::lock_guard lock(mutex);
    for (const auto& user : entry.users) {
      const auto use_of = user.lock();
      if (!use_of) continue;
      recorder.credentials_refreshed(use_of->upstream, result);
      recorder.credentials_expire(use_of->upstream, entry.status.expires);
    }
  }

  void stop() {
    stopping = true;
    timer.cancel();
    fetching.cut();
    sweep.stop();
    resolver.stop();
    work.reset();
  }

  metrics::Recorder& recorder;
  const std::function<WallTime()> now;

  mutable std::mutex mutex;
  mutable std::condition_variable changed;      // a slot's status
  std::vector<std::shared_ptr<Entry>> entries;  // guarded by mutex

  // The thread's:
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::steady_timer timer{context};
  DeadlineSweep sweep{context};
  Resolver resolver{context};
  metrics::BlockPool blocks;
  ThreadResources resources{context, sweep, resolver, blocks};
  Signer signer;
  TlsContexts tls;
  std::mt19937 random{std::random_device{}()};
  FetchThread fetching{
      .resources = resources, .signer = signer, .tls = tls, .now = now, .random = [this] {
        return static_cast<std::uint32_t>(random());
      }};
  bool stopping = false;
  std::thread thread;
};

CredentialsKeeper::CredentialsKeeper(metrics::Recorder& recorder, std::function<WallTime()> now)
    : impl_(std::make_unique<Impl>(recorder, std::move(now))) {}
CredentialsKeeper::~CredentialsKeeper() = default;

std::shared_ptr<const CredentialUse> CredentialsKeeper::use(std::string upstream,
                                                            CredentialPlan plan) {
  return impl_->use(std::move(upstream), std::move(plan));
}

bool CredentialsKeeper::wait_for_first(const CredentialSlot& slot, milliseconds limit) const {
  return impl_->wait_for_first(slot, limit);
}

void CredentialsKeeper::look() {
  asio::post(impl_->context, [impl = impl_.get()] { impl->tick(); });
}

}  // namespace understudy::proxy::aws

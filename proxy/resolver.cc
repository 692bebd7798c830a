#include "proxy/resolver.h"

#include <algorithm>
#include <utility>

namespace understudy::proxy {

namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

std::string key(const std::string& host, std::uint16_t port) {
  return host + ' ' + std::to_string(port);
}

// "[::1]" as endpoints are written, to "::1" as addresses are.
std::string without_brackets(const std::string& host) {
  return host.size() > 2 && host.front() == '[' ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

const Resolver::Endpoints* Resolver::lookup(const std::string& host, std::uint16_t port,
                                            const Lifetimes& lifetimes, Waiter& waiter) {
  Entry& entry = entries_[key(host, port)];
  if (entry.good.empty()) {
    boost::system::error_code not_an_address;
    const auto address = asio::ip::make_address(without_brackets(host), not_an_address);
    if (!not_an_address) {
      entry.good.emplace_back(address, port);
      entry.resolved = steady_clock::time_point::max();
      return &entry.good;
    }
  }
  const bool literal = entry.resolved == steady_clock::time_point::max();
  const auto age = literal ? steady_clock::duration{} : steady_clock::now() - entry.resolved;
  const bool usable = !entry.good.empty() && age <= lifetimes.keep;
  if ((!usable || age > lifetimes.refresh) && !entry.looking_up) {
    entry.looking_up = true;
    look_up(host, port);
  }
  if (usable) return &entry.good;
  if (entry.looking_up) entry.waiters.push_back(&waiter);
  return nullptr;
}

void Resolver::forget(Waiter& waiter) noexcept {
  for (auto& [name, entry] : entries_) std::erase(entry.waiters, &waiter);
  std::erase(to_wake_, &waiter);
}

std::string Resolver::problem(const std::string& host, std::uint16_t port) const {
  const auto found = entries_.find(key(host, port));
  return found == entries_.end() || found->second.problem.empty() ? "look-up did not end in time"
                                                                  : found->second.problem;
}

void Resolver::look_up(const std::string& host, std::uint16_t port) {
  resolver_.async_resolve(without_brackets(host), std::to_string(port),
                          asio::ip::tcp::resolver::numeric_service,
                          [this, host, port](boost::system::error_code error, const auto& results) {
                            Endpoints found;
                            for (const auto& result : results) found.push_back(result.endpoint());
                            ended(host, port, error, std::move(found));
                          });
}

void Resolver::ended(const std::string& host, std::uint16_t port, boost::system::error_code error,
                     Endpoints found) {
  Entry& entry = entries_[key(host, port)];
  entry.looking_up = false;
  entry.problem = error ? error.message() : std::string{};
  if (!error && !found.empty()) {
    entry.good = std::move(found);
    entry.resolved = steady_clock::now();
  }
  // Whoever goes on may end others who wait, and ask for the name again.
  to_wake_.insert(to_wake_.end(), entry.waiters.begin(), entry.waiters.end());
  entry.waiters.clear();
  while (!to_wake_.empty()) {
    Waiter* const waiter = to_wake_.back();
    to_wake_.pop_back();
    waiter->wake();
  }
}

}  // namespace understudy::proxy

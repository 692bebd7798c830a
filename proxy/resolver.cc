#include "proxy/resolver.h"

#include <algorithm>

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
  if ((!usable || age > lifetimes.refresh) && !entry.looking_up) begin(host, port, entry);
  if (usable) return &entry.good;
  if (entry.looking_up) entry.waiters.push_back(&waiter);
  return nullptr;
}

void Resolver::forget(Waiter& waiter) noexcept {
  for (auto& [name, entry] : entries_) std::erase(entry.waiters, &waiter);
}

std::string Resolver::problem(const std::string& host, std::uint16_t port) const {
  const auto found = entries_.find(key(host, port));
  return found == entries_.end() || found->second.problem.empty() ? "look-up did not end in time"
                                                                  : found->second.problem;
}

void Resolver::begin(const std::string& host, std::uint16_t port, Entry& entry) {
  entry.looking_up = true;
  resolver_.async_resolve(
      without_brackets(host), std::to_string(port), asio::ip::tcp::resolver::numeric_service,
      [this, name = key(host, port)](boost::system::error_code error, const auto& results) {
        Entry& finished = entries_[name];
        finished.looking_up = false;
        finished.problem = error ? error.message() : std::string{};
        if (!error && results.begin() != results.end()) {
          finished.good.clear();
          for (const auto& result : results) finished.good.push_back(result.endpoint());
          finished.resolved = steady_clock::now();
        }
        auto waiters = std::move(finished.waiters);
        finished.waiters.clear();
        for (Waiter* waiter : waiters) waiter->wake();
      });
}

}  // namespace understudy::proxy

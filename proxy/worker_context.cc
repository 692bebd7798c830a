#include "proxy/worker_context.h"

#include <string_view>

namespace understudy::proxy {

ExchangeId WorkerContext::next_id() noexcept {
  // SplitMix64: unique as long as the state is, and the state counts.
  std::uint64_t z = (id_state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  constexpr std::string_view kHex = "0123456789abcdef";
  ExchangeId id;
  for (char& digit : id.digits) {
    digit = kHex[z & 15];
    z >>= 4;
  }
  return id;
}

}  // namespace understudy::proxy

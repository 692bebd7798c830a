#pragma once
// Numbers that depend on nothing but their seed, on every platform and in every instance. Values;
// not shared by threads.

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace understudy::simulator {

inline std::uint64_t mix(std::uint64_t value) noexcept {  // splitmix64's finaliser
  value += 0x9e3779b97f4a7c15ull;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
  return value ^ (value >> 31);
}

inline std::uint64_t hash(std::uint64_t seed,
                          std::string_view text) noexcept {  // FNV-1a, finalised
  std::uint64_t state = 0xcbf29ce484222325ull ^ mix(seed);
  for (const char c : text) {
    state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  }
  return mix(state);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept { return mix(state_++); }
  // 0 .. bound-1; bound must not be 0.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  // 0 <= x < 1
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool percent(double share) noexcept { return unit() * 100 < share; }
  double lognormal(double median, double sigma) noexcept {
    const double radius = std::sqrt(-2 * std::log(1 - unit()));
    return median * std::exp(sigma * radius * std::cos(2 * std::numbers::pi * unit()));
  }

 private:
  std::uint64_t state_;
};

}  // namespace understudy::simulator

#include "proxy/client_keys.h"

#include <algorithm>
#include <utility>

#include "proxy/digest.h"

namespace understudy::proxy {
namespace {

constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMinKeyBytes = 16;
constexpr std::size_t kMaxKeyBytes = 512;
constexpr std::string_view kDigestMark = "sha256:";

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<Sha256> parse_digest(std::string_view text) {
  Sha256 digest{};
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return digest;
}

// Calls `take(name, value)` for each line; what it returns is that line's problem, empty for none.
template <typename Take>
void for_each_pair(std::string_view text, std::vector<std::string>& problems, Take take) {
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view whole = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (whole.empty() || whole.front() == '#') continue;
    const std::size_t colon = whole.find(':');
    const std::string_view name = trim(whole.substr(0, colon));
    std::string_view problem;
    if (colon == std::string_view::npos || name.empty()) {
      problem = "must be `name: key`";
    } else if (name.size() > kMaxNameBytes || !is_visible(name)) {
      problem = "has a name that is longer than 128 characters or has blanks in it";
    } else {
      problem = take(name, trim(whole.substr(colon + 1)));
    }
    if (!problem.empty())
      problems.push_back("line " + std::to_string(line) + " " + std::string(problem));
  }
}

}  // namespace

ApiKeys ApiKeys::parse(std::string_view text, std::vector<std::string>& problems) {
  ApiKeys keys;
  for_each_pair(
      text, problems, [&](std::string_view name, std::string_view key) -> std::string_view {
        std::optional<Sha256> digest;
        if (key.starts_with(kDigestMark)) {
          digest = parse_digest(key.substr(kDigestMark.size()));
          if (!digest) return "has a digest that is not 64 hex digits";
        } else if (key.size() < kMinKeyBytes || key.size() > kMaxKeyBytes || !is_visible(key)) {
          return "has a key that is not of 16 to 512 visible characters";
        } else {
          digest = sha256(key);
        }
        keys.entries_.push_back({*digest, std::string(name)});
        return {};
      });
  const auto by_digest = [](const Entry& a, const Entry& b) { return a.digest < b.digest; };
  std::sort(keys.entries_.begin(), keys.entries_.end(), by_digest);
  const auto same = [](const Entry& a, const Entry& b) { return a.digest == b.digest; };
  const auto twice = std::adjacent_find(keys.entries_.begin(), keys.entries_.end(), same);
  if (twice != keys.entries_.end())
    problems.push_back("the key of " + twice->owner + " stands there twice");
  if (keys.entries_.empty() && problems.empty()) problems.push_back("there is no key in it");
  return keys;
}

std::string_view ApiKeys::owner_of(const Sha256& digest) const noexcept {
  const auto found = std::lower_bound(
      entries_.begin(), entries_.end(), digest,
      [](const Entry& entry, const Sha256& wanted) { return entry.digest < wanted; });
  return found == entries_.end() || found->digest != digest ? std::string_view{} : found->owner;
}

AccessKeys AccessKeys::parse(std::string_view text, std::vector<std::string>& problems) {
  AccessKeys keys;
  for_each_pair(
      text, problems, [&](std::string_view id, std::string_view secret) -> std::string_view {
        if (secret.size() < kMinKeyBytes || secret.size() > kMaxKeyBytes || !is_visible(secret))
          return "has a secret that is not of 16 to 512 visible characters";
        if (id.find('/') != std::string_view::npos)
          return "has an access key id with a slash in it";
        AccessKey key{std::string(id), Secret(std::string(secret))};
        const bool added = keys.keys_.emplace(std::string(id), std::move(key)).second;
        return added ? "" : "has the access key id of a line before";
      });
  if (keys.keys_.empty() && problems.empty()) problems.push_back("there is no key in it");
  return keys;
}

const AccessKey* AccessKeys::find(std::string_view id) const noexcept {
  const auto found = keys_.find(id);
  return found == keys_.end() ? nullptr : &found->second;
}

}  // namespace understudy::proxy

#pragma once
// The keys that clients of a listener use, out of files with a line for each:
//
//   # comment
//   search-team: 5f2c...          an API key of 16 to 512 visible characters
//   batch: sha256:9f86d08...      or its SHA-256 as 64 hex digits, so that the file holds no key
//
// and for signatures `access-key-id: secret-access-key`. What stands before the first colon is who
// the client is for routes and records. Two keys of one name may stand there while one takes the
// other's place. Immutable once parsed; problems name the line and never quote it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/credentials.h"
#include "proxy/sigv4.h"

namespace understudy::proxy {

inline constexpr std::size_t kMaxClientKeysBytes = std::size_t{4} << 20;

class ApiKeys {
 public:
  static ApiKeys parse(std::string_view text, std::vector<std::string>& problems);

  // Whose key has this digest; empty: nobody's. Only digests are compared: how long that takes
  // tells nothing of a key.
  std::string_view owner_of(const Sha256& digest) const noexcept;
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    Sha256 digest;
    std::string owner;
  };
  std::vector<Entry> entries_;  // by digest
};

struct AccessKey {
  std::string id;
  Secret secret;
};

class AccessKeys {
 public:
  static AccessKeys parse(std::string_view text, std::vector<std::string>& problems);

  const AccessKey* find(std::string_view id) const noexcept;  // null: not known
  std::size_t size() const noexcept { return keys_.size(); }

 private:
  std::map<std::string, AccessKey, std::less<>> keys_;
};

}  // namespace understudy::proxy

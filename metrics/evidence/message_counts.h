#pragma once
// How often the candidate said what when it refused a request as invalid: masked messages with
// their counts and the families they hit. Bounded: beyond kMaxMessages the rarest makes room, so a
// flood of unlike ones cannot push out what is frequent. Adds up over processes. One thread.

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::metrics {

class MessageCounts {
 public:
  static constexpr std::size_t kMaxMessages = 64;
  static constexpr std::size_t kMaxFamilies = 8;  // named for each message
  static constexpr std::size_t kMaxBytes = 512;   // of a message

  // `message` holds nothing of a request: divergence/error_headline.h makes it.
  void add(std::string_view message, std::string_view family);
  void merge(const MessageCounts& other);

  struct Message {
    std::string text;
    std::uint64_t count = 0;
    std::set<std::string> families;
  };
  std::vector<Message> top(std::size_t count) const;       // the most frequent first
  std::uint64_t total() const noexcept { return total_; }  // with those that are not listed

  nlohmann::json to_json() const;
  // Throws for what to_json() did not write.
  static MessageCounts from_json(const nlohmann::json& json);
  friend bool operator==(const MessageCounts&, const MessageCounts&) = default;

 private:
  struct Seen {
    std::uint64_t count = 0;
    std::set<std::string> families;
    friend bool operator==(const Seen&, const Seen&) = default;
  };
  void add(std::string_view message, const Seen& seen);
  std::map<std::string, Seen, std::less<>> messages_;
  std::uint64_t total_ = 0;
};

}  // namespace understudy::metrics

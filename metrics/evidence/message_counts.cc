#include "metrics/evidence/message_counts.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace understudy::metrics {

void MessageCounts::add(std::string_view message, std::string_view family) {
  ++total_;
  add(message.substr(0, kMaxBytes), {.count = 1, .families = {std::string(family)}});
}

void MessageCounts::add(std::string_view message, const Seen& seen) {
  auto known = messages_.find(message);
  if (known == messages_.end()) {
    if (messages_.size() >= kMaxMessages) {
      messages_.erase(std::ranges::min_element(messages_, {},
                                               [](const auto& each) { return each.second.count; }));
    }
    known = messages_.emplace(std::string(message), Seen{}).first;
  }
  known->second.count += seen.count;
  for (const std::string& family : seen.families) {
    if (known->second.families.size() < kMaxFamilies) known->second.families.insert(family);
  }
}

void MessageCounts::merge(const MessageCounts& other) {
  total_ += other.total_;
  for (const auto& [message, seen] : other.messages_) add(message, seen);
}

std::vector<MessageCounts::Message> MessageCounts::top(std::size_t count) const {
  std::vector<Message> all;
  for (const auto& [message, seen] : messages_) all.push_back({message, seen.count, seen.families});
  std::ranges::stable_sort(all, std::ranges::greater{}, &Message::count);
  if (all.size() > count) all.resize(count);
  return all;
}

nlohmann::json MessageCounts::to_json() const {
  nlohmann::json messages = nlohmann::json::array();
  for (const auto& [message, seen] : messages_)
    messages.push_back({message, seen.count, seen.families});
  return {{"total", total_}, {"messages", std::move(messages)}};
}

MessageCounts MessageCounts::from_json(const nlohmann::json& json) {
  MessageCounts counts;
  const auto& messages = json.at("messages");
  if (!json.at("total").is_number_unsigned() || messages.size() > kMaxMessages)
    throw std::invalid_argument("the messages are more than are kept, or not counted");
  counts.total_ = json.at("total").get<std::uint64_t>();
  for (const auto& message : messages) {
    const auto text = message.at(0).get<std::string>();
    Seen seen{.count = message.at(1).get<std::uint64_t>(),
              .families = message.at(2).get<std::set<std::string>>()};
    if (text.size() > kMaxBytes || seen.families.size() > kMaxFamilies)
      throw std::invalid_argument("a message is larger than it may be");
    counts.messages_.emplace(text, std::move(seen));
  }
  return counts;
}

}  // namespace understudy::metrics

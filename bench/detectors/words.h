#pragma once
// What generated answers are worded from. Lists come in two halves: the first for tuning, the
// second held out.

#include <array>
#include <string_view>

namespace understudy::bench {

struct Topic {
  std::array<std::string_view, 6> things;
  std::array<std::string_view, 6> acts;  // in the third person, with what they act on
  std::array<std::string_view, 5> circumstances;
};
inline constexpr std::size_t kTopics = 8;
extern const std::array<Topic, kTopics> kTopicWords;

inline constexpr std::size_t kRefusals = 24;
extern const std::array<std::string_view, kRefusals> kRefusalTexts;

struct Tongue {
  std::array<std::string_view, 4> sentences;
};
inline constexpr std::size_t kTongues = 10;
extern const std::array<Tongue, kTongues> kTongueTexts;

// A key and what another model calls it.
struct Key {
  std::string_view name;
  std::string_view other_name;
};
inline constexpr std::size_t kRecords = 6;
extern const std::array<std::array<Key, 6>, kRecords> kRecordKeys;

inline constexpr std::size_t kLabelSets = 6;
extern const std::array<std::array<std::string_view, 4>, kLabelSets> kLabels;

struct Tool {
  std::string_view name;
  std::string_view other_name;  // which nobody offers
  std::string_view text_argument;
  std::string_view number_argument;
};
inline constexpr std::size_t kTools = 6;
extern const std::array<Tool, kTools> kToolWords;

}  // namespace understudy::bench

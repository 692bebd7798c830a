#pragma once
// Configs as text, loaded, and what was found wrong with them: for the tests of the loader.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "routing/config_loader.h"

namespace understudy::routing {

// What every config needs.
inline constexpr std::string_view kHead =
    "listeners: [{address: 127.0.0.1:8080}]\n"
    "upstreams: {here: {endpoint: 'http://127.0.0.1:9000', credentials: {source: none}}}\n"
    "default_route: {upstream: here}\n";

inline LoadedConfig load(std::string_view text) {
  return load_config_text(text, "/etc/understudy/c.yaml");
}

// Its problems in their order, each from "c.yaml" on and on a line of its own.
inline std::string listed(const LoadedConfig& loaded) {
  std::string all;
  for (const ConfigProblem& problem : loaded.problems) {
    std::string text = problem.to_string();
    all += text.substr(text.find("c.yaml")) + "\n";
  }
  return all;
}

// What loads behind kHead, which takes lines 1 to 3.
inline Config good(std::string_view more) {
  const LoadedConfig loaded = load(std::string(kHead) + std::string(more));
  EXPECT_EQ(listed(loaded), "") << more;
  return loaded.config ? *loaded.config : Config{};
}

// What is wrong behind kHead.
inline std::string problems_of(std::string_view more) {
  const LoadedConfig loaded = load(std::string(kHead) + std::string(more));
  const bool refused =
      std::ranges::any_of(loaded.problems, [](const auto& p) { return !p.warning; });
  EXPECT_EQ(loaded.config == nullptr, refused);
  return listed(loaded);
}

struct BadConfig {
  const char* text;
  const char* problem;  // the first one, from "c.yaml" on
};

inline void expect_refused(const BadConfig& row, const LoadedConfig& loaded) {
  EXPECT_EQ(loaded.config, nullptr) << row.text;
  const std::string all = listed(loaded);
  EXPECT_EQ(all.substr(0, all.find('\n')), row.problem) << row.text;
}

// An upstream with these credentials.
inline LoadedConfig load_credentials(std::string_view keys) {
  return load(
      "listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n"
      "  u: {endpoint: 'https://h', region: r, credentials: {" +
      std::string(keys) + "}}\n");
}

// A route up to where its candidate is to stand.
inline constexpr std::string_view kCandidate =
    "routes:\n"
    "  - name: r\n"
    "    match: {models: [\"*\"]}\n"
    "    primary: {upstream: here}\n";

}  // namespace understudy::routing

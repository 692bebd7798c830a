#include "proxy/spending_file.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "proxy/log.h"
#include "routing/day.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr std::uintmax_t kMaxBytes = 4u << 20;

Spending read(const std::string& text, std::chrono::sys_days day) {
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= 2; };
  const json object = json::parse(text, shallow);
  if (object.at("version").get<int>() != kVersion) throw std::invalid_argument("another version");
  if (object.at("day").get<std::string>() != routing::day_text(day)) return {};
  Spending spending;
  for (const auto& [route, usd] : object.at("usd").items()) {
    const auto amount = usd.get<double>();
    if (!std::isfinite(amount) || amount < 0.0) throw std::invalid_argument("no amount");
    if (spending.size() < SpendingFile::kMaxRoutes) spending.emplace(route, amount);
  }
  return spending;
}

}  // namespace

SpendingFile::SpendingFile(const std::string& state_directory, metrics::StateStore& store)
    : file_(state_directory.empty()
                ? std::filesystem::path()
                : std::filesystem::path(state_directory) / "shadow-spending.json"),
      store_(store) {}

Spending SpendingFile::load(std::chrono::sys_days day) const {
  if (file_.empty()) return {};
  const metrics::StateText stored = store_.read(file_, kMaxBytes);
  std::string problem = stored.problem;
  try {
    if (stored.text) return read(*stored.text, day);
  } catch (const std::exception& failure) {
    problem = failure.what();
  }
  if (problem.empty()) return {};
  store_.set_aside(file_, "damaged");
  log_warn("spending_not_loaded", {{"what", problem}});
  return {};
}

void SpendingFile::save(const Spending& spending, std::chrono::sys_days day) {
  if (file_.empty() || spending == saved_) return;
  const std::string text =
      json{{"version", kVersion}, {"day", routing::day_text(day)}, {"usd", spending}}.dump(1) +
      "\n";
  const std::string problem = store_.write(file_, text);
  if (problem.empty()) {
    saved_ = spending;
  } else {
    log_warn("spending_not_saved", {{"what", problem}});
  }
}

}  // namespace understudy::proxy

#pragma once
// When models begin and end, as dated data. Immutable once built; any thread may ask.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "routing/config.h"

namespace understudy::metrics {

enum class ModelState : std::uint8_t {
  unknown,   // no dates of it are known
  active,    // no legacy date, or before it
  legacy,    // it still answers those who use it
  extended,  // public extended access: dearer
  ended
};
std::string_view label(ModelState state) noexcept;

struct ModelLifecycle {
  routing::ModelDates dates;
  std::string source;   // where the dates are known from; "config" for those of the config
  std::string checked;  // the day on which somebody looked, "2026-11-20"; empty: unknown
};

ModelState state_on(const routing::ModelDates& dates, std::chrono::sys_days day) noexcept;

struct LifecyclesProblem {
  std::string what;  // names the file, the place and what to do
};

class Lifecycles {
 public:
  // By canonical_model().
  using Table = std::map<std::string, ModelLifecycle, std::less<>>;

  // The built-in file, compiled in.
  static std::shared_ptr<const Lifecycles> built_in();
  // A file of the same format that replaces it.
  static std::variant<std::shared_ptr<const Lifecycles>, LifecyclesProblem> from_json(
      std::string_view json, std::string_view file_name);
  // With the config's own dates before the file's.
  std::shared_ptr<const Lifecycles> with(
      const std::map<std::string, routing::ModelDates>& own) const;

  // Null where nothing is known. `model_id` may carry a geo prefix, a version, or be an ARN that
  // names a model.
  const ModelLifecycle* find(std::string_view model_id) const;
  ModelState state(std::string_view model_id, std::chrono::sys_days day) const;
  std::string_view as_of() const noexcept { return as_of_; }
  const Table& all() const noexcept { return table_; }

  Lifecycles(std::string as_of, Table table) noexcept
      : as_of_(std::move(as_of)), table_(std::move(table)) {}

 private:
  std::string as_of_;
  Table table_;
};

}  // namespace understudy::metrics

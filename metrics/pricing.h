#pragma once
// Prices as dated data. Immutable once built; any thread may ask.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "metrics/observation.h"

namespace understudy::metrics {

struct PricesProblem {
  std::string what;  // names the file, the place and what to do
};

// USD for the tokens of each kind.
struct CostParts {
  double input = 0.0;
  double cache_read = 0.0;
  double cache_write = 0.0;
  double output = 0.0;

  double prompt() const noexcept { return input + cache_read + cache_write; }
  double total() const noexcept { return prompt() + output; }
  friend bool operator==(const CostParts&, const CostParts&) = default;
};

class Prices {
 public:
  // The built-in file, compiled in.
  static std::shared_ptr<const Prices> built_in();
  // A file of the same format that replaces it.
  static std::variant<std::shared_ptr<const Prices>, PricesProblem> from_json(
      std::string_view json, std::string_view file_name);

  // For that usage at that day's prices; none where the model has no price or the usage is
  // missing. `model_id` may carry a geo prefix, a version, or be an ARN that names a model.
  std::optional<CostParts> parts(std::string_view model_id, const Usage& usage,
                                 std::chrono::sys_days day) const;
  // USD: their total.
  std::optional<double> cost(std::string_view model_id, const Usage& usage,
                             std::chrono::sys_days day) const;
  bool knows(std::string_view model_id) const;
  std::string_view as_of() const noexcept;  // "2026-11-01", for people

  struct Table;
  explicit Prices(std::shared_ptr<const Table> table) noexcept : table_(std::move(table)) {}

 private:
  std::shared_ptr<const Table> table_;
};

// The key prices and lifecycle data are filed under: the part after the last '/', without geo
// prefix and "-vN(:M)" or "-N:M". A part of `model_id`.
std::string_view canonical_model(std::string_view model_id);

}  // namespace understudy::metrics

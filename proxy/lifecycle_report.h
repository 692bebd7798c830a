#pragma once
// Every model that a config names or that was asked, with its state, its dates and what is to be
// said of it: for `check`, the `lifecycle` command, the admin port and the metrics. Pure functions
// but for load_lifecycles, which reads a file; any thread.

#include <chrono>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "metrics/lifecycle.h"
#include "proxy/model_book.h"
#include "routing/config.h"

namespace understudy::proxy {

struct ModelReport {
  std::string model;               // as configured or asked
  std::vector<std::string> where;  // "routes.sonnet.candidate", "asked on routes.sonnet (primary)"
  metrics::ModelState state = metrics::ModelState::unknown;
  metrics::ModelLifecycle lifecycle{};  // empty where nothing is known
  std::optional<int> days_left{};       // until the end of life; negative afterwards
  std::vector<std::string> remarks{};   // plain words; empty: nothing to say
  bool pressing = false;                // it has ended, or ends within lifecycle.warn_before
  bool seen = false;                    // it was asked
  std::optional<ModelBook::Time> last_success{};
  std::string_view problem{};
  std::optional<metrics::ModelGone> gone{};
};

// Configured models in the order of the config, then those that were only asked.
std::vector<ModelReport> report_models(const routing::Config& config,
                                       const metrics::Lifecycles& lifecycles,
                                       const std::vector<ModelBook::Entry>& seen,
                                       std::chrono::sys_days today);

// {"as_of", "today", "models": [...]}; the field names are an interface.
nlohmann::json describe_models(const std::vector<ModelReport>& models,
                               const metrics::Lifecycles& lifecycles, std::chrono::sys_days today);

// understudy_model_end_of_life_timestamp_seconds{model} and understudy_model_days_left{model}, of
// those whose date is known: labels come from the data and the config. In the exposition's text
// format.
std::string lifecycle_exposition(const std::vector<ModelReport>& models);

// The dates of models that a config names, and what they mean for its routes today.
struct LoadedLifecycles {
  std::shared_ptr<const metrics::Lifecycles> lifecycles{};  // null where they could not be loaded
  std::vector<std::string> problems{};                      // each under its config key
  std::vector<std::string> warnings{};
};
LoadedLifecycles load_lifecycles(const routing::Config& config, std::chrono::sys_days today);

}  // namespace understudy::proxy

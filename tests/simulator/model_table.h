#pragma once
// The models by id, as requests name them. Safe from any thread: readers get an immutable
// copy-on-write Model, and the admin endpoint publishes changed ones.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulator/config.h"

namespace understudy::simulator {

// A model id as Bedrock reads it: out of an ARN, without the geo prefix of an inference profile.
struct ModelReference {
  std::string full;      // as given, decoded
  std::string tail;      // after the last `/`: the id inside an ARN
  std::string base;      // without `us.`, `global.` and their kin
  bool profile = false;  // named by an inference profile or a resource of the account's own
};

ModelReference parse_model_reference(std::string_view decoded_id);

bool glob_match(std::string_view pattern, std::string_view text);

class ModelTable {
 public:
  explicit ModelTable(const std::vector<Model>& models);

  // The model whose ids hold any form of the reference, the earliest in the config first; null when
  // none does.
  std::shared_ptr<const Model> find(const ModelReference& reference) const;
  std::vector<std::shared_ptr<const Model>> all() const;
  // Publishes a changed copy of the model; false when no model has that id.
  bool change(std::string_view id, const std::function<void(Model&)>& edit);

 private:
  std::size_t index_of(const ModelReference& reference) const;

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const Model>> models_;  // guarded by mutex_
};

}  // namespace understudy::simulator

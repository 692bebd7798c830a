#include "tests/simulator/model_table.h"

#include <algorithm>
#include <array>

namespace understudy::simulator {
namespace {

constexpr std::array<std::string_view, 7> kGeoPrefixes{"us.", "eu.",     "apac.",  "jp.",
                                                       "au.", "us-gov.", "global."};

}  // namespace

ModelReference parse_model_reference(std::string_view decoded_id) {
  ModelReference reference;
  reference.full = decoded_id;
  const std::size_t slash = decoded_id.rfind('/');
  std::string_view tail =
      slash == std::string_view::npos ? decoded_id : decoded_id.substr(slash + 1);
  reference.tail = tail;
  const bool arn = decoded_id.starts_with("arn:");
  reference.profile = arn && decoded_id.find(":foundation-model/") == std::string_view::npos;
  for (const std::string_view prefix : kGeoPrefixes) {
    if (!tail.starts_with(prefix)) continue;
    tail.remove_prefix(prefix.size());
    reference.profile = true;
    break;
  }
  reference.base = tail;
  return reference;
}

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

ModelTable::ModelTable(const std::vector<Model>& models) {
  for (const Model& model : models) models_.push_back(std::make_shared<const Model>(model));
}

std::size_t ModelTable::index_of(const ModelReference& reference) const {
  for (std::size_t i = 0; i < models_.size(); ++i) {
    for (const std::string& id : models_[i]->ids) {
      if (glob_match(id, reference.full) || glob_match(id, reference.tail) ||
          glob_match(id, reference.base))
        return i;
    }
  }
  return models_.size();
}

std::shared_ptr<const Model> ModelTable::find(const ModelReference& reference) const {
  const std::lock_guard lock{mutex_};
  const std::size_t index = index_of(reference);
  return index < models_.size() ? models_[index] : nullptr;
}

std::vector<std::shared_ptr<const Model>> ModelTable::all() const {
  const std::lock_guard lock{mutex_};
  return models_;
}

bool ModelTable::change(std::string_view id, const std::function<void(Model&)>& edit) {
  const std::lock_guard lock{mutex_};
  std::size_t index = index_of(parse_model_reference(id));
  for (std::size_t i = 0; i < models_.size(); ++i) {
    if (models_[i]->ids.front() == id) index = i;  // a model that is known by its glob
  }
  if (index == models_.size()) return false;
  auto changed = std::make_shared<Model>(*models_[index]);
  edit(*changed);
  models_[index] = std::move(changed);
  return true;
}

}  // namespace understudy::simulator

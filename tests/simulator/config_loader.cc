#include "tests/simulator/config_loader.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <set>
#include <sstream>
#include <utility>

#include "tests/simulator/model_settings.h"

namespace understudy::simulator {
namespace {

template <class Value>
using Names = std::initializer_list<std::pair<std::string_view, Value>>;

class Loader {
 public:
  explicit Loader(std::string file_name) : file_name_(std::move(file_name)) {}

  LoadResult load(const YAML::Node& root) {
    object(root, "",
           [this](const std::string& key, const YAML::Node& value, const std::string& path) {
             return read_top(key, value, path);
           });
    if (result_.problems.empty() && result_.config.models.empty()) {
      fail(root, "models", "at least one model is needed");
    }
    return std::move(result_);
  }

 private:
  using Member =
      std::function<bool(const std::string& key, const YAML::Node& value, const std::string& path)>;

  void fail(const YAML::Node& node, const std::string& path, const std::string& what) {
    const YAML::Mark mark = node.Mark();
    result_.problems.push_back(file_name_ + ":" + std::to_string(mark.line + 1) + ":" +
                               std::to_string(mark.column + 1) + ": " +
                               (path.empty() ? "" : path + ": ") + what);
  }

  // Calls `member` for each key; what it does not know is a problem, and so is a key that comes
  // twice.
  void object(const YAML::Node& node, const std::string& path, const Member& member) {
    if (!node.IsMap()) return fail(node, path, "must be a mapping");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.Scalar();
      const std::string inner = path.empty() ? key : path + "." + key;
      if (!seen.insert(key).second) fail(entry.first, inner, "is given twice");
      if (!member(key, entry.second, inner)) fail(entry.first, inner, "unknown key");
    }
  }

  bool text(const YAML::Node& node, const std::string& path, std::string& out) {
    if (!node.IsScalar()) fail(node, path, "must be a text");
    if (node.IsScalar()) out = node.Scalar();
    return true;
  }

  bool texts(const YAML::Node& node, const std::string& path, std::vector<std::string>& out) {
    out.clear();
    if (!node.IsSequence()) {
      fail(node, path, "must be a list");
      return true;
    }
    for (const YAML::Node& item : node) text(item, path, out.emplace_back());
    return true;
  }

  bool flag(const YAML::Node& node, const std::string& path, bool& out) {
    const std::string value = node.IsScalar() ? node.Scalar() : "";
    if (value != "true" && value != "false")
      fail(node, path, "must be true or false, got '" + value + "'");
    out = value == "true";
    return true;
  }

  bool number(const YAML::Node& node, const std::string& path, double low, double high,
              double& out) {
    const std::string value = node.IsScalar() ? node.Scalar() : "";
    double parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    const bool whole = error == std::errc{} && end == value.data() + value.size() && !value.empty();
    if (!whole || !std::isfinite(parsed) || parsed < low || parsed > high) {
      std::ostringstream range;
      range << "must be a number from " << low << " to " << high << ", got '" << value << "'";
      fail(node, path, range.str());
    } else {
      out = parsed;
    }
    return true;
  }

  template <class Integer>
  bool integer(const YAML::Node& node, const std::string& path, std::uint64_t low,
               std::uint64_t high, Integer& out) {
    const std::string value = node.IsScalar() ? node.Scalar() : "";
    std::uint64_t parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    const bool whole = error == std::errc{} && end == value.data() + value.size() && !value.empty();
    if (!whole || parsed < low || parsed > high) {
      fail(node, path,
           "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high) +
               ", got '" + value + "'");
    } else {
      out = static_cast<Integer>(parsed);
    }
    return true;
  }

  template <class Value>
  bool one_of(const YAML::Node& node, const std::string& path, Names<Value> names, Value& out) {
    const std::string value = node.IsScalar() ? node.Scalar() : "";
    std::string known;
    for (const auto& [name, meaning] : names) {
      if (name == value) {
        out = meaning;
        return true;
      }
      known.append(known.empty() ? "" : ", ").append(name);
    }
    fail(node, path, "must be one of " + known + ", got '" + value + "'");
    return true;
  }

  template <class Settings, class Owner>
  bool setting(const Settings& settings, const std::string& key, const YAML::Node& node,
               const std::string& path, Owner& owner) {
    for (const auto& known : settings) {
      if (known.name == key) return number(node, path, 0, 100, owner.*(known.member));
    }
    return false;
  }

  bool read_top(const std::string& key, const YAML::Node& node, const std::string& path) {
    Config& config = result_.config;
    if (key == "listen") return read_listen(node, path);
    if (key == "threads") return integer(node, path, 1, 256, config.threads);
    if (key == "seed") return integer(node, path, 0, UINT64_MAX, config.seed);
    if (key == "deterministic") return flag(node, path, config.deterministic);
    if (key == "account") return text(node, path, config.account);
    if (key == "max_body_bytes")
      return integer(node, path, 0, std::uint64_t{1} << 32, config.max_body_bytes);
    if (key == "log") {
      object(node, path, [&](const std::string& k, const YAML::Node& value, const std::string& p) {
        if (k == "requests") return integer(value, p, 0, 1'000'000, config.log_requests);
        if (k == "bodies") return flag(value, p, config.log_bodies);
        return false;
      });
      return true;
    }
    if (key == "auth") return read_auth(node, path);
    if (key == "quotas") return read_quotas(node, path);
    if (key == "quotas_a_page") return integer(node, path, 1, 100, config.quotas_a_page);
    if (key != "models") return false;
    if (!node.IsSequence()) {
      fail(node, path, "must be a list");
      return true;
    }
    for (std::size_t i = 0; i < node.size(); ++i)
      read_model(node[i], path + "[" + std::to_string(i) + "]");
    return true;
  }

  bool read_quotas(const YAML::Node& node, const std::string& path) {
    if (!node.IsSequence()) {
      fail(node, path, "must be a list");
      return true;
    }
    for (std::size_t i = 0; i < node.size(); ++i) {
      Quota& quota = result_.config.quotas.emplace_back();
      object(node[i], path + "[" + std::to_string(i) + "]",
             [&](const std::string& key, const YAML::Node& value, const std::string& p) {
               if (key == "name") return text(value, p, quota.name);
               if (key == "value") return number(value, p, 0, 1e12, quota.value);
               return false;
             });
    }
    return true;
  }

  bool read_listen(const YAML::Node& node, const std::string& path) {
    const std::string value = node.IsScalar() ? node.Scalar() : "";
    const std::size_t colon = value.rfind(':');
    unsigned port = 0;
    const char* end = value.data() + value.size();
    const bool good = colon != std::string::npos && colon > 0 &&
                      std::from_chars(value.data() + colon + 1, end, port).ptr == end &&
                      port <= 65535;
    if (!good) {
      fail(node, path, "must be ADDRESS:PORT, got '" + value + "'");
      return true;
    }
    result_.config.address = value.substr(0, colon);
    result_.config.port = static_cast<std::uint16_t>(port);
    return true;
  }

  bool read_auth(const YAML::Node& node, const std::string& path) {
    Auth& auth = result_.config.auth;
    const Names<AuthMode> modes{{"none", AuthMode::none},
                                {"sigv4", AuthMode::sigv4},
                                {"bearer", AuthMode::bearer},
                                {"any", AuthMode::any}};
    if (node.IsScalar()) return one_of(node, path, modes, auth.mode);
    object(node, path, [&](const std::string& key, const YAML::Node& value, const std::string& p) {
      if (key == "mode") return one_of(value, p, modes, auth.mode);
      if (key == "region") return text(value, p, auth.region);
      if (key == "service") return text(value, p, auth.service);
      if (key == "more_services") return texts(value, p, auth.more_services);
      if (key == "bearer_tokens") return texts(value, p, auth.bearer_tokens);
      if (key == "expired_bearer_tokens") return texts(value, p, auth.expired_bearer_tokens);
      if (key != "keys") return false;
      if (!value.IsSequence()) fail(value, p, "must be a list");
      for (std::size_t i = 0; value.IsSequence() && i < value.size(); ++i) {
        read_key(value[i], p + "[" + std::to_string(i) + "]");
      }
      return true;
    });
    return true;
  }

  void read_key(const YAML::Node& node, const std::string& path) {
    AccessKey key;
    object(node, path, [&](const std::string& k, const YAML::Node& value, const std::string& p) {
      if (k == "access_key_id") return text(value, p, key.id);
      if (k == "secret_access_key") return text(value, p, key.secret);
      if (k == "session_token") return text(value, p, key.session_token);
      if (k == "expired") return flag(value, p, key.expired);
      return false;
    });
    if (key.id.empty() || key.secret.empty())
      fail(node, path, "access_key_id and secret_access_key are needed");
    result_.config.auth.keys.push_back(std::move(key));
  }

  void read_model(const YAML::Node& node, const std::string& path) {
    Model model;
    object(node, path, [&](const std::string& key, const YAML::Node& value, const std::string& p) {
      return read_identity(key, value, p, model) || read_behaviour(key, value, p, model);
    });
    if (model.ids.empty()) {
      fail(node, path, "id or ids is needed");
      return;
    }
    if (model.name.empty()) model.name = model.ids.front();
    if (model.provider.empty())
      model.provider = model.ids.front().substr(0, model.ids.front().find('.'));
    if (model.answer.min_tokens > model.answer.max_tokens)
      fail(node, path, "answer.tokens: min is above max");
    result_.config.models.push_back(std::move(model));
  }

  bool read_identity(const std::string& key, const YAML::Node& node, const std::string& path,
                     Model& model) {
    if (key == "id") return text(node, path, model.ids.emplace_back());
    if (key == "ids") return texts(node, path, model.ids);
    if (key == "name") return text(node, path, model.name);
    if (key == "provider") return text(node, path, model.provider);
    if (key == "inference_profile_only") return flag(node, path, model.inference_profile_only);
    if (key == "profiles") return texts(node, path, model.profiles);
    if (key == "legacy_time") return text(node, path, model.legacy_time);
    if (key == "end_of_life_time") return text(node, path, model.end_of_life_time);
    if (key == "family") {
      return one_of(node, path,
                    Names<Family>{{"anthropic", Family::anthropic},
                                  {"nova", Family::nova},
                                  {"llama", Family::llama},
                                  {"mistral", Family::mistral},
                                  {"titan", Family::titan},
                                  {"echo", Family::echo}},
                    model.family);
    }
    if (key != "lifecycle") return false;
    return one_of(node, path,
                  Names<Lifecycle>{{"active", Lifecycle::active},
                                   {"legacy", Lifecycle::legacy},
                                   {"legacy_inactive", Lifecycle::legacy_inactive},
                                   {"end_of_life", Lifecycle::end_of_life}},
                  model.lifecycle);
  }

  bool read_behaviour(const std::string& key, const YAML::Node& node, const std::string& path,
                      Model& model) {
    if (key == "max_output_tokens")
      return integer(node, path, 1, 10'000'000, model.max_output_tokens);
    if (key == "context_tokens") return integer(node, path, 1, 1'000'000'000, model.context_tokens);
    if (key == "tokenizer_factor") return number(node, path, 0.1, 10, model.tokenizer_factor);
    if (key == "reject_parameters") return read_rejections(node, path, model.rejects);
    if (key == "latency") {
      object(node, path, [&](const std::string& k, const YAML::Node& value, const std::string& p) {
        if (k == "first_token_ms") return read_latency(value, p, model.first_token_ms);
        if (k == "per_token_ms") return read_latency(value, p, model.per_token_ms);
        return false;
      });
      return true;
    }
    if (key == "errors") {
      object(node, path, [&](const std::string& k, const YAML::Node& value, const std::string& p) {
        return setting(kErrorSettings, k, value, p, model.errors);
      });
      return true;
    }
    if (key == "answer") {
      object(node, path, [&](const std::string& k, const YAML::Node& value, const std::string& p) {
        return read_answer(k, value, p, model.answer);
      });
      return true;
    }
    if (key != "fault") return false;
    const auto fault = parse_fault(node.IsScalar() ? node.Scalar() : "");
    if (!fault) fail(node, path, "must be one of " + std::string{fault_names()});
    model.fault = fault.value_or(Fault{});
    return true;
  }

  bool read_answer(const std::string& key, const YAML::Node& node, const std::string& path,
                   AnswerStyle& style) {
    if (key == "verbosity") return number(node, path, 0.01, 1000, style.verbosity);
    if (key == "kind") {
      return one_of(node, path,
                    Names<AnswerKind>{{"text", AnswerKind::text},
                                      {"json", AnswerKind::json},
                                      {"tools", AnswerKind::tools},
                                      {"mixed", AnswerKind::mixed}},
                    style.kind);
    }
    if (key != "tokens") return setting(kStyleSettings, key, node, path, style);
    constexpr std::uint64_t kMost = 1'000'000;
    if (node.IsScalar()) {
      integer(node, path, 1, kMost, style.min_tokens);
      style.max_tokens = style.min_tokens;
      return true;
    }
    object(node, path, [&](const std::string& k, const YAML::Node& value, const std::string& p) {
      if (k == "min") return integer(value, p, 1, kMost, style.min_tokens);
      if (k == "max") return integer(value, p, 1, kMost, style.max_tokens);
      return false;
    });
    return true;
  }

  bool read_latency(const YAML::Node& node, const std::string& path, Latency& latency) {
    constexpr double kHour = 3.6e6;
    if (node.IsScalar()) return number(node, path, 0, kHour, latency.median);
    object(node, path, [&](const std::string& key, const YAML::Node& value, const std::string& p) {
      if (key == "median") return number(value, p, 0, kHour, latency.median);
      if (key == "sigma") return number(value, p, 0, 5, latency.sigma);
      return false;
    });
    return true;
  }

  bool read_rejections(const YAML::Node& node, const std::string& path, Rejections& rejects) {
    std::vector<std::string> names;
    texts(node, path, names);
    for (const std::string& name : names) {
      bool known = false;
      for (const RejectionSetting& setting : kRejectionSettings) {
        if (setting.name != name) continue;
        rejects.*(setting.member) = true;
        known = true;
      }
      if (!known) fail(node, path, "unknown parameter '" + name + "'");
    }
    return true;
  }

  const std::string file_name_;
  LoadResult result_;
};

}  // namespace

LoadResult load_config(std::string_view yaml, const std::string& file_name) {
  try {
    const YAML::Node root = YAML::Load(std::string{yaml});
    return Loader{file_name}.load(root);
  } catch (const YAML::Exception& problem) {
    return {.config = {},
            .problems = {file_name + ":" + std::to_string(problem.mark.line + 1) + ":" +
                         std::to_string(problem.mark.column + 1) + ": " + problem.msg}};
  }
}

LoadResult load_config_file(const std::string& path) {
  const LoadResult unreadable{.config = {}, .problems = {path + ": cannot be read"}};
  try {
    std::ifstream file{path};
    if (!file) return unreadable;
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    return load_config(text, path);
  } catch (const std::ios_base::failure&) {  // a directory opens, and fails when read
    return unreadable;
  }
}

}  // namespace understudy::simulator

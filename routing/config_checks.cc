// What no section of the config sees alone.

#include <algorithm>

#include "routing/config_sections.h"
#include "routing/fields.h"
#include "routing/glob.h"
#include "routing/model_id.h"

namespace understudy::routing {
namespace {

// A way into the tree that remembers its path and stays at the last node that exists.
struct Spot {
  const ConfigNode* node;
  std::string path;

  Spot at(std::string_view key) const {
    const ConfigMember* member = node->find(key);
    return {member == nullptr ? node : &member->value,
            path.empty() ? std::string(key) : path + '.' + std::string(key)};
  }
  Spot at(std::size_t index) const {
    return {index < node->items.size() ? &node->items[index] : node,
            path + '[' + std::to_string(index) + ']'};
  }
};

class Checker {
 public:
  Checker(const Config& config, const ConfigNode& root, Problems& problems)
      : config_(config), root_{&root, ""}, problems_(problems) {}

  void run() {
    check_something_is_served();
    check_addresses();
    check_loops();
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      check_name(i);
      check_reachable(i);
      check_candidate(i);
      check_models(i);
      check_end_of_life(i);
    }
  }

 private:
  Spot route_spot(std::size_t i) const { return root_.at("routes").at(i); }
  void error(const Spot& spot, std::string what) {
    problems_.add(spot.node->place, spot.path, std::move(what));
  }
  void warn(const Spot& spot, std::string what) {
    problems_.warn(spot.node->place, spot.path, std::move(what));
  }

  void check_something_is_served() {
    if (root_.node->find("routes") == nullptr && root_.node->find("default_route") == nullptr) {
      error(root_.at("routes"), "is missing, and default_route too: no request could be served");
    }
  }

  void check_addresses() {
    const auto& listeners = config_.listeners;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      const Spot spot = root_.at("listeners").at(i).at("address");
      const auto same = [&](const Address& other) {
        return other.port != 0 && other == listeners[i].address;
      };
      for (std::size_t j = 0; j < i; ++j) {
        if (same(listeners[j].address)) {
          error(spot, "is the address of listeners[" + std::to_string(j) + "] too");
        }
      }
      if (same(config_.admin.address)) error(spot, "is the admin address too");
      if (config_.admin.read_only && same(config_.admin.read_only->address))
        error(spot, "is the address of admin.read_only too");
    }
  }

  // A request to ourselves would be routed to ourselves again.
  void check_loops() {
    for (const UpstreamConfig& upstream : config_.upstreams) {
      const Spot spot = root_.at("upstreams").at(upstream.name);
      if (is_ours(upstream.endpoint)) error(spot.at("endpoint"), kLoop);
      if (is_ours(upstream.control_endpoint) && spot.node->find("control_endpoint") != nullptr) {
        error(spot.at("control_endpoint"), kLoop);
      }
    }
  }

  bool is_ours(const Endpoint& endpoint) const {
    return std::ranges::any_of(config_.listeners, [&](const ListenerConfig& listener) {
      const Address& own = listener.address;
      if (own.port == 0 || own.port != endpoint.port) return false;
      const bool is_name = endpoint.host == "localhost";
      return endpoint.host == own.host || endpoint.host == '[' + own.host + ']' ||
             (is_name && is_loopback(own.host)) ||
             (is_unspecified(own.host) && is_loopback(endpoint.host));
    });
  }

  void check_name(std::size_t i) {
    const std::string& name = config_.routes[i].name;
    if (name == "default" || name == "none") {
      error(route_spot(i).at("name"),
            "is what requests that no route takes are counted under: choose another one");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (!name.empty() && config_.routes[j].name == name) {
        error(route_spot(i).at("name"), "is the name of routes[" + std::to_string(j) + "] too");
        return;
      }
    }
  }

  void check_reachable(std::size_t i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!covers(config_.routes[j].match, config_.routes[i].match)) continue;
      warn(route_spot(i),
           "can never match: routes[" + std::to_string(j) + "] before it takes all that it would");
      return;
    }
  }

  // True where every request that `later` matches is surely matched by `earlier`.
  static bool covers(const MatchConfig& earlier, const MatchConfig& later) {
    const auto has_operation = [&](Operation operation) {
      return std::ranges::find(earlier.operations, operation) != earlier.operations.end();
    };
    const auto has_header = [&](const HeaderMatch& wanted) {
      return std::ranges::any_of(later.headers, [&](const HeaderMatch& header) {
        return equals_ignoring_case(header.name, wanted.name) && header.value == wanted.value;
      });
    };
    // A glob that matches another glob's text, stars and all, matches whatever that one matches.
    const auto has_model = [&](const std::string& model) {
      return std::ranges::any_of(
          earlier.models, [&](const std::string& glob) { return Glob(glob).matches(model); });
    };
    const bool operations =
        earlier.operations.empty() ||
        (!later.operations.empty() && std::ranges::all_of(later.operations, has_operation));
    const bool models = earlier.models.empty() ||
                        (!later.models.empty() && std::ranges::all_of(later.models, has_model));
    const auto has_path = [&](const std::string& path) {
      return std::ranges::any_of(earlier.paths,
                                 [&](const std::string& glob) { return Glob(glob).matches(path); });
    };
    const bool paths = earlier.paths.empty() ||
                       (!later.paths.empty() && std::ranges::all_of(later.paths, has_path));
    const bool callers = earlier.callers.empty() || earlier.callers == later.callers;
    return operations && models && paths && callers &&
           std::ranges::all_of(earlier.headers, has_header);
  }

  void check_candidate(std::size_t i) {
    const RouteConfig& route = config_.routes[i];
    const Spot spot = route_spot(i);
    if (!route.candidate) {
      if (spot.node->find("candidate") != nullptr) return;  // refused already
      const char* needs = "needs a candidate";
      if (route.shadow.percent > Percent{}) error(spot.at("shadow").at("percent"), needs);
      if (route.canary.percent > Percent{}) error(spot.at("canary").at("percent"), needs);
      if (!route.canary.stages.empty()) error(spot.at("canary").at("stages"), needs);
      return;
    }
    const VariantConfig& candidate = *route.candidate;
    const bool same_model = candidate.model.empty() || candidate.model == route.primary.model;
    const ConfigNode& written = *spot.at("candidate").node;
    const bool was_refused = written.kind != ConfigNode::Kind::map ||
                             (candidate.model.empty() && written.find("model") != nullptr);
    if (candidate.upstream == route.primary.upstream && same_model && !was_refused &&
        spot.at("candidate").node->find("rewrite") == nullptr) {
      warn(spot.at("candidate"), "is the primary once more: there is nothing to compare");
    }
    if (candidate.upstream < config_.upstreams.size() &&
        config_.upstreams[candidate.upstream].credentials.source ==
            CredentialsConfig::Source::forward_bearer) {
      error(spot.at("candidate").at("upstream"),
            "forwards the client's bearer token, which a candidate never gets to see: name an "
            "upstream with credentials of its own");
    }
    if (!route.canary.stages.empty()) check_evidence(spot, route);
    if (invokes(route.match) && speaks_other_body(route)) {
      warn(spot.at("candidate").at("model"),
           "takes another InvokeModel body than the models of this route: such requests are "
           "skipped (body_format); Converse is not concerned");
    }
  }

  // Stages begin where every gate is shown to be safe.
  void check_evidence(const Spot& spot, const RouteConfig& route) {
    const Spot stages = spot.at("canary").at("stages");
    if (route.shadow.percent == Percent{})
      return warn(
          stages,
          "cannot begin by themselves: without copies (shadow.percent) there is no evidence");
    if (route.shadow.control != ControlShare{}) return;
    std::string gates;
    for (std::size_t gate = 0; gate < kGates.size(); ++gate) {
      if (!route.verdict.gates[gate] || !needs_control(kGates[gate])) continue;
      gates.append(gates.empty() ? "" : ", ").append(kGates[gate].signal);
    }
    if (!gates.empty())
      warn(stages,
           "cannot begin by themselves: " + gates +
               " are judged only beside control legs: set shadow.control_percent (auto), or "
               "those verdict.gates to off");
  }

  void check_models(std::size_t i) {
    const RouteConfig& route = config_.routes[i];
    check_region_of_model(route_spot(i).at("primary"), route.primary);
    if (route.candidate) check_region_of_model(route_spot(i).at("candidate"), *route.candidate);
  }

  // A model by its ARN lives in one region.
  void check_region_of_model(const Spot& variant, const VariantConfig& config) {
    const std::string_view model = config.model;
    if (!model.starts_with("arn:") || config.upstream >= config_.upstreams.size()) return;
    std::size_t begin = 0;
    for (int colons = 0; colons < 3 && begin != model.npos; ++colons)
      begin = model.find(':', begin) == model.npos ? model.npos : model.find(':', begin) + 1;
    if (begin == model.npos) return;
    const std::string_view region = model.substr(begin, model.substr(begin).find(':'));
    const UpstreamConfig& upstream = config_.upstreams[config.upstream];
    if (region.empty() || upstream.region.empty() || region == upstream.region) return;
    warn(variant.at("model"), "lies in " + shown(region) + ", and the upstream " + upstream.name +
                                  " in " + upstream.region);
  }

  void check_end_of_life(std::size_t i) {
    const RouteConfig& route = config_.routes[i];
    const Spot spot = route_spot(i);
    const bool serves = route.on_end_of_life == EndOfLifeAction::serve_candidate;
    if (serves && !route.candidate && spot.node->find("candidate") == nullptr)
      error(spot.at("on_end_of_life"), "needs a candidate");
    if (route.drill > Percent{} && !serves)
      error(spot.at("drill"), "plays what on_end_of_life: serve_candidate does: say that, too");
  }

  static bool invokes(const MatchConfig& match) {
    return match.operations.empty() ||
           std::ranges::any_of(match.operations, [](Operation operation) {
             return operation == Operation::invoke_model ||
                    operation == Operation::invoke_model_with_response_stream;
           });
  }

  static bool speaks_other_body(const RouteConfig& route) {
    const std::string& candidate = route.candidate->model;
    if (differ_in_body_format(route.primary.model, candidate)) return true;
    return std::ranges::any_of(route.match.models, [&](std::string_view glob) {
      if (glob.starts_with("*.")) glob.remove_prefix(2);  // any geography
      const std::string_view format = body_format(glob);
      return format.find('*') == format.npos && differ_in_body_format(glob, candidate);
    });
  }

  static constexpr const char* kLoop =
      "is one of our own listeners: requests would come back for ever";

  const Config& config_;
  Spot root_;
  Problems& problems_;
};

}  // namespace

void check_config(const Config& config, const ConfigNode& root, Problems& problems) {
  Checker(config, root, problems).run();
}

}  // namespace understudy::routing

// `understudy lifecycle`: every model in use with its state and its dates.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "proxy/commands/admin_client.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/text_table.h"
#include "proxy/lifecycle_report.h"
#include "routing/config_loader.h"
#include "routing/day.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 16;

// What the config names, judged here and now.
Result<json> configured(const std::string& file, std::ostream& err, bool& bad_config) {
  const routing::LoadedConfig loaded = routing::load_config_file(file);
  for (const auto& problem : loaded.problems) {
    if (!problem.warning) err << problem.to_string() << "\n";
  }
  bad_config = true;
  if (!loaded.config)
    return Error{ErrorKind::bad_message, Side::internal, file + ": this config is not in order"};
  const auto day = routing::today();
  const LoadedLifecycles dates = load_lifecycles(*loaded.config, day);
  for (const std::string& problem : dates.problems) err << file << ": " << problem << "\n";
  if (!dates.lifecycles)
    return Error{ErrorKind::bad_message, Side::internal, file + ": there are no dates"};
  bad_config = false;
  return describe_models(report_models(*loaded.config, *dates.lifecycles, {}, day),
                         *dates.lifecycles, day);
}

// What a running proxy says, which was asked for models that no config names.
Result<json> running(const Options& options, const std::string& url) {
  const auto body = get_from_admin(options, url, "/api/lifecycle");
  if (!body) return body.error();
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; };
  json answer = json::parse(*body, shallow, false);
  const bool fit =
      answer.is_object() && answer.contains("models") && answer["models"].is_array() &&
      std::ranges::all_of(answer["models"], [](const json& model) {
        return model.is_object() && model.contains("model") && model["model"].is_string();
      });
  if (!fit)
    return Error{ErrorKind::bad_message, Side::upstream, url + ": what it answers is no lifecycle"};
  return answer;
}

std::string text_or_dash(const json& model, const char* key) {
  const auto found = model.find(key);
  if (found == model.end() || found->is_null()) return "-";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

// A running proxy knows more of a model than its config says where it asked it, or where its dates
// come from somewhere else: the control plane. What the config itself says stands above that.
bool knows_more(const json& of_proxy, const json& of_config) {
  if (of_proxy.value("seen", false)) return true;
  const auto source = [](const json& model) { return text_or_dash(model, "source"); };
  return source(of_proxy) != "-" && source(of_proxy) != source(of_config) &&
         source(of_config) != "config";
}

json merged(json of_config, const json& of_proxy) {
  for (const json& model : of_proxy["models"]) {
    auto& all = of_config["models"];
    const auto same = std::ranges::find_if(
        all, [&](const json& known) { return known["model"] == model["model"]; });
    if (same == all.end()) {
      if (model.value("seen", false)) all.push_back(model);
    } else if (knows_more(model, *same)) {
      *same = model;
    }
  }
  return of_config;
}

void print(const json& report, std::ostream& out) {
  std::vector<TableRow> rows{
      {"MODEL", "STATE", "LEGACY", "EXTENDED", "END OF LIFE", "DAYS LEFT", "REPLACEMENT"}};
  for (const json& model : report["models"]) {
    rows.push_back({model["model"].get<std::string>(), text_or_dash(model, "state"),
                    text_or_dash(model, "legacy"), text_or_dash(model, "extended_access"),
                    text_or_dash(model, "end_of_life"), text_or_dash(model, "days_left"),
                    text_or_dash(model, "replacement")});
  }
  print_table(rows, out);
  out << "\n";
  for (const json& model : report["models"]) {
    const std::string name = printable(model["model"].get<std::string>());
    for (const json& remark : model.value("remarks", json::array()))
      out << name << " " << printable(remark.get<std::string>()) << "\n";
    if (text_or_dash(model, "gone") != "-")
      out << name << " is gone, says its upstream (" << printable(text_or_dash(model, "gone"))
          << ")\n";
  }
  out << "Dates as of " << printable(text_or_dash(report, "as_of")) << ", states of "
      << text_or_dash(report, "today") << ".\n";
}

bool is_pressing(const json& model) {
  return model.value("pressing", false) || text_or_dash(model, "gone") != "-";
}

int lifecycle(const Options& options, std::ostream& out, std::ostream& err) {
  bool bad_config = false;
  Result<json> report = configured(options.values.at("config"), err, bad_config);
  if (bad_config) return kExitBadConfig;
  if (const std::string url = option(options, "admin"); report && !url.empty()) {
    const Result<json> of_proxy = running(options, url);
    if (!of_proxy) {
      err << "understudy: " << of_proxy.error().context << "\n";
      return kExitNotKnown;
    }
    report = merged(*report, *of_proxy);
  }
  if (options.values.contains("json")) {
    // In ASCII: a model's name may come from any client, and this may go to a terminal.
    out << report->dump(2, ' ', true, json::error_handler_t::replace) << "\n";
  } else {
    print(*report, out);
  }
  return std::ranges::any_of((*report)["models"], is_pressing) ? kExitNegative : kExitGood;
}

}  // namespace

Command lifecycle_command() {
  return {
      .name = "lifecycle",
      .summary = "list the models in use with their states and dates",
      .description =
          "Lists every model that the config names, or that one of its patterns takes and is no "
          "longer young, and with\n"
          "--admin those that a running proxy was asked for: state (active, legacy, extended, "
          "ended, unknown), dates and\n"
          "days left. Dates are built in; lifecycle.file and lifecycle.models go before them.\n"
          "Exit status 0: nothing presses; 1: a model has ended, ends within lifecycle.warn_before "
          "or is gone; 3: the\n"
          "proxy cannot be asked; 78: bad config.",
      .example = "  understudy lifecycle --config config.yaml --admin http://127.0.0.1:9901",
      .options = with_access_options(
          {{.name = "config",
            .value = "FILE",
            .help = "the config whose models are listed",
            .required = true},
           {.name = "admin", .value = "URL", .help = "admin port of a running proxy"},
           {.name = "json", .value = "", .help = "print what /api/lifecycle answers"}}),
      .run = lifecycle};
}

}  // namespace understudy::proxy

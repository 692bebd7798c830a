// `understudy rollback`, `pause`, `resume` and `promote`: one order to every proxy of a fleet.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "proxy/commands/admin_client.h"
#include "proxy/commands/commands.h"
#include "routing/config_values.h"
#include "routing/rollout.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using routing::RolloutOrder;

constexpr int kMaxDepth = 32;

// What the proxy says, in its own words where it has any.
std::string text_of(const AdminAnswer& answer) {
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; };
  const json parsed = json::parse(answer.body, shallow, false);
  if (parsed.is_object()) {
    for (const char* key : {"text", "error"}) {
      if (parsed.contains(key) && parsed[key].is_string()) return parsed[key];
    }
  }
  return "it answered " + std::to_string(answer.status);
}

class Fleet {
 public:
  Fleet(const Options& options, RolloutOrder order, std::ostream& out, std::ostream& err)
      : options_(options),
        target_("/api/routes/" + option(options, "route") + "/" + std::string(label(order))),
        out_(out),
        err_(err) {}

  // Every address behind the URL's name is a proxy of its own.
  void tell(const std::string& url) {
    AdminAccess access = access_to(options_, url);
    const auto addresses = admin_addresses(access);
    if (!addresses) return not_reached(url, addresses.error().context);
    for (const std::string& address : *addresses) {
      access.address = address;
      tell_one(access, addresses->size() > 1 ? url + " (" + address + ")" : url);
    }
  }

  // Whoever was not reached may still do what it did: that outweighs a refusal.
  int exit_status() const {
    if (not_reached_ > 0) return kExitNotKnown;
    return refused_ > 0 ? kExitNegative : kExitGood;
  }

 private:
  void tell_one(const AdminAccess& access, const std::string& name) {
    const auto answer = ask_admin(access, "POST", target_);
    if (!answer) return not_reached(name, answer.error().context);
    if (answer->status == 200) {
      out_ << name << ": " << text_of(*answer) << "\n";
      return;
    }
    ++refused_;
    err_ << name << ": refused: " << text_of(*answer) << "\n";
  }

  void not_reached(const std::string& name, const std::string& why) {
    ++not_reached_;
    err_ << name << ": NOT REACHED: " << why << "\n";
  }

  const Options& options_;
  const std::string target_;
  std::ostream& out_;
  std::ostream& err_;
  int refused_ = 0, not_reached_ = 0;
};

std::vector<std::string> urls_of(const Options& options) {
  std::vector<std::string> urls;
  std::string_view rest = options.values.at("admin");
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    if (comma > 0) urls.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return urls;
}

template <RolloutOrder kOrder>
int run(const Options& options, std::ostream& out, std::ostream& err) {
  const std::vector<std::string> urls = urls_of(options);
  if (urls.empty()) {
    // An empty variable in a script, most likely: nobody was told anything.
    err << "understudy " << label(kOrder) << ": --admin names no address: nobody was told\n";
    return kExitUsage;
  }
  // Where one of several is mistyped, the others are told nevertheless: it counts as not reached.
  const auto is_address = [](const std::string& url) {
    return routing::parse_endpoint(url).value.has_value();
  };
  if (std::ranges::none_of(urls, is_address)) {
    err << "understudy " << label(kOrder)
        << ": --admin wants an address like http://127.0.0.1:9901: nobody was told\n";
    return kExitUsage;
  }
  Fleet fleet(options, kOrder, out, err);
  for (const std::string& url : urls) fleet.tell(url);
  return fleet.exit_status();
}

Command command(RolloutOrder order, std::string_view summary, std::string_view description,
                std::string_view example,
                int (*run)(const Options&, std::ostream&, std::ostream&)) {
  return {.name = label(order),
          .summary = summary,
          .description = description,
          .example = example,
          .options = with_access_options(
              {{.name = "route",
                .value = "ROUTE",
                .help = "the route's name in the config",
                .required = true,
                .positional = true},
               {.name = "admin",
                .value = "URL[,URL]",
                .help = "admin ports; may be given several times; a name with several "
                        "addresses means all of them",
                .required = true,
                .repeated = true}}),
          .run = run};
}

}  // namespace

Command rollback_command() {
  return command(
      RolloutOrder::rollback, "take a route's candidate off the stage, at once",
      "Sets the share that the candidate serves to 0 in every thread of every proxy named: "
      "requests that begin after the\n"
      "answer are the primary's, those under way finish. It stays so through reloads and restarts, "
      "until `resume`, or\n"
      "until the route's canary section changes. Exit status 0: all of them did; 3: one could not "
      "be "
      "reached, and may still\n"
      "serve by the candidate; 1: all were reached and one refused (no such route).",
      "  understudy rollback sonnet --admin http://127.0.0.1:9901\n"
      "  understudy rollback sonnet --admin https://understudy.internal:9901 --token-file token",
      run<RolloutOrder::rollback>);
}

Command pause_command() {
  return command(RolloutOrder::pause, "keep a rollout at its stage",
                 "The share stays as it is and no stage follows until `resume`; gates still roll "
                 "back. Exit status as of rollback.",
                 "  understudy pause sonnet --admin http://127.0.0.1:9901",
                 run<RolloutOrder::pause>);
}

Command resume_command() {
  return command(RolloutOrder::resume, "go on after a pause or a rollback",
                 "After a pause the stage goes on. After a rollback a plain percent is in force "
                 "again at once, and stages begin\n"
                 "anew from the first. Exit status as of rollback.",
                 "  understudy resume sonnet --admin http://127.0.0.1:9901",
                 run<RolloutOrder::resume>);
}

Command promote_command() {
  return command(
      RolloutOrder::promote, "go to the next stage now",
      "One stage further, whatever time and pairs are missing. Refused where the evidence "
      "speaks against the candidate,\n"
      "where its quota has no room for that stage, while paused or rolled back, and where "
      "there is no further stage.\n"
      "Exit status as of rollback.",
      "  understudy promote sonnet --admin http://127.0.0.1:9901", run<RolloutOrder::promote>);
}

}  // namespace understudy::proxy

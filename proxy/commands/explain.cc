// `understudy explain`: what the proxy decides about one request, and why. By the config alone, so
// that a decision can be repeated and shown.

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>

#include "proxy/commands/commands.h"
#include "proxy/http_policy.h"
#include "routing/body_model.h"
#include "routing/config_loader.h"
#include "routing/route_table.h"

namespace understudy::proxy {
namespace {

using routing::Percent;
using routing::RouteDecision;
using routing::Variant;

constexpr std::size_t kMaxRequestBytes = std::size_t{64} << 20;

// As it goes over the wire; lines of a file that people wrote may end in LF alone.
struct WrittenRequest {
  std::string head;
  std::string body;
};

WrittenRequest split(const std::string& text) {
  WrittenRequest request;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    at = std::min(end + 1, text.size());
    request.head.append(line).append("\r\n");
    if (line.empty()) break;
  }
  if (!request.head.ends_with("\r\n\r\n")) request.head.append("\r\n");
  request.body = text.substr(at);
  return request;
}

std::string percent(Percent share) {
  return percent_text(share) + " %";
}

std::string bucket_text(std::uint32_t bucket) {
  return "bucket " + std::to_string(bucket) + " of " +
         std::to_string(routing::kAllTraffic.hundredths);
}

std::string sticky_text(const routing::StickyBy& sticky_by) {
  using Kind = routing::StickyBy::Kind;
  switch (sticky_by.kind) {
    case Kind::conversation:
      return "its conversation";
    case Kind::caller:
      return "its caller";
    case Kind::header:
      return "header " + sticky_by.name;
    case Kind::metadata:
      return "request metadata " + sticky_by.name;
  }
  return {};
}

// Drawn as if some were served, so that the bucket is known whatever the share is.
RouteDecision decide_with_bucket(const std::shared_ptr<const routing::Config>& config,
                                 const routing::RequestFacts& facts) {
  auto drawing = std::make_shared<routing::Config>(*config);
  routing::LiveShares shares;
  for (routing::RouteConfig& route : drawing->routes) {
    route.canary.stages.clear();
    route.canary.percent = {routing::kAllTraffic.hundredths - 1};
    shares.push_back(std::make_shared<routing::LiveShare>(route.canary.percent));
  }
  return routing::RouteTable(std::move(drawing), std::move(shares)).decide(facts);
}

class Explanation {
 public:
  Explanation(std::shared_ptr<const routing::Config> config, const routing::RequestFacts& facts,
              std::ostream& out)
      : config_(std::move(config)), facts_(facts), out_(out) {}

  int tell() {
    const RouteDecision decision = routing::RouteTable(config_).decide(facts_);
    out_ << "request      " << label(facts_.operation) << (facts_.model_id.empty() ? "" : " of ")
         << facts_.model_id << "\n";
    if (!decision.route) return tell_default();
    out_ << "route        " << decision.route->name << " (routes[" << decision.route_index
         << "], the first that matches)\n";
    if (!decision.eligible) {
      out_ << "served by    primary: "
           << (decision.route->candidate ? "no operation that a candidate serves"
                                         : "the route has no candidate")
           << "\ncopy         no\n";
      return kExitGood;
    }
    tell_served(decision);
    tell_copy(decision);
    tell_drill(decision);
    return kExitGood;
  }

 private:
  int tell_default() {
    out_ << "route        none matches\n";
    if (!config_->default_upstream) {
      out_ << "served by    nobody: there is no default_route, it is answered with 404\n";
      return kExitNegative;
    }
    out_ << "served by    " << config_->upstreams.at(*config_->default_upstream).name
         << ", the default route\ncopy         no\n";
    return kExitGood;
  }

  void tell_served(const RouteDecision& decision) {
    const routing::CanaryConfig& canary = decision.route->canary;
    if (decision.skip == routing::SkipReason::body_format) {
      out_ << "served by    primary: the candidate speaks another body format\n";
      return;
    }
    if (facts_.stateful) {
      out_ << "served by    primary, unless the candidate serves all: the request goes on from "
              "something stored\n";
      return;
    }
    const std::uint32_t bucket = decide_with_bucket(config_, facts_).canary_bucket;
    const std::string by = bucket_text(bucket) + ", by " + sticky_text(canary.sticky_by);
    if (canary.stages.empty()) {
      out_ << "served by    " << label(decision.served) << ": " << by << "; the candidate has "
           << percent(canary.percent) << "\n";
      return;
    }
    const auto stage = std::ranges::find_if(
        canary.stages, [&](const auto& one) { return bucket < one.percent.hundredths; });
    out_ << "served by    ";
    if (stage == canary.stages.end()) {
      out_ << "primary, in every stage: " << by << "\n";
    } else {
      out_ << "candidate from stage " << stage - canary.stages.begin() + 1 << " ("
           << percent(stage->percent) << ") on, before that primary: " << by << "\n";
    }
  }

  void tell_copy(const RouteDecision& decision) {
    const Percent share = decision.route->shadow.percent;
    out_ << "copy         ";
    const bool is_drawn = decision.shadow || decision.skip == routing::SkipReason::not_sampled;
    const bool depends_on_draw = share.hundredths > 0 && share.hundredths < 10'000;
    if (is_drawn && depends_on_draw && facts_.sampling_key.empty()) {
      out_ << "drawn anew each time, as it has no amz-sdk-invocation-id; " << percent(share)
           << " are copied\n";
    } else if (is_drawn && !depends_on_draw) {
      out_ << (decision.shadow ? "yes" : "no") << ": " << percent(share) << " are copied\n";
    } else if (is_drawn) {
      const bool drawn = decision.shadow_bucket < share.hundredths;
      out_ << (drawn ? "yes" : "no") << ": " << bucket_text(decision.shadow_bucket)
           << ", by its call's id (amz-sdk-invocation-id); " << percent(share) << " are copied\n";
    } else {
      out_ << "no: " << label(decision.skip) << "\n";
    }
  }

  void tell_drill(const RouteDecision& decision) {
    const Percent share = decision.route->drill;
    if (share == Percent{}) return;
    out_ << "drill        ";
    if (facts_.sampling_key.empty() && share < routing::kAllTraffic) {
      out_ << "drawn anew each time, as it has no amz-sdk-invocation-id; ";
    } else {
      out_ << (decision.drill ? "yes" : "no") << ", by its call's id (amz-sdk-invocation-id); ";
    }
    out_ << percent(share)
         << " of what the primary serves meet a played end of life, none while the route is rolled "
            "back\n";
  }

  const std::shared_ptr<const routing::Config> config_;
  const routing::RequestFacts& facts_;
  std::ostream& out_;
};

int unreadable(std::ostream& err, std::string_view what) {
  err << "understudy: explain: the request: " << what << "\n";
  return kExitUsage;
}

int explain_request(const std::shared_ptr<const routing::Config>& config,
                    const WrittenRequest& request, const std::string& caller, std::ostream& out,
                    std::ostream& err) {
  RequestHead head;
  if (const auto problem = scan_request_head(request.head, {}, head))
    return unreadable(err, problem->what);
  const auto& listeners = config->listeners;
  auto admitted = admit(head, listeners.empty() ? routing::ListenerConfig{} : listeners.front());
  if (const auto* problem = std::get_if<HeadProblem>(&admitted))
    return unreadable(err, problem->what);
  auto& target = std::get<routing::RequestTarget>(admitted);
  bool stateful = false;
  if (names_model_in_body(target.operation)) {
    auto found = routing::find_body_model(request.body, config->limits.max_model_scan_bytes);
    if (const auto* model = std::get_if<routing::BodyModel>(&found)) {
      target.model_id = model->id;
      stateful = model->stateful;
    } else {
      target.operation = routing::Operation::other;
    }
  }
  const routing::RequestFacts facts{.operation = target.operation,
                                    .model_id = target.model_id,
                                    .path = target.path,
                                    .stateful = stateful,
                                    .fields = head.fields,
                                    .sampling_key = head.invocation_id,
                                    .caller = caller,
                                    .body = request.body};
  return Explanation(config, facts, out).tell();
}

int explain(const Options& options, std::ostream& out, std::ostream& err) {
  const routing::LoadedConfig loaded = routing::load_config_file(options.values.at("config"));
  for (const auto& problem : loaded.problems) err << problem.to_string() << "\n";
  if (!loaded.config) return kExitBadConfig;
  std::ifstream in(options.values.at("request"), std::ios::binary);
  if (!in) return unreadable(err, "its file cannot be read");
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (text.size() > kMaxRequestBytes) return unreadable(err, "it is larger than 64 MiB");
  return explain_request(loaded.config, split(text), option(options, "caller"), out, err);
}

}  // namespace

Command explain_command() {
  return {
      .name = "explain",
      .summary = "tell how one request would be decided, and why",
      .description =
          "Takes a request as it goes over the wire (request line, fields, an empty line, the "
          "body; "
          "line ends may be LF)\n"
          "and tells its route, its buckets, who serves it and whether it is copied. The same "
          "config and salt decide the\n"
          "same on every replica. Where the share moves by stages, it tells from which one on the "
          "candidate serves it.",
      .example = "  understudy explain --config config.yaml --request request.txt",
      .options = {{.name = "config",
                   .value = "FILE",
                   .help = "the YAML config to decide by",
                   .required = true},
                  {.name = "request", .value = "FILE", .help = "the request", .required = true},
                  {.name = "caller",
                   .value = "NAME",
                   .help = "who the listener found the client to be"}},
      .run = explain};
}

}  // namespace understudy::proxy

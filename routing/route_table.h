#pragma once
// Which upstream serves a request, and whether the other variant gets a copy. Immutable; any thread
// may ask. decide() is a pure function of the facts, the config, its salt and the live shares: the
// same request gets the same answer on every thread, replica and restart.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "routing/config.h"
#include "routing/fields.h"
#include "routing/glob.h"
#include "routing/live_share.h"
#include "routing/operation.h"

namespace understudy::routing {

enum class Variant : std::uint8_t { primary, candidate };
std::string_view label(Variant variant) noexcept;

// Why an eligible exchange got no copy. The metric label is the enumerator's spelling.
enum class SkipReason : std::uint8_t {
  not_sampled,     // the draw said no
  probe,           // asks for one token
  retry,           // another attempt of this SDK call was copied already
  mirrored,        // the request is itself a copy, from this proxy or another
  body_format,     // the candidate speaks another InvokeModel body format
  primary_failed,  // the served answer is not a success
  primary_cut,     // the served answer ended before its time
  client_gone,     // the client did not wait for the whole answer
  too_large,       // the request exceeds shadow.max_body_bytes
  rewrite_failed,  // the candidate's rewrite could not be applied (the body is no JSON, say)
  stateful,        // goes on from an earlier response, or is answered in the background (Responses)
  end_of_life,     // the primary's model has come to its end: nothing is left to compare with
  settled,         // its family's gates have the evidence they need, and shadow.settled_percent
                   // left it out
};
std::string_view label(SkipReason reason) noexcept;

struct RequestFacts {
  Operation operation = Operation::other;
  std::string_view model_id;      // decoded
  std::string_view path;          // as it came, without query
  bool stateful = false;          // depends on what the primary's upstream keeps
  std::span<const Field> fields;  // end-to-end header fields
  std::string_view sampling_key;  // amz-sdk-invocation-id, else an id made for this exchange
  std::string_view caller{};      // who the listener found it to be; empty: nobody was asked
  std::string_view body;          // looked into only where 0 < canary < 100
};

struct RouteDecision {
  const RouteConfig* route = nullptr;   // null: the default route, or none at all
  std::size_t route_index = 0;          // into Config::routes, where `route` is set
  std::optional<std::size_t> upstream;  // that serves; none: no route and no default route
  Variant served = Variant::primary;
  bool eligible = false;                      // an understood operation on a route with a candidate
  bool shadow = false;                        // the other variant shall get a copy
  SkipReason skip = SkipReason::not_sampled;  // why not, where eligible and not `shadow`
  // The request means the same to the candidate, so that it could be served by it.
  bool fits_candidate = false;
  bool drill = false;  // the primary's end of life is to be played
  // 0..9999, drawn only where the percentage lies between 0 and 100; below its hundredths means
  // yes.
  std::uint32_t shadow_bucket = 0;  // the other variant gets a copy
  std::uint32_t canary_bucket = 0;  // the candidate serves
};

class RouteTable {
 public:
  // `shares` are as Config::routes, from whoever moves them; without, the config's own stand and
  // stages stay at 0.
  explicit RouteTable(std::shared_ptr<const Config> config, LiveShares shares = {});

  const Config& config() const noexcept { return *config_; }
  RouteDecision decide(const RequestFacts& facts) const;
  // Of the route's conversations, served by the candidate at this moment. Never above what the
  // config allows, whatever the live share says.
  Percent served_share(std::size_t route) const noexcept;

 private:
  struct Matcher {
    std::vector<Glob> models;
    std::vector<Glob> paths;
    std::uint32_t operations = 0;                            // a bit for each Operation
    std::vector<std::pair<std::string_view, Glob>> headers;  // names view into config_
    std::vector<Glob> callers;

    bool matches(const RequestFacts& facts) const noexcept;
  };

  const RouteConfig* find_route(const RequestFacts& facts) const noexcept;
  std::uint64_t sticky_key(const RequestFacts& facts, const StickyBy& sticky_by) const noexcept;
  void draw_served(const RequestFacts& facts, RouteDecision& decision) const;
  void draw_shadow(const RequestFacts& facts, RouteDecision& decision) const;
  void draw_drill(const RequestFacts& facts, RouteDecision& decision) const;

  std::shared_ptr<const Config> config_;
  std::vector<Matcher> matchers_;  // one for each route, in order
  LiveShares shares_;              // the same
};

// The name of the request header by which a copy is known, so that a copy is never copied again.
inline constexpr std::string_view kShadowHeader = "x-understudy-shadow";
// Names the prompt family; read by us, never sent on.
inline constexpr std::string_view kFamilyHeader = "x-understudy-family";

}  // namespace understudy::routing

#pragma once
// `understudy check --preflight`: one tiny request of each shape to every variant, by the
// upstreams' own credentials. Blocks; costs a few tokens.

#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/snapshot.h"
#include "routing/operation.h"

namespace understudy::proxy {

// A shape that clients use and that models of some generation refuse.
struct Shape {
  std::string_view name;  // "converse", "prefill", ...
  routing::Operation operation;
  std::string_view path;  // the operation's, behind the model id
  std::string body;
};
// Those that the model behind the id has an API for.
std::vector<Shape> shapes_for(std::string_view model);

// What to do about an answer that refuses, in plain words.
std::string explain_refusal(int status, std::string_view body);

// Prints a line for each variant and shape. False where a candidate refuses a shape that its
// primary takes, or a variant answers nothing at all.
bool run_preflight(const std::shared_ptr<const Snapshot>& snapshot, std::ostream& out);

}  // namespace understudy::proxy

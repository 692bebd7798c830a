#pragma once
// Makes a variant's body (the candidate's rewrite rules, another model's name) on a thread of its
// own, so that no thread that moves bytes parses or copies it. There is one for served requests and
// one for copies: no client waits behind a copy.

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <vector>

#include "metrics/blocks.h"
#include "proxy/snapshot.h"
#include "proxy/task.h"
#include "routing/rewrite.h"

namespace understudy::proxy {

class Rewriter {
 public:
  Rewriter() : thread_(1) {}

  // Called and continued on the thread of `home`. `snapshot` keeps `rules` and the swapped name
  // alive.
  Task<routing::VariantBody> rewrite(boost::asio::io_context& home,
                                     std::shared_ptr<const Snapshot> snapshot,
                                     const std::vector<routing::RewriteRule>& rules,
                                     routing::Operation operation, routing::ModelSwap swap,
                                     metrics::Block body);

 private:
  boost::asio::thread_pool thread_;
};

}  // namespace understudy::proxy

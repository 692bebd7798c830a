#include "proxy/rewriter.h"

#include <boost/asio/post.hpp>

#include "proxy/waiter.h"

namespace understudy::proxy {

namespace asio = boost::asio;

Task<routing::VariantBody> Rewriter::rewrite(asio::io_context& home,
                                             std::shared_ptr<const Snapshot> snapshot,
                                             const std::vector<routing::RewriteRule>& rules,
                                             routing::Operation operation, routing::ModelSwap swap,
                                             metrics::Block body) {
  struct Job {
    Waiter finished;
    routing::VariantBody outcome{.bytes = {},
                                 .changed = false,
                                 .presets = {},
                                 .problem = routing::RewriteProblem{"the rewrite failed"}};
  };
  auto job = std::make_shared<Job>();
  asio::post(thread_, [job, &home, snapshot = std::move(snapshot), &rules, operation, swap,
                       body = std::move(body)] {
    try {
      job->outcome = routing::variant_body(rules, operation, swap, body.view());
    } catch (const std::exception&) {
      // No memory: the outcome set above stands.
    }
    asio::post(home, [job] { job->finished.wake(); });
  });
  co_await job->finished.wait();
  co_return std::move(job->outcome);
}

}  // namespace understudy::proxy

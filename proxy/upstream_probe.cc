#include "proxy/upstream_probe.h"

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "proxy/field_text.h"
#include "proxy/thread_snapshot.h"
#include "proxy/tls.h"
#include "proxy/upstream_call.h"
#include "proxy/upstream_request.h"

namespace understudy::proxy {

namespace asio = boost::asio;

namespace {

// A thread's network for the time of one question.
struct ProbeThread {
  asio::io_context context;
  metrics::BlockPool blocks;
  DeadlineSweep sweep{context};
  Resolver resolver{context};
  ThreadResources resources{context, sweep, resolver, blocks};
  PoolSet pools{resources};
  Signer signer;
};

// Ends a call that is not over by then, whatever goes on: the call's own limits are of a silence.
class WholeCall final : public Deadline {
 public:
  WholeCall(DeadlineSweep& sweep, UpstreamCall& call, std::chrono::milliseconds timeout)
      : Deadline(sweep), call_(call) {
    set(timeout);
  }
  bool is_over() const noexcept { return over_; }

 private:
  void expired() noexcept override {
    over_ = true;
    call_.interrupt();  // may end whoever waits, and with it this object
  }

  UpstreamCall& call_;
  bool over_ = false;
};

Task<Result<ProbeAnswer>> exchange(UpstreamCall& call, std::string& head, std::string_view body) {
  if (auto sent = co_await call.send(head, body); !sent) co_return sent.error();
  auto answer = co_await call.read_head(false);
  if (!answer) co_return answer.error();
  ProbeAnswer probed{.status = (*answer)->status};
  for (auto part = call.buffered();; part = co_await call.read_part()) {
    if (!part) co_return part.error();
    for (const std::string_view piece : part->pieces)
      probed.body.append(piece.substr(0, ProbeAnswer::kMaxBodyBytes - probed.body.size()));
    if (part->last || probed.body.size() >= ProbeAnswer::kMaxBodyBytes) co_return probed;
  }
}

Result<std::string> head_for_bedrock(const ProbeRequest& request, const UpstreamTarget& target,
                                     const Credentials& credentials, std::string_view authority,
                                     Signer& signer) {
  const bool runtime = request.surface == routing::Surface::runtime;
  const routing::Endpoint& endpoint =
      runtime ? target.config.endpoint : target.config.control_endpoint;
  const std::string path = endpoint.path + request.target;
  std::string head;
  std::optional<Sha256> hash;
  const OutgoingRequest outgoing{
      .method = request.method,
      .target = path,
      .authority = authority,
      .service = target.config.signing_service,
      .lines = request.body.empty() ? "" : "content-type: application/json\r\n",
      .content_type = request.body.empty() ? "" : "application/json",
      .body = request.body,
      .shadow_mark = {},
      .client_authorization = {},
      .client_api_key = {}};
  if (auto built =
          append_request_head(outgoing, credentials, target.config.region, signer, hash, head);
      !built)
    return built.error();
  return head;
}

Result<std::string> head_for_service(const ProbeRequest& request, const UpstreamTarget& target,
                                     const Credentials& credentials, std::string_view authority,
                                     Signer& signer) {
  constexpr std::string_view kContentType = "application/x-amz-json-1.1";
  const ServiceAction& action = *request.action;
  const std::string path = action.endpoint.path + request.target;
  std::string head;
  append_request_line(head, request.method, path);
  append_field(head, "host", authority);
  append_field(head, "accept-encoding", "identity");
  append_field(head, "content-type", kContentType);
  append_field(head, "x-amz-target", action.name);
  append_field(head, "content-length", std::to_string(request.body.size()));
  if (credentials.kind == Credentials::Kind::sigv4) {
    const std::array fields{routing::Field{"content-type", kContentType},
                            routing::Field{"host", authority},
                            routing::Field{"x-amz-target", action.name}};
    signer.sign({.method = request.method,
                 .target = path,
                 .fields = fields,
                 .body_hash = signer.hash(request.body),
                 .now = std::chrono::system_clock::now()},
                credentials.keys, target.config.region, action.service, head);
  } else if (credentials.kind != Credentials::Kind::none) {
    return credentials_error("the upstream " + target.config.name +
                             " has a Bedrock API key, which other services of AWS do not take");
  }
  head.append("\r\n");
  return head;
}

// Where it is asked, with no connection kept. Whom the upstream is trusted by says nothing about
// another service.
Result<std::shared_ptr<UpstreamPool>> pool_of_service(ProbeThread& thread,
                                                      const UpstreamTarget& target,
                                                      const routing::Endpoint& endpoint) {
  std::shared_ptr<asio::ssl::context> tls;
  if (endpoint.tls) {
    auto made = make_client_tls({});
    if (!made) return made.error();
    tls = std::move(*made);
  }
  return std::make_shared<UpstreamPool>(
      thread.resources, endpoint, std::move(tls),
      UpstreamPool::Settings{.addresses = {target.config.dns_refresh, target.config.dns_keep}});
}

Task<Result<ProbeAnswer>> ask(ProbeThread& thread, std::shared_ptr<const Snapshot> snapshot,
                              std::size_t upstream, const ProbeRequest& request,
                              std::chrono::milliseconds timeout) {
  const UpstreamTarget& target = *snapshot->upstreams[upstream];
  const Credentials* credentials = thread.resources.credentials.read(*target.credentials->slot);
  if (credentials == nullptr) co_return no_credentials(target);
  const auto view = thread.pools.apply(snapshot);
  std::shared_ptr<UpstreamPool> pool = view->pool(upstream, request.surface);
  if (request.action) {
    auto made = pool_of_service(thread, target, request.action->endpoint);
    if (!made) co_return made.error();
    pool = std::move(*made);
  }
  const auto head_of = request.action ? head_for_service : head_for_bedrock;
  auto head = head_of(request, target, *credentials, pool->authority(), thread.signer);
  if (!head) co_return head.error();
  ResponseHead answer;
  const routing::LimitsConfig& limits = snapshot->config().limits;
  UpstreamCall call(pool,
                    {.connect = std::min(timeout, target.config.connect_timeout),
                     .first_byte = timeout,
                     .idle = timeout,
                     .max_head_bytes = limits.max_response_header_bytes,
                     .max_chunk_overhead_bytes = limits.max_chunk_overhead_bytes},
                    answer);
  WholeCall whole(thread.sweep, call, timeout);
  auto answered = co_await exchange(call, *head, request.body);
  if (!answered && whole.is_over())
    co_return Error{ErrorKind::timeout, Side::upstream,
                    "answer of " + pool->authority() + ": timed out"};
  co_return answered;
}

// Where nothing is kept, not even memory was there.
Task<void> keep(Task<Result<ProbeAnswer>> asked, std::optional<Result<ProbeAnswer>>& outcome) {
  outcome = co_await std::move(asked);
}

}  // namespace

Result<ProbeAnswer> ask_upstream(std::shared_ptr<const Snapshot> snapshot, std::size_t upstream,
                                 ProbeRequest request, std::chrono::milliseconds timeout) {
  ProbeThread thread;
  std::optional<Result<ProbeAnswer>> outcome;
  spawn(thread.context, keep(ask(thread, std::move(snapshot), upstream, request, timeout), outcome),
        [&thread](std::exception_ptr) {
          thread.resolver.stop();
          thread.pools.close_idle();
          thread.sweep.stop();
        });
  thread.context.run();
  if (outcome) return *std::move(outcome);
  return Error{ErrorKind::internal, Side::internal, "the question could not be asked"};
}

std::string model_target(std::string_view model, std::string_view operation) {
  const std::string asked = "/model/x/";
  std::string target;
  append_upstream_target(routing::Endpoint{}, asked + std::string(operation),
                         {.offset = 7, .size = 1}, model, target);
  return target;
}

ProbeRequest tiny_converse(std::string_view model) {
  return {.target = model_target(model, "converse"),
          .body = R"({"messages":[{"role":"user","content":[{"text":"."}]}],)"
                  R"("inferenceConfig":{"maxTokens":1}})"};
}

std::string_view problem_of_status(int status) noexcept {
  if (status < 400) return {};
  if (status == 401 || status == 403) return "access";
  if (status == 404) return "not_found";
  if (status == 429) return "throttled";
  return status >= 500 ? "failed" : "refused";
}

}  // namespace understudy::proxy

#include "proxy/aws/ask.h"

#include <algorithm>
#include <array>

#include "proxy/aws/endpoints.h"
#include "proxy/field_text.h"
#include "proxy/read_file.h"
#include "proxy/upstream_call.h"

namespace understudy::proxy::aws {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxTokenBytes = 64u << 10;
// What a source of credentials is asked through has no keys of its own: as an upstream's defaults.
constexpr Resolver::Lifetimes kAddresses{.refresh = std::chrono::seconds(30),
                                         .keep = std::chrono::hours(1)};

std::string head_of(FetchThread& thread, const CredentialPlan& plan, const Question& question,
                    std::string_view authority) {
  const std::string target = question.endpoint.path + question.target;
  std::string head;
  append_request_line(head, question.method, target);
  append_field(head, "host", authority);
  append_field(head, "user-agent", "understudy");
  append_field(head, "connection", "close");
  for (const auto& [name, value] : question.fields) append_field(head, name, value);
  if (!question.content_type.empty()) append_field(head, "content-type", question.content_type);
  if (question.method != "GET")
    append_field(head, "content-length", std::to_string(question.body.size()));
  if (question.sts_keys) {
    const std::array fields{routing::Field{"content-type", question.content_type},
                            routing::Field{"host", authority}};
    thread.signer.sign({.method = question.method,
                        .target = target,
                        .fields = fields,
                        .body_hash = thread.signer.hash(question.body),
                        .now = thread.now()},
                       *question.sts_keys, plan.sts_region, "sts", head);
  }
  head.append("\r\n");
  return head;
}

Task<Result<WholeAnswer>> converse(UpstreamCall& call, std::string& head, const std::string& body,
                                   std::size_t max_bytes) {
  if (auto sent = co_await call.send(head, body); !sent) co_return sent.error();
  auto answer_head = co_await call.read_head(false);
  if (!answer_head) co_return answer_head.error();
  WholeAnswer answer{.status = (*answer_head)->status, .body = {}};
  for (auto part = call.buffered();; part = co_await call.read_part()) {
    if (!part) co_return part.error();
    for (const std::string_view piece : part->pieces) {
      if (piece.size() > max_bytes - answer.body.size()) {
        co_return Error{ErrorKind::too_large, Side::upstream,
                        "the answer exceeds credentials.max_answer_bytes"};
      }
      answer.body.append(piece);
    }
    if (part->last) co_return answer;
  }
}

}  // namespace

Task<Result<WholeAnswer>> ask(FetchThread& thread, const CredentialPlan& plan, Question question) {
  std::shared_ptr<asio::ssl::context> tls;
  if (question.endpoint.tls) {
    auto context = thread.tls.of(plan.ca_file);
    if (!context) co_return context.error();
    tls = context->context;
  }
  const auto pool = std::make_shared<UpstreamPool>(thread.resources, question.endpoint, tls,
                                                   UpstreamPool::Settings{.addresses = kAddresses});
  std::string head = head_of(thread, plan, question, pool->authority());
  ResponseHead head_storage;
  UpstreamCall call(pool,
                    {.connect = plan.timeout,
                     .first_byte = plan.timeout,
                     .idle = plan.timeout,
                     .max_head_bytes = plan.max_answer_bytes,
                     .max_chunk_overhead_bytes = plan.max_answer_bytes},
                    head_storage);
  const Watch watch(thread, plan.timeout, [&call] { call.interrupt(); });
  auto answer = co_await converse(call, head, question.body, plan.max_answer_bytes);
  if (answer) co_return answer;
  const std::string where = url_of(question.endpoint) + ": ";
  if (watch.timed_out()) {
    co_return Error{ErrorKind::timeout, Side::upstream,
                    where + "no whole answer within credentials.timeout (" +
                        std::to_string(plan.timeout.count()) + " ms)"};
  }
  co_return Error{answer.error().kind, Side::upstream, where + answer.error().context};
}

Error refused(const routing::Endpoint& endpoint, const WholeAnswer& answer, std::string_view code) {
  std::string context = url_of(endpoint) + ": answered " + std::to_string(answer.status);
  if (!code.empty()) context.append(" ").append(code);
  return {ErrorKind::credentials, Side::upstream, std::move(context)};
}

Result<std::string> read_token_file(const std::filesystem::path& file) {
  auto text = read_file(file, kMaxTokenBytes);
  if (!text) return credentials_error("no readable token in " + file.string());
  trim_end(*text);
  const bool fit = !text->empty() && std::all_of(text->begin(), text->end(),
                                                 [](char c) { return c >= ' ' && c < '\x7f'; });
  if (!fit) {
    return credentials_error("the token in " + file.string() +
                             " is empty or holds line ends or bytes that no header may");
  }
  return std::move(*text);
}

std::string encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

}  // namespace understudy::proxy::aws

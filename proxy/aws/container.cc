// The endpoint beside a container: the ECS agent, the EKS Pod Identity agent.

#include "proxy/aws/answers.h"
#include "proxy/aws/ask.h"

namespace understudy::proxy::aws {

Task<Result<Credentials>> fetch_from_container(FetchThread& thread, const CredentialPlan& plan,
                                               const ContainerSource& source) {
  Question question{.endpoint = source.endpoint, .target = source.target};
  question.fields.emplace_back("accept", "application/json");
  if (!source.token_file.empty()) {
    // Read at every fetch: the agent replaces it.
    auto token = read_token_file(source.token_file);
    if (!token) co_return token.error();
    question.fields.emplace_back("authorization", std::move(*token));
  } else if (!source.token.empty()) {
    question.fields.emplace_back("authorization", source.token.reveal());
  }
  const auto answer = co_await ask(thread, plan, std::move(question));
  if (!answer) co_return answer.error();
  if (answer->status != 200) co_return refused(source.endpoint, *answer);
  co_return read_metadata_answer(answer->body);
}

}  // namespace understudy::proxy::aws

#include "proxy/aws/fetch.h"

#include <algorithm>
#include <utility>

namespace understudy::proxy::aws {
namespace {

Task<Result<Credentials>> fetch_source(FetchThread& thread, const CredentialPlan& plan) {
  if (const auto* process = std::get_if<ProcessSource>(&plan.source))
    co_return co_await fetch_from_process(thread, plan, *process);
  if (const auto* identity = std::get_if<WebIdentitySource>(&plan.source))
    co_return co_await fetch_by_web_identity(thread, plan, *identity);
  if (const auto* sign_on = std::get_if<SsoSource>(&plan.source))
    co_return co_await fetch_by_single_sign_on(thread, plan, *sign_on);
  if (const auto* container = std::get_if<ContainerSource>(&plan.source))
    co_return co_await fetch_from_container(thread, plan, *container);
  if (const auto* imds = std::get_if<ImdsSource>(&plan.source))
    co_return co_await fetch_from_imds(thread, plan, *imds);
  co_return std::get<FixedSource>(plan.source).credentials;
}

}  // namespace

void FetchThread::cut() noexcept {
  // Stopping one may end others: the list changes while it is walked.
  const std::list<Watch*> under_way = active;
  for (Watch* watch : under_way) {
    if (std::find(active.begin(), active.end(), watch) != active.end()) watch->stop();
  }
}

Task<Result<Credentials>> fetch_credentials(FetchThread& thread, const CredentialPlan& plan) {
  Result<Credentials> fetched = co_await fetch_source(thread, plan);
  for (const AssumedRole& role : plan.roles) {
    if (!fetched) co_return fetched;
    fetched = co_await assume_role(thread, plan, role, fetched->keys);
  }
  if (fetched && fetched->expires && *fetched->expires <= thread.now())
    co_return credentials_error("the credentials had ended already when they came");
  co_return fetched;
}

}  // namespace understudy::proxy::aws

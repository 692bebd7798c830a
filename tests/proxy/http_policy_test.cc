#include "proxy/http_policy.h"

#include <gtest/gtest.h>

namespace understudy::proxy {
namespace {

std::variant<routing::RequestTarget, HeadProblem> ask(std::string_view host,
                                                      std::string_view target,
                                                      const routing::ListenerConfig& listener) {
  RequestHead head;
  head.method = "POST";
  head.host = host;
  head.target = target;
  return admit(head, listener);
}

int status(std::string_view host, std::string_view target,
           const routing::ListenerConfig& listener) {
  const auto answer = ask(host, target, listener);
  const auto* problem = std::get_if<HeadProblem>(&answer);
  return problem ? problem->status : 200;
}

TEST(Admit, TakesEveryHostWhereNoneIsListed) {
  EXPECT_EQ(status("anything", "/a", {}), 200);
  EXPECT_EQ(status("", "/a", {}), 200);
}

TEST(Admit, TakesOnlyListedHostsInAnyCaseAndWithAnyPort) {
  const routing::ListenerConfig listener{
      .address = {}, .base_path = {}, .hosts = {"bedrock.internal", "[::1]"}};
  EXPECT_EQ(status("bedrock.internal", "/a", listener), 200);
  EXPECT_EQ(status("Bedrock.Internal:8080", "/a", listener), 200);
  EXPECT_EQ(status("[::1]:8080", "/a", listener), 200);
  EXPECT_EQ(status("[::2]:8080", "/a", listener), 421);
  EXPECT_EQ(status("evil", "/a", listener), 421);
  EXPECT_EQ(status("bedrock.internal.evil", "/a", listener), 421);
  EXPECT_EQ(status("", "/a", listener), 421);
}

TEST(Admit, ReadsTheTargetBehindTheBasePath) {
  const routing::ListenerConfig listener{.address = {}, .base_path = "/prefix", .hosts = {}};
  const auto answer = ask("a", "/prefix/model/m%3A0/converse", listener);
  const auto& target = std::get<routing::RequestTarget>(answer);
  EXPECT_EQ(target.operation, routing::Operation::converse);
  EXPECT_EQ(target.model_id, "m:0");
  EXPECT_EQ(target.forwarded, "/model/m%3A0/converse");
  EXPECT_EQ(status("a", "/model/m/converse", listener), 400);
}

TEST(Admit, NamesTheRule) {
  const auto answer = ask("a", "/a/../b", {});
  EXPECT_EQ(std::get<HeadProblem>(answer).rule, "target");
}

}  // namespace
}  // namespace understudy::proxy

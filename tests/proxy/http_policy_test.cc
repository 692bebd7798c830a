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

TEST(Admit, M7TakesAHostThatIsANameOrAnAddressWithAPortOrWithout) {
  using namespace std::string_literals;
  for (const std::string& host :
       {""s, "a"s, "A.Example.com"s, "a.b.c:443"s, "my_host-1:0"s, "xn--p1ai"s, "127.0.0.1"s,
        "127.0.0.1:65535"s, "a.:00080"s, "[::1]"s, "[::1]:8080"s, "[2001:DB8::A:192.0.2.1]"s,
        std::string(253, 'a') + ":80"})
    EXPECT_EQ(status(host, "/a", {}), 200) << host;
  for (const std::string& host : {"a b"s,
                                  "a b, evil@c"s,
                                  "a,b"s,
                                  "a;b"s,
                                  "a@b"s,
                                  "good:80@evil"s,
                                  "user:pw@good"s,
                                  "a/b"s,
                                  "a\\b"s,
                                  "a?b"s,
                                  "a#b"s,
                                  "http://a"s,
                                  "a%2eb"s,
                                  "a%"s,
                                  "a*"s,
                                  "a\"b"s,
                                  "a\x80"s,
                                  "a\0b"s,
                                  "\0"s,
                                  "a\tb"s,
                                  ":80"s,
                                  "a:"s,
                                  "a:b"s,
                                  "a:8b"s,
                                  "a:+8"s,
                                  "a:-8"s,
                                  "a: 8"s,
                                  "a:65536"s,
                                  "a:99999"s,
                                  "a:000080"s,
                                  "a:80:90"s,
                                  "::1"s,
                                  "[::1"s,
                                  "::1]"s,
                                  "[]"s,
                                  "[::1]80"s,
                                  "[::1]a"s,
                                  "[::1]:"s,
                                  "[a]"s,
                                  "[127.0.0.1]"s,
                                  "[::1%25eth0]"s,
                                  "[::1%eth0]"s,
                                  "[v1.a]"s,
                                  "[::1\0]"s,
                                  "[1:2:3:4:5:6:7:8:9]"s,
                                  "[" + std::string(100, '1') + "]"}) {
    const auto answer = ask(host, "/a", {});
    const auto* problem = std::get_if<HeadProblem>(&answer);
    ASSERT_NE(problem, nullptr) << host;
    EXPECT_EQ(problem->status, 400) << host;
    EXPECT_EQ(problem->rule, "host") << host;
  }
}

TEST(Admit, M7LetsNobodyIntoAListOfHostsBehindTheColon) {
  const routing::ListenerConfig listener{
      .address = {}, .base_path = {}, .hosts = {"good", "[::1]"}};
  EXPECT_EQ(status("good:80", "/a", listener), 200);
  EXPECT_EQ(status("good:80@evil", "/a", listener), 400);
  EXPECT_EQ(status("good:@evil", "/a", listener), 400);
  EXPECT_EQ(status("[::1]evil", "/a", listener), 400);
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

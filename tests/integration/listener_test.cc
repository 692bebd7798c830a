// The listeners' ports, which are one process's alone, and what its connections are set to.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <string>

#include "proxy/commands/commands.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/process_sockets.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/serve_process.h"

namespace understudy::testing_support {
namespace {

using testing::HasSubstr;

std::string listener(const std::string& host, std::uint16_t port) {
  return "{trust_network: true, address: \"" + host + ":" + std::to_string(port) + "\"}";
}

class ListenerPort : public testing::Test {
 protected:
  std::string config(const std::string& listeners) const {
    std::string text = ProxySetup{.primary_port = primary_->port()}.text();
    return text.replace(0, text.find('\n'), "listeners: [" + listeners + "]");
  }
  // Why a proxy with that listener does not start; empty where it does.
  std::string refusal(const std::string& listeners) const {
    try {
      const ProxyUnderTest second(config(listeners));
      return {};
    } catch (const std::exception& problem) {
      return problem.what();
    }
  }

  const std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies(converse_answer("hello"));
  ProxyUnderTest proxy_{config("{address: \"127.0.0.1:0\"}")};
  const std::uint16_t port_ = proxy_.port();
};

TEST_F(ListenerPort, IsNotSharedWithASecondProxy) {
  EXPECT_THAT(refusal(listener("127.0.0.1", port_)),
              HasSubstr("listen on 127.0.0.1:" + std::to_string(port_) +
                        ": address in use: something else listens there"));
  EXPECT_THAT(refusal(listener("0.0.0.0", port_)), HasSubstr("something else listens there"));
  EXPECT_EQ(refusal(listener("127.0.0.2", port_)), "") << "that is another address";
  for (int turn = 0; turn < 20; ++turn)
    ASSERT_EQ(RawClient(port_).ask(converse("hi")).status, 200) << "all come to the first";
}

TEST_F(ListenerPort, IsNotSharedOnAnAddressWhereOnlyTheOtherListens) {
  const std::string own = "{address: \"127.0.0.1:0\"}", second = listener("127.0.0.2", port_);
  ASSERT_TRUE(proxy_.apply(config(own + ", " + second)));
  EXPECT_THAT(refusal(listener("127.0.0.3", port_) + ", " + second),
              HasSubstr("listen on 127.0.0.2:" + std::to_string(port_) +
                        ": address in use: something else listens there"));
}

TEST_F(ListenerPort, OfAllAddressesIsNotSharedOnOneOfThem) {
  const ProxyUnderTest all(config(listener("0.0.0.0", 0)));
  EXPECT_THAT(refusal(listener("127.0.0.1", all.port())),
              HasSubstr("something else listens there"));
}

TEST_F(ListenerPort, OfAnotherProxyRefusesAReload) {
  ProxyUnderTest second(config(listener("127.0.0.1", 0)));
  const auto applied =
      second.apply(config(listener("127.0.0.1", 0) + ", " + listener("127.0.0.1", port_)));
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().context, HasSubstr("something else listens there"));
  EXPECT_EQ(RawClient(second.port()).ask(converse("hi")).status, 200);
}

TEST_F(ListenerPort, ComesAndGoesAndChangesItsAddressByReloads) {
  const std::uint16_t second = refusing_port();
  const std::string own = listener("127.0.0.1", 0);
  for (int round = 0; round < 5; ++round) {
    for (const char* host : {"127.0.0.1", "0.0.0.0", "localhost"}) {
      const auto applied = proxy_.apply(config(own + ", " + listener(host, second)));
      ASSERT_TRUE(applied) << host << ": " << applied.error().context;
      ASSERT_EQ(RawClient(second).ask(converse("hi")).status, 200) << host;
    }
    ASSERT_TRUE(proxy_.apply(config(own)));
    ASSERT_THROW(RawClient{second}, std::exception);
  }
}

TEST_F(ListenerPort, ThatIsTakenEndsTheServeCommandWithAReason) {
  const ScratchDirectory directory;
  ServeProcess process(directory.write("config.yaml", config(listener("127.0.0.1", port_))));
  EXPECT_EQ(process.wait_for_end(), proxy::kExitNegative);
  EXPECT_THAT(process.rest(), HasSubstr("understudy: listen on 127.0.0.1:" + std::to_string(port_) +
                                        ": address in use: something else listens there\n"));
}

TEST_F(ListenerPort, GivesConnectionsThatAskForASignOfLifeAfterTheirTcpKeepAlive) {
  const ProxyUnderTest proxy(ProxySetup{.primary_port = primary_->port(),
                                        .primary_more = ", tcp_keep_alive: 100s",
                                        .top = "limits: {tcp_keep_alive: 7s}\n"});
  RawClient client(proxy.port());
  ASSERT_EQ(client.ask(converse("hi")).status, 200);
  struct Case {
    int socket, first, next;
  };
  for (const Case& end :
       {Case{accepted_by(proxy.port()), 7, 2}, Case{connected_to(primary_->port()), 100, 25}}) {
    ASSERT_GE(end.socket, 0);
    EXPECT_EQ(option_of(end.socket, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option_of(end.socket, IPPROTO_TCP, TCP_KEEPIDLE), end.first);
    EXPECT_EQ(option_of(end.socket, IPPROTO_TCP, TCP_KEEPINTVL), end.next);
    EXPECT_EQ(option_of(end.socket, IPPROTO_TCP, TCP_KEEPCNT), 4);
    EXPECT_EQ(option_of(end.socket, IPPROTO_TCP, TCP_NODELAY), 1);
  }
}

}  // namespace
}  // namespace understudy::testing_support

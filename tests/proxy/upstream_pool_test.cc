// How a pool gets a connection out of a name's addresses, which the test names itself.

#include "proxy/upstream_pool.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "proxy/tls.h"
#include "proxy/upstream_call.h"
#include "tests/proxy/socket_fixture.h"

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

// Answers what the test says.
class ToldResolver final : public Resolver {
 public:
  explicit ToldResolver(asio::io_context& context) : Resolver(context), context_(context) {}
  Endpoints addresses;

 private:
  void look_up(const std::string& host, std::uint16_t port) override {
    asio::post(context_, [this, host, port] { ended(host, port, {}, addresses); });
  }

  asio::io_context& context_;
};

// A port of 127.0.0.1 that refuses connections until it listens.
class Place {
 public:
  Place() : acceptor_(io_, tcp::v4()) {
    acceptor_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  }
  Place& listen(int backlog = 16) {
    acceptor_.listen(backlog);
    return *this;
  }
  // Listens, and answers no connection any more: one lies in its queue, which is full by that.
  Place& swallow() {
    listen(0);
    filler_.emplace(io_);
    filler_->connect(endpoint());
    EXPECT_TRUE(has_connection());
    return *this;
  }
  tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }
  bool has_connection(std::chrono::milliseconds patience = 30s) {
    pollfd look{.fd = acceptor_.native_handle(), .events = POLLIN, .revents = 0};
    return ::poll(&look, 1, static_cast<int>(patience.count())) == 1;
  }
  tcp::socket accept() {
    if (!has_connection()) throw std::runtime_error("nobody connected");
    return acceptor_.accept();
  }

 private:
  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::optional<tcp::socket> filler_;
};

class UpstreamPoolTest : public SocketFixture {
 protected:
  using Connected = UpstreamPool::Connected;

  void connect_to(std::initializer_list<const Place*> places) {
    resolver_.addresses.clear();
    for (const Place* place : places) resolver_.addresses.push_back(place->endpoint());
  }
  // Up to where it waits.
  void begin(std::chrono::milliseconds timeout) {
    outcome_.reset();
    connecting_ = std::make_unique<Connecting>(sweep_);
    SocketFixture::begin(keep(pool_->connect(*connecting_, timeout), outcome_));
    context_.poll();
  }
  Connected& run() {
    run_until([this] { return outcome_.has_value(); });
    return outcome_.value();
  }
  Connected& connect(std::chrono::milliseconds timeout = 30s) {
    begin(timeout);
    return run();
  }
  static Task<void> keep(Task<Connected> connect, std::optional<Connected>& outcome) {
    outcome.emplace(co_await std::move(connect));
  }

  std::shared_ptr<UpstreamPool> pool_that_asks_again_after(std::chrono::milliseconds refresh) {
    return std::make_shared<UpstreamPool>(
        resources_, routing::Endpoint{.tls = false, .host = "bedrock.test", .port = 80, .path = ""},
        nullptr,
        UpstreamPool::Settings{
            .addresses = {.refresh = refresh, .keep = 1h}, .max_idle = 4, .idle_timeout = 30s});
  }

  std::shared_ptr<UpstreamPool> pool_that_speaks_tls() {
    auto tls = make_client_tls({});
    if (!tls) throw std::runtime_error(tls.error().context);
    return std::make_shared<UpstreamPool>(
        resources_, routing::Endpoint{.tls = true, .host = "bedrock.test", .port = 80, .path = ""},
        *tls, UpstreamPool::Settings{.addresses = {.refresh = 1h, .keep = 1h}});
  }

  DeadlineSweep sweep_{context_};
  ToldResolver resolver_{context_};
  metrics::BlockPool blocks_;
  ThreadResources resources_{context_, sweep_, resolver_, blocks_};
  std::shared_ptr<UpstreamPool> pool_ = pool_that_asks_again_after(1h);
  std::unique_ptr<Connecting> connecting_;
  std::optional<Connected> outcome_;
  Place first_, second_, third_;
};

TEST_F(UpstreamPoolTest, LeavesTimeForTheNextAddressWhereOneSwallowsEverything) {
  first_.swallow();
  second_.listen();
  connect_to({&first_, &second_});
  const auto& connected = connect(4s);
  ASSERT_TRUE(connected) << connected.error().context;
  EXPECT_TRUE(second_.has_connection());
}

TEST_F(UpstreamPoolTest, TriesTheNextAddressWhereOneDoesNotSpeakTls) {
  pool_ = pool_that_speaks_tls();
  first_.listen();
  second_.listen();
  connect_to({&first_, &second_});
  begin(30s);
  run_until([this] { return first_.has_connection(0ms); });
  first_.accept();  // and closes it
  run_until([this] { return second_.has_connection(0ms); });
  connecting_->interrupt();
  EXPECT_EQ(run().error().kind, ErrorKind::cancelled);
}

TEST_F(UpstreamPoolTest, LeavesTimeForTheNextAddressWhereOneNeverShakesHands) {
  pool_ = pool_that_speaks_tls();
  first_.listen();
  second_.listen();
  connect_to({&first_, &second_});
  const auto& connected = connect(1s);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().kind, ErrorKind::tls);
  EXPECT_EQ(connected.error().context, "TLS handshake with bedrock.test:80: timed out");
  EXPECT_TRUE(second_.has_connection());
}

TEST_F(UpstreamPoolTest, GivesUpWhenItsTimeIsOverHoweverManyAddressesThereAre) {
  first_.swallow();
  second_.swallow();
  third_.swallow();
  connect_to({&first_, &second_, &third_});
  const auto& connected = connect(400ms);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().kind, ErrorKind::connect);
  EXPECT_EQ(connected.error().context, "connect to bedrock.test: timed out");
}

TEST_F(UpstreamPoolTest, TellsWhyTheLastAddressDidNotTakeIt) {
  first_.swallow();
  connect_to({&first_, &second_});
  const auto& connected = connect(4s);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().context, "connect to bedrock.test: Connection refused");
}

TEST_F(UpstreamPoolTest, TriesNoFurtherAddressOnceItIsInterrupted) {
  first_.swallow();
  second_.listen();
  connect_to({&first_, &second_});
  begin(30s);
  ASSERT_FALSE(outcome_) << "it waits for the first";
  connecting_->interrupt();
  const auto& connected = run();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().kind, ErrorKind::cancelled);
  EXPECT_FALSE(second_.has_connection(0ms));
}

TEST_F(UpstreamPoolTest, BeginsWithTheAddressThatWorkedWhereAnotherDidNot) {
  second_.listen();
  connect_to({&first_, &second_});
  ASSERT_TRUE(connect());
  second_.accept();
  first_.listen();  // nobody knows
  ASSERT_TRUE(connect());
  EXPECT_TRUE(second_.has_connection());
  EXPECT_FALSE(first_.has_connection(0ms));
}

TEST_F(UpstreamPoolTest, BeginsWithTheFirstAddressAgainWhenTheNameWouldBeLookedUpAnew) {
  pool_ = pool_that_asks_again_after(-1ms);
  second_.listen();
  connect_to({&first_, &second_});
  ASSERT_TRUE(connect());
  second_.accept();
  first_.listen();
  ASSERT_TRUE(connect());
  EXPECT_TRUE(first_.has_connection());
}

TEST_F(UpstreamPoolTest, FollowsTheResolversOrderWhileTheFirstAddressWorks) {
  pool_ = pool_that_asks_again_after(-1ms);
  first_.listen();
  second_.listen();
  connect_to({&first_, &second_});
  ASSERT_TRUE(connect());
  EXPECT_TRUE(first_.has_connection());
  connect_to({&second_, &first_});
  ASSERT_TRUE(connect());  // the answer before is used while it is renewed
  ASSERT_TRUE(connect());
  EXPECT_TRUE(second_.has_connection());
}

TEST_F(UpstreamPoolTest, ForgetsTheAddressThatWorkedOnceTheNameHasItNoMore) {
  second_.listen();
  third_.listen();
  connect_to({&first_, &second_});
  ASSERT_TRUE(connect());
  second_.accept();
  connect_to({&third_});
  const auto lasting = std::exchange(pool_, pool_that_asks_again_after(-1ms));
  ASSERT_TRUE(connect());  // another pool of that name has it renewed
  context_.restart();
  context_.poll();
  pool_ = lasting;
  ASSERT_TRUE(connect());
  EXPECT_TRUE(third_.has_connection());
}

// --- Connections that rested

class RestingConnection : public UpstreamPoolTest {
 protected:
  // Made, and given back as after an answer. Its other end.
  tcp::socket rest(bool broken) {
    first_.listen();
    connect_to({&first_});
    auto& connected = connect();
    if (!connected) throw std::runtime_error(connected.error().context);
    if (broken) (*connected)->shut_down_sending();
    pool_->give_back(std::move(*connected));
    return first_.accept();
  }
  Status send(std::string body) {
    std::optional<Status> sent;
    SocketFixture::begin(send_one(std::move(body), sent));
    run_until([&sent] { return sent.has_value(); });
    return sent.value();
  }
  // Whole, and its connection goes with it.
  Task<void> send_one(std::string body, std::optional<Status>& sent) {
    ResponseHead answer;
    UpstreamCall call(pool_,
                      CallLimits{.connect = 30s,
                                 .first_byte = 30s,
                                 .idle = 30s,
                                 .max_head_bytes = 65'536,
                                 .max_chunk_overhead_bytes = 65'536},
                      answer);
    std::string head = "POST / HTTP/1.1\r\n\r\n";
    sent = co_await call.send(head, body);
  }
  static std::string all_of(tcp::socket socket) {
    std::string received;
    boost::system::error_code ended;
    asio::read(socket, asio::dynamic_buffer(received), ended);
    return received;
  }
};

TEST_F(RestingConnection, IsUsedAgain) {
  auto peer = rest(false);
  ASSERT_TRUE(send("a"));
  EXPECT_EQ(all_of(std::move(peer)), "POST / HTTP/1.1\r\n\r\na");
}

TEST_F(RestingConnection, ThatTakesNoByteAnyMoreIsReplacedByANewOne) {
  for (const std::string& body : {std::string("a"), std::string(20'000, 'b')}) {
    const auto peer = rest(true);
    ASSERT_TRUE(send(body));
    EXPECT_EQ(all_of(first_.accept()), "POST / HTTP/1.1\r\n\r\n" + body);
  }
}

}  // namespace
}  // namespace understudy::proxy

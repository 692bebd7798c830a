// Both ends of a connection are ours: Asio's and OpenSSL's own opinion of them is in tls_test and
// the tests of TLS listeners.

#include "proxy/tls_stream.h"

#include <array>
#include <boost/asio/ssl/error.hpp>
#include <memory>
#include <optional>
#include <string>

#include "proxy/tls.h"
#include "tests/proxy/socket_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/tls_records.h"

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using testing_support::certificate_pem;
using testing_support::HandmadeRecords;
using testing_support::Identity;
using testing_support::key_pem;
using testing_support::make_authority;
using testing_support::make_identity;

class TlsStreamTest : public SocketFixture {
 protected:
  TlsStreamTest() {
    testing_support::tell_client_secret((*context_of_clients_)->native_handle(), client_secret_);
  }

  struct Pair {
    std::unique_ptr<TlsStream> client, server;
    TlsStream::Handshake of_client{}, of_server{};
  };
  Pair shake_hands(const std::string& name = "bedrock.test") {
    auto [client, server] = connected(context_);
    auto session = make_client_session(**context_of_clients_, name);
    Pair pair{
        std::make_unique<TlsStream>(events_, std::move(client), std::move(*session)),
        std::make_unique<TlsStream>(events_, std::move(server), server_->make_session(), server_)};
    int done = 0;
    begin(shake(*pair.client, pair.of_client, done));
    begin(shake(*pair.server, pair.of_server, done));
    run_until([&] { return done == 2; });
    return pair;
  }
  static Task<void> shake(TlsStream& stream, TlsStream::Handshake& handshake, int& done) {
    handshake = co_await stream.shake_hands();
    if (!handshake.done) stream.socket().close();
    ++done;
  }

  struct Reading {
    std::string text;
    error_code error;
  };
  static Task<void> read_into(TlsStream& stream, std::optional<Reading>& reading,
                              std::size_t most = 100) {
    std::string buffer(most, '\0');
    const auto [error, size] = co_await stream.read_some(asio::buffer(buffer));
    reading = Reading{buffer.substr(0, size), error};
  }
  Reading read(TlsStream& stream, std::size_t most = 100) {
    std::optional<Reading> reading;
    begin(read_into(stream, reading, most));
    run_until([&] { return reading.has_value(); });
    return *reading;
  }
  static Task<void> write_all(TlsStream& stream, std::string_view text,
                              std::optional<IoResult>& written) {
    const std::array buffers{asio::buffer(text)};
    written = co_await stream.write(buffers);
  }
  IoResult write(TlsStream& stream, std::string_view text) {
    std::optional<IoResult> written;
    begin(write_all(stream, text, written));
    run_until([&] { return written.has_value(); });
    return *written;
  }
  // Below TLS.
  static void send_raw(TlsStream& stream, std::string_view bytes) {
    const std::array buffers{asio::buffer(bytes)};
    EXPECT_EQ(stream.socket().try_write(buffers), IoResult(error_code{}, bytes.size()));
  }

  static std::shared_ptr<const TlsServer> load(const testing_support::ScratchDirectory& files,
                                               const Identity& own) {
    const auto loaded =
        TlsServer::load({.certificates = {{files.write("a.crt", certificate_pem(own)),
                                           files.write("a.key", key_pem(own))}},
                         .client_ca = {}},
                        {});
    EXPECT_TRUE(loaded.server);
    return loaded.server;
  }

  std::string client_secret_;  // of the last handshake
  const testing_support::ScratchDirectory files_;
  const Identity authority_ = make_authority("the test's authority");
  const Identity own_ = make_identity({.issuer = &authority_});
  const std::shared_ptr<const TlsServer> server_ = load(files_, own_);
  const Result<std::shared_ptr<asio::ssl::context>> context_of_clients_ =
      make_client_tls(files_.write("ca.pem", certificate_pem(authority_)));
};

TEST_F(TlsStreamTest, CarriesWhatBothEndsSay) {
  Pair pair = shake_hands();
  ASSERT_TRUE(pair.of_client.done) << pair.of_client.detail;
  EXPECT_EQ(pair.of_client.result, "full");
  EXPECT_EQ(pair.client->protocol(), "http/1.1");
  EXPECT_TRUE(pair.client->client_names().empty()) << "the server's are not a client's";
  const std::string question(100'000, 'q');  // several records
  std::string got;
  EXPECT_EQ(write(*pair.client, question), IoResult(error_code{}, question.size()));
  while (got.size() < question.size()) got += read(*pair.server, 4096).text;
  EXPECT_EQ(got, question);
  write(*pair.server, "answer");
  EXPECT_EQ(read(*pair.client).text, "answer");
}

TEST_F(TlsStreamTest, SaysWhyTheServerIsNotTrusted) {
  const Pair stranger = shake_hands("another.test");
  EXPECT_FALSE(stranger.of_client.done);
  EXPECT_EQ(stranger.of_client.result, "bad_certificate");
  EXPECT_NE(stranger.of_client.detail.find("hostname mismatch"), std::string::npos)
      << stranger.of_client.detail;
  EXPECT_EQ(stranger.of_server.result, "alert");
  EXPECT_NE(stranger.of_server.detail, "");
}

TEST_F(TlsStreamTest, TellsAClientAnEndFromACut) {
  Pair ended = shake_hands(), cut = shake_hands();
  write(*ended.server, "all of it");
  ended.server->try_end_writing();
  ended.server->socket().close();
  write(*cut.server, "a part");
  cut.server->socket().close();
  EXPECT_EQ(read(*ended.client).text, "all of it");
  EXPECT_EQ(read(*ended.client).error, asio::error::eof);
  EXPECT_EQ(read(*cut.client).text, "a part");
  EXPECT_EQ(read(*cut.client).error, asio::ssl::error::stream_truncated);
}

TEST_F(TlsStreamTest, TakesAClientThatLeavesWithoutAWordForOneThatEnds) {
  Pair pair = shake_hands();
  write(*pair.server, "goodbye");
  read(*pair.client);  // all, the session's ticket too: what is left unread makes a close a reset
  pair.client->socket().close();
  EXPECT_EQ(read(*pair.server).error, asio::error::eof);
}

// To refuse a large body, say.
TEST_F(TlsStreamTest, StillReadsWhatThePeerSaidBeforeItLeft) {
  Pair pair = shake_hands();
  write(*pair.server, "refused");
  pair.server->socket().close();
  const std::string body(1u << 20, 'b');
  error_code error;
  for (int i = 0; i < 100 && !error; ++i) error = std::get<0>(write(*pair.client, body));
  EXPECT_TRUE(error == asio::error::broken_pipe || error == asio::error::connection_reset)
      << error.message();
  EXPECT_EQ(read(*pair.client).text, "refused");
  EXPECT_TRUE(read(*pair.client).error);
}

TEST_F(TlsStreamTest, KnowsOfBytesThatItTookAndNobodyReadYet) {
  Pair pair = shake_hands();
  write(*pair.server, "hello");
  EXPECT_EQ(read(*pair.client, 1).text, "h");
  EXPECT_TRUE(pair.client->has_pending());
  EXPECT_EQ(read(*pair.client).text, "ello");
  EXPECT_FALSE(pair.client->has_pending());
}

// Until the rest of it is there OpenSSL neither reads nor writes: both wait for input then.
TEST_F(TlsStreamTest, GoesOnReadingAndWritingBehindAKeyUpdateInTwoRecords) {
  Pair pair = shake_hands();
  HandmadeRecords client(client_secret_);
  std::string bytes = client.next(HandmadeRecords::Type::application, "hello");
  bytes += client.next(HandmadeRecords::Type::handshake, {"\x18\0\0\x01", 4});
  send_raw(*pair.client, bytes);
  EXPECT_EQ(read(*pair.server).text, "hello");
  std::optional<Reading> reading;
  std::optional<IoResult> written;
  begin(read_into(*pair.server, reading));
  begin(write_all(*pair.server, "answer", written));
  EXPECT_FALSE(reading || written);
  bytes = client.next(HandmadeRecords::Type::handshake, {"\0", 1});
  client.update_key();
  send_raw(*pair.client, bytes += client.next(HandmadeRecords::Type::application, "more"));
  run_until([&] { return reading && written; });
  EXPECT_EQ(reading->text, "more");
  EXPECT_EQ(read(*pair.client).text, "answer");
}

// There is no room for the answer to that, nor for the rest of what is being written.
TEST_F(TlsStreamTest, GoesOnReadingAndWritingWhereOneWhoReadsNothingAsksForAKeyUpdate) {
  Pair pair = shake_hands();
  HandmadeRecords client(client_secret_);
  const std::string much(32u << 20, 'm');
  std::optional<Reading> reading;
  std::optional<IoResult> written;
  begin(write_all(*pair.server, much, written));
  while (context_.poll() > 0) {
  }
  EXPECT_FALSE(written);
  begin(read_into(*pair.server, reading));
  std::string bytes = client.next(HandmadeRecords::Type::handshake, {"\x18\0\0\x01\x01", 5});
  client.update_key();
  send_raw(*pair.client, bytes += client.next(HandmadeRecords::Type::application, "more"));
  std::size_t got = 0;
  const auto take_all = [&]() -> Task<void> {
    std::string buffer(64u << 10, '\0');
    error_code error;
    while (got < much.size() && !error) {
      const auto read = co_await pair.client->read_some(asio::buffer(buffer));
      error = std::get<0>(read);
      got += std::get<1>(read);
    }
  };
  begin(take_all());
  run_until([&] { return got == much.size() && written && reading; });
  EXPECT_EQ(*written, IoResult(error_code{}, much.size()));
  EXPECT_EQ(reading->text, "more");
}

TEST_F(TlsStreamTest, LetsOthersRunBeforeMuchIsWrittenThoughThereIsRoomForIt) {
  Pair pair = shake_hands();
  const std::string much(1u << 20, 'm');
  std::optional<IoResult> written;
  begin(write_all(*pair.server, much, written));
  EXPECT_FALSE(written);
  pair.server->socket().close();
  run_until([&] { return written.has_value(); });
}

TEST_F(TlsStreamTest, DoesNotLetOneWhoAlwaysFindsSomethingKeepTheThread) {
  constexpr int kBytes = 1000;
  Pair pair = shake_hands();
  write(*pair.server, std::string(kBytes, 'a'));
  int got = 0;
  const auto read_byte_by_byte = [&]() -> Task<void> {
    for (char byte = 0; got < kBytes; ++got)
      co_await pair.client->read_some(asio::buffer(&byte, 1));
  };
  begin(read_byte_by_byte());
  EXPECT_GT(turns_of_others_until([&] { return got == kBytes; }), kBytes / 20);
}

}  // namespace
}  // namespace understudy::proxy

// Who may use the admin port, and by which names. Row A18 of the threat model.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "metrics/recorder.h"
#include "proxy/admin.h"
#include "proxy/admin_api.h"
#include "proxy/commands/admin_client.h"
#include "proxy/lifecycle_report.h"
#include "routing/day.h"
#include "tests/support/certificates.h"
#include "tests/support/plain_client.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/tls_client.h"

namespace understudy::proxy {
namespace {

using testing::HasSubstr;
using testing_support::Identity;
using testing_support::make_authority;
using testing_support::make_identity;
using testing_support::PlainClient;
using testing_support::TlsClient;
using testing_support::TlsClientOptions;

constexpr std::uint16_t kPort = 9901;
constexpr char kToken[] = "a-token-of-the-operators";

class AdminAccess : public testing::Test {
 protected:
  AdminSources sources(AdminTarget target = {}) {
    routing::Config config;
    config.admin = config_;
    snapshot_ = std::make_shared<const Snapshot>(
        Snapshot{.routes = routing::RouteTable(std::make_shared<const routing::Config>(config)),
                 .upstreams = {},
                 .admin = std::move(target),
                 .meters = {},
                 .experiments = {},
                 .default_meter = &recorder_->route("default"),
                 .prices = nullptr});
    return {.exposition = [this] { return recorder_->render(); },
            .snapshot = [this] { return snapshot_; },
            .process = [] { return ProcessStatus{}; },
            .reload =
                [this] {
                  ++reloads_;
                  return ReloadOutcome{metrics::ReloadResult::applied, {}};
                },
            .evidence =
                [](std::string_view) { return std::shared_ptr<const metrics::RouteEvidence>(); },
            .shadow = [](std::string_view) { return std::shared_ptr<const ShadowAccount>(); },
            .volumes = [](std::string_view) { return std::optional<VolumePeak>(); },
            .post_lifecycle = [this](std::string_view body) { return posts_.post(body); },
            .refused = [this](std::string_view limit) { recorder_->refused(limit); },
            .rollouts = rollouts_,
            .events = events_};
  }
  unsigned status(AdminRequest request, AdminTarget target = {}) {
    const AdminSources from = sources(std::move(target));
    const AdminReply reply = answer(request, kPort, from);
    return reply.later ? reply.later().status : reply.status;
  }
  unsigned status_for_host(std::string_view host) {
    return status({.method = "GET",
                   .target = "/healthz",
                   .hosts = {host},
                   .origins = {},
                   .local_address = "10.1.2.3"});
  }
  static AdminTarget with_token() { return {.tls = nullptr, .token = Secret(kToken)}; }

  routing::AdminConfig config_;
  std::unique_ptr<metrics::Recorder> recorder_ = metrics::make_prometheus_recorder();
  std::shared_ptr<const Snapshot> snapshot_;
  StateWriter state_writer_;
  EventLog events_;
  LifecyclePosts posts_{events_, state_writer_, "", routing::today};
  RolloutKeeper rollouts_{events_, state_writer_};
  int reloads_ = 0;
};

TEST_F(AdminAccess, A18AnswersToItsOwnNamesAlone) {
  config_.hosts = {"understudy.internal"};
  for (const char* ours : {"localhost:9901", "127.0.0.1:9901", "127.8.9.10:9901", "[::1]:9901",
                           "10.1.2.3:9901", "understudy.internal", "Understudy.Internal:443"})
    EXPECT_EQ(status_for_host(ours), 200u) << ours;
  for (const char* foreign :
       {"evil.test:9901", "10.1.2.4:9901", "10.1.2.3", "localhost", "localhost:80",
        "127.0.0.1.evil.test:9901", "understudy.internal.evil.test", "", "10.1.2.3:99010"})
    EXPECT_EQ(status_for_host(foreign), 403u) << foreign;
}

TEST_F(AdminAccess, A18TakesNoPostFromAnotherSitesPage) {
  const auto post = [&](std::vector<std::string_view> origins,
                        std::vector<std::string_view> sites) {
    return status({.method = "POST",
                   .target = "/api/reload",
                   .hosts = {"localhost:9901"},
                   .origins = std::move(origins),
                   .fetch_sites = std::move(sites)});
  };
  EXPECT_EQ(post({}, {}), 200u) << "no browser";
  EXPECT_EQ(post({"http://localhost:9901"}, {"same-origin"}), 200u);
  EXPECT_EQ(post({}, {"none"}), 200u);
  EXPECT_EQ(post({}, {"cross-site"}), 403u);
  EXPECT_EQ(post({}, {"same-site"}), 403u);
  EXPECT_EQ(post({}, {"same-origin", "cross-site"}), 403u);
  EXPECT_EQ(post({"https://localhost:9901"}, {}), 403u);
  EXPECT_EQ(post({"null"}, {}), 403u);
  EXPECT_EQ(reloads_, 3);
}

TEST_F(AdminAccess, A18AnswersNothingWithoutTheToken) {
  const auto with = [&](std::vector<std::string_view> authorizations, std::string_view target) {
    return status({.method = target == "/api/reload" ? "POST" : "GET",
                   .target = target,
                   .hosts = {"localhost:9901"},
                   .origins = {},
                   .authorizations = std::move(authorizations)},
                  with_token());
  };
  const std::string good = std::string("Bearer ") + kToken;
  for (const char* target : {"/", "/metrics", "/healthz", "/api/status", "/api/reload"}) {
    EXPECT_EQ(with({good}, target), 200u) << target;
    EXPECT_EQ(with({}, target), 401u) << target;
    for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer a-token-of-the-operator",
                              "Bearer a-token-of-the-operators2", "Basic a-token-of-the-operators"})
      EXPECT_EQ(with({wrong}, target), 401u) << target << ' ' << wrong;
    EXPECT_EQ(with({good, "Bearer other"}, target), 401u) << "two of them";
  }
  EXPECT_EQ(reloads_, 1);
}

TEST_F(AdminAccess, A18TheReadOnlyPortServesMetricsAndProbesAndNothingElse) {
  const auto all = sources(with_token());
  const auto read = [&](std::string_view method, std::string_view target) {
    return read_only_answer(
               {.method = method, .target = target, .hosts = {"10.0.0.7:9902"}, .origins = {}}, all)
        .status;
  };
  EXPECT_EQ(read("GET", "/metrics"), 200u);
  EXPECT_EQ(read("GET", "/healthz"), 200u);
  EXPECT_EQ(read("GET", "/readyz"), 503u);
  EXPECT_EQ(read("POST", "/metrics"), 405u);
  for (const char* target : {"/", "/api/status", "/api/routes", "/api/routes/x", "/api/reload",
                             "/metrics/", "/../api/status"}) {
    EXPECT_EQ(read("GET", target), 404u) << target;
    EXPECT_EQ(read("POST", target), 404u) << target;
  }
  EXPECT_EQ(reloads_, 0);
}

TEST_F(AdminAccess, A18TheReadOnlyPortHasConnectionsOfItsOwn) {
  config_.address = {"127.0.0.1", 0};
  config_.max_connections = 2;
  config_.read_only = routing::AdminReadOnlyConfig{{"127.0.0.1", 0}, 2};
  const auto admin = Admin::start(config_, sources());
  ASSERT_TRUE(admin);
  const auto get = [](PlainClient& client, std::uint16_t port) {
    client.send("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) + "\r\n\r\n");
    return client.receive().status;
  };
  const std::uint16_t port = (*admin)->port(), scraped = (*admin)->read_only_port();
  PlainClient first(scraped), second(scraped);
  EXPECT_EQ(get(first, scraped), 200);
  EXPECT_EQ(get(second, scraped), 200);
  EXPECT_TRUE(PlainClient(scraped).peer_closed());
  PlainClient operators(port);
  EXPECT_EQ(get(operators, port), 200);
  EXPECT_NE(recorder_->render().find("limit=\"admin.read_only.max_connections\"} 1"),
            std::string::npos);
}

// An admin port that asks who comes.
class AdminAccessByCertificate : public AdminAccess {
 protected:
  void SetUp() override {
    const auto tls =
        TlsServer::load({.certificates = {{files_.write("a.crt", certificate_pem(own_)),
                                           files_.write("a.key", key_pem(own_))}},
                         .client_ca = authority_file_},
                        {.max_sessions = 100, .offers_http2 = false});
    ASSERT_EQ(tls.problems, std::vector<std::string>{});
    config_.address = {"127.0.0.1", 0};
    auto started = Admin::start(config_, sources({.tls = tls.server, .token = {}}));
    ASSERT_TRUE(started);
    admin_ = std::move(*started);
  }
  std::string get(const Identity* identity) const {
    TlsClientOptions options{.authority = &authority_,
                             .name = "localhost",
                             .protocols = {"h2", "http/1.1"},
                             .identity = identity};
    TlsClient client(admin_->port(), options);
    EXPECT_NE(client.protocol(), "h2");
    client.write("GET /healthz HTTP/1.1\r\nConnection: close\r\nHost: localhost:" +
                 std::to_string(admin_->port()) + "\r\n\r\n");
    std::string got;
    while (client.read(got) == testing_support::Socket::Read::data) {
    }
    return got.substr(0, 12);
  }
  // As the commands ask.
  Result<AdminAnswer> ask(const std::string& certificate_file, const std::string& key_file) const {
    return ask_admin({.url = "https://localhost:" + std::to_string(admin_->port()),
                      .ca_file = authority_file_,
                      .certificate_file = certificate_file,
                      .key_file = key_file},
                     "GET", "/healthz");
  }

  const testing_support::ScratchDirectory files_;
  const Identity authority_ = make_authority("operators"),
                 own_ = make_identity({.name = "localhost",
                                       .alternative_names = "DNS:localhost",
                                       .issuer = &authority_}),
                 person_ = make_identity({.name = "operator", .issuer = &authority_});
  const std::string authority_file_ = files_.write("ca.pem", certificate_pem(authority_)),
                    certificate_file_ = files_.write("p.crt", certificate_pem(person_)),
                    key_file_ = files_.write("p.key", key_pem(person_));
  std::unique_ptr<Admin> admin_;
};

TEST_F(AdminAccessByCertificate, A18AsksForAClientCertificateWhereItIsTold) {
  EXPECT_EQ(get(&person_), "HTTP/1.1 200");
  EXPECT_EQ(get(nullptr), "");
}

TEST_F(AdminAccessByCertificate, A18LetsTheCommandsInThatShowTheirs) {
  const std::string both = files_.write("both.pem", certificate_pem(person_) + key_pem(person_));
  for (const auto& answer : {ask(certificate_file_, key_file_), ask(both, "")}) {
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_EQ(answer->status, 200u);
  }
}

TEST_F(AdminAccessByCertificate, A18TellsTheOthersWhatIsMissing) {
  const auto context = [](const Result<AdminAnswer>& answer) {
    return answer ? std::string("it was let in") : answer.error().context;
  };
  EXPECT_THAT(context(ask("", "")), HasSubstr("give --certificate and --key"));
  EXPECT_THAT(context(ask("", key_file_)), HasSubstr("--key goes with --certificate"));
  EXPECT_THAT(context(ask(certificate_file_, files_.write("own.key", key_pem(own_)))),
              HasSubstr("its key in "));
  EXPECT_THAT(context(ask(certificate_file_ + ".none", key_file_)),
              HasSubstr("the certificate in " + certificate_file_ + ".none: "));
}

}  // namespace
}  // namespace understudy::proxy

#include "proxy/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const Environment kEmptyEnvironment = [](std::string_view) { return std::optional<std::string>(); };

routing::UpstreamConfig upstream(const std::string& name,
                                 routing::CredentialsConfig::Source source) {
  routing::UpstreamConfig made;
  made.name = name;
  made.endpoint = {.tls = false, .host = "127.0.0.1", .port = 9000, .path = ""};
  made.control_endpoint = made.endpoint;
  made.region = "us-east-1";
  made.credentials.source = source;
  return made;
}

routing::Config example_config() {
  routing::Config config;
  config.upstreams = {upstream("east", routing::CredentialsConfig::Source::none)};
  routing::RouteConfig route;
  route.name = "sonnet";
  route.match.models = {"anthropic.*"};
  route.candidate =
      routing::VariantConfig{.upstream = 0, .model = "amazon.nova-lite-v1:0", .rewrite = {}};
  config.routes = {route};
  return config;
}

class SnapshotTest : public testing::Test {
 protected:
  SnapshotResult make(routing::Config config) {
    return make_snapshot(std::make_shared<const routing::Config>(std::move(config)), *recorder_,
                         keeper_, kEmptyEnvironment);
  }
  std::unique_ptr<metrics::Recorder> recorder_ = metrics::make_prometheus_recorder();
  aws::CredentialsKeeper keeper_{*recorder_};
};

TEST(CompanionFiles, HoldThePricesSoThatANewPriceIsInForceAtOnce) {
  routing::Config config = example_config();
  EXPECT_THAT(companion_files(config), IsEmpty()) << "the built-in ones never change";
  config.prices_file = "/etc/understudy/prices.json";
  EXPECT_THAT(companion_files(config), ElementsAre("/etc/understudy/prices.json"));
}

TEST_F(SnapshotTest, HoldsWhatEachRequestNeeds) {
  routing::Config config = example_config();
  config.upstreams[0].credentials.source = routing::CredentialsConfig::Source::bearer;
  config.upstreams[0].credentials.token = "token";
  const SnapshotResult made = make(config);
  ASSERT_TRUE(made.snapshot);
  EXPECT_THAT(made.problems, IsEmpty());
  const Snapshot& snapshot = *made.snapshot;
  ASSERT_EQ(snapshot.upstreams.size(), 1U);
  EXPECT_EQ(snapshot.upstreams[0]->config.name, "east");
  EXPECT_EQ(snapshot.upstreams[0]->credentials->slot->now().credentials->kind,
            Credentials::Kind::bearer);
  EXPECT_FALSE(snapshot.upstreams[0]->tls.context) << "plain HTTP needs no context";
  EXPECT_THAT(snapshot.meters, ElementsAre(&recorder_->route("sonnet")));
  EXPECT_EQ(snapshot.default_meter, &recorder_->route("default"));
  EXPECT_TRUE(snapshot.prices->knows("amazon.nova-lite-v1:0"));
}

TEST_F(SnapshotTest, GivesUpstreamsWithTheSameAnchorsOneTlsContext) {
  routing::Config config = example_config();
  config.upstreams.push_back(upstream("west", routing::CredentialsConfig::Source::none));
  for (auto& one : config.upstreams) one.endpoint.tls = true;
  const SnapshotResult made = make(config);
  ASSERT_TRUE(made.snapshot) << testing::PrintToString(made.problems);
  EXPECT_TRUE(made.snapshot->upstreams[0]->tls.context);
  EXPECT_EQ(made.snapshot->upstreams[0]->tls.context, made.snapshot->upstreams[1]->tls.context);
}

TEST_F(SnapshotTest, ReportsEveryProblemUnderItsKeyAndLeavesNoSeriesBehind) {
  routing::Config config = example_config();
  config.upstreams = {upstream("east", routing::CredentialsConfig::Source::bearer),
                      upstream("west", routing::CredentialsConfig::Source::none)};
  config.upstreams[0].credentials.token_env = "NOT_SET_ANYWHERE";
  config.upstreams[1].endpoint.tls = true;
  config.upstreams[1].ca_file = "/nonexistent/anchors.pem";
  config.prices_file = "/nonexistent/prices.json";
  config.routes[0].name = "only-in-the-refused-config";
  const SnapshotResult made = make(config);
  EXPECT_FALSE(made.snapshot);
  EXPECT_THAT(made.problems,
              ElementsAre(StartsWith("upstreams.east.credentials: "),
                          StartsWith("upstreams.west.ca_file: "), StartsWith("prices_file: ")));
  EXPECT_THAT(recorder_->render(), Not(HasSubstr("only-in-the-refused-config")));
}

TEST_F(SnapshotTest, RefusesADollarBudgetWithoutAPrice) {
  routing::Config config = example_config();
  config.routes[0].shadow.budget.usd_per_day = 5;
  EXPECT_TRUE(make(config).snapshot);
  config.routes[0].candidate->model = "nobody.unheard-of-v1:0";
  EXPECT_THAT(make(config).problems,
              ElementsAre(HasSubstr("there is no price for nobody.unheard-of-v1:0")));
  config.routes[0].candidate->model = "";
  config.routes[0].match.models = {"nobody.unheard-of-v2:0"};
  EXPECT_THAT(make(config).problems,
              ElementsAre(HasSubstr("there is no price for nobody.unheard-of-v2:0")));
}

TEST(LoadPrices, WarnsWhereTheModelIsTheClientsChoice) {
  routing::Config config = example_config();
  config.routes[0].shadow.budget.usd_per_day = 5;
  config.routes[0].candidate->model = "";
  const LoadedPrices loaded = load_prices(config);
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_THAT(loaded.warnings,
              ElementsAre(StartsWith("routes.sonnet.shadow.budget.usd_per_day: ")));
}

TEST(LoadPrices, TellsWhatIsWrongWithAFile) {
  const testing_support::ScratchDirectory directory;
  routing::Config config = example_config();
  config.prices_file = directory.write("prices.json", "{\"not\": \"prices\"");
  const LoadedPrices loaded = load_prices(config);
  EXPECT_FALSE(loaded.prices);
  EXPECT_THAT(loaded.problems, ElementsAre(StartsWith("prices_file: ")));
}

}  // namespace
}  // namespace understudy::proxy

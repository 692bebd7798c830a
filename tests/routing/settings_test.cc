#include "routing/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "routing/config_loader.h"

namespace understudy::routing {
namespace {

using testing::_;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

const std::string kUpstreams =
    "listeners: [{address: 127.0.0.1:0}]\n"
    "upstreams:\n"
    "  east: {endpoint: \"http://127.0.0.1:1\", region: us-east-1, credentials: {source: none}}\n";

std::string with_route(const std::string& more) {
  return kUpstreams +
         "routes:\n  - name: sonnet\n    match: {models: [\"*\"]}\n    primary: {upstream: east}\n"
         "    candidate: {upstream: east, model: next}\n" +
         more;
}

Settings settings_of(std::string yaml) {
  if (yaml.find("routes:") == std::string::npos) yaml += "default_route: {upstream: east}\n";
  const LoadedConfig loaded = load_config_text(yaml, "test.yaml");
  for (const auto& problem : loaded.problems) {
    if (!problem.warning) ADD_FAILURE() << problem.to_string();
  }
  return loaded.config ? loaded.config->settings : Settings{};
}

std::vector<std::string> changes(const std::string& before, const std::string& after) {
  return change_texts(changes_between(settings_of(before), settings_of(after)));
}

TEST(Settings, NameEachKeyThatTakesEffectInAnotherWay) {
  EXPECT_THAT(changes(with_route("    shadow: {percent: 10, timeout: 60s}\n"),
                      with_route("    shadow: {percent: 0.5, timeout: 1m}\n")),
              ElementsAre("routes[sonnet].shadow.percent: 10 -> 0.5"))
      << "60s and 1m are the same";
}

TEST(Settings, KnowDefaultsWhoeverWroteThem) {
  const std::string bare = with_route("");
  EXPECT_THAT(changes(bare, bare + "limits: {header_timeout: 10s}\nlog: {level: info}\n"),
              IsEmpty());
  EXPECT_THAT(changes(bare, bare + "limits: {max_body_bytes: 64MiB}\nlog: {level: debug}\n"),
              UnorderedElementsAre("limits.max_body_bytes: 32MiB -> 64MiB",
                                   "log.level: (default) -> debug"));
  EXPECT_THAT(changes(with_route("    shadow: {budget: {usd_per_day: 50}}\n"), bare),
              ElementsAre("routes[sonnet].shadow.budget.usd_per_day: 50 -> (default)"));
}

TEST(Settings, TellWhatIsReadByOtherMeansToo) {
  EXPECT_THAT(changes(with_route("    canary: {percent: 5, sticky_by: caller}\n"),
                      with_route("    canary: {percent: 5, sticky_by: {header: x-tenant},\n"
                                 "             gates: {latency: off}}\n")),
              UnorderedElementsAre(HasSubstr("canary.sticky_by: caller -> (default)"),
                                   HasSubstr("canary.sticky_by.header: (none) -> x-tenant"),
                                   HasSubstr("canary.gates: off -> on"),
                                   HasSubstr("canary.gates.latency: (default) -> off")));
}

TEST(Settings, TellAnElementThatCameOrWentOnce) {
  const std::string two =
      with_route("") + "  - name: haiku\n    primary: {upstream: east}\n    match: {models: [h]}\n";
  EXPECT_THAT(
      changes(with_route(""), two),
      ElementsAre("routes[haiku]: added (name haiku, match.models h, primary.upstream east)"));
  EXPECT_THAT(changes(two, with_route("")), ElementsAre("routes[haiku]: removed"));
  EXPECT_THAT(changes(with_route("    canary: {stages: [{percent: 1}]}\n"),
                      with_route("    canary: {stages: [{percent: 1}, {percent: 100}]}\n")),
              ElementsAre("routes[sonnet].canary.stages[1]: added (percent 100)"));
}

TEST(Settings, TellRoutesInAnotherOrderForTheFirstThatMatchesDecides) {
  const std::string haiku =
      "  - name: haiku\n    primary: {upstream: east}\n    match: {models: [h]}\n";
  const std::string sonnet =
      "  - name: sonnet\n    primary: {upstream: east}\n    match: {models: [s]}\n";
  EXPECT_THAT(
      changes(kUpstreams + "routes:\n" + haiku + sonnet, kUpstreams + "routes:\n" + sonnet + haiku),
      ElementsAre("routes order: haiku, sonnet -> sonnet, haiku"));
}

TEST(Settings, MovedUpstreamsChangeNothing) {
  const std::string west =
      "  west: {endpoint: \"http://127.0.0.1:2\", region: us-west-2, credentials: {source: "
      "none}}\n";
  const std::string east = kUpstreams.substr(kUpstreams.find("  east:"));
  const std::string head = kUpstreams.substr(0, kUpstreams.find("  east:"));
  EXPECT_THAT(changes(head + east + west, head + west + east), IsEmpty());
  EXPECT_THAT(changes(head + east, head + west + east), SizeIs(1));
}

TEST(Settings, NeverShowASecret) {
  const auto keyed = [](const std::string& secret) {
    return "listeners: [{address: 127.0.0.1:0}]\n"
           "upstreams:\n  east: {endpoint: \"http://127.0.0.1:1\", region: us-east-1, credentials: "
           "{source: static, access_key_id: AKIAONE, secret_access_key: " +
           secret + "}}\n";
  };
  const Settings settings = settings_of(keyed("hunter2hunter2"));
  for (const Setting& setting : settings) {
    EXPECT_THAT(setting.value, Not(HasSubstr("hunter2"))) << setting.key;
    EXPECT_THAT(setting.value, Not(HasSubstr("AKIA"))) << setting.key;
  }
  EXPECT_THAT(changes(keyed("hunter2hunter2"), keyed("correct-horse")),
              ElementsAre("upstreams[east].credentials.secret_access_key: another value"));
  const auto added = changes(kUpstreams, keyed("hunter2hunter2"));
  for (const std::string& change : added) EXPECT_THAT(change, Not(HasSubstr("hunter2")));
}

TEST(Settings, AreToldWithinBounds) {
  std::vector<SettingChange> many(500, {"a.key", "a.key: 1 -> 2"});
  EXPECT_THAT(change_texts(many, 3), ElementsAre(_, _, _, "and 497 more"));
  EXPECT_THAT(change_texts(many, 100, 30), ElementsAre(_, _, "and 498 more"));
  const Settings before{make_setting("a.key", "1", "1")};
  const Settings after{make_setting("a.key", std::string(10'000, 'x') + "\x1b[2J", "1")};
  EXPECT_LT(changes_between(before, after).at(0).text.size(), 400u);
  const Settings colourful{make_setting("a.key", "\x1b[2J", "1")};
  EXPECT_THAT(changes_between(before, colourful).at(0).text, HasSubstr("?[2J"));
}

}  // namespace
}  // namespace understudy::routing

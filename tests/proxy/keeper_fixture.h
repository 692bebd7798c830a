#pragma once
// A keeper of credentials with a fake of AWS, a home directory and a clock of its own.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "metrics/recorder.h"
#include "proxy/aws/keeper.h"
#include "tests/support/fake_aws.h"
#include "tests/support/home.h"
#include "tests/support/proxy_under_test.h"

namespace understudy::proxy::aws {

class KeeperTest : public testing::Test {
 protected:
  KeeperTest() {
    home_.set("AWS_ENDPOINT_URL_STS", aws_.url());
    home_.set("AWS_ENDPOINT_URL_SSO", aws_.url());
    home_.set("AWS_ENDPOINT_URL_SSO_OIDC", aws_.url());
    home_.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws_.url());
    config_.source = routing::CredentialsConfig::Source::default_chain;
  }

  std::shared_ptr<const CredentialUse> use(const std::string& upstream = "east") {
    auto plan = plan_credentials(config_, "us-east-1", home_.environment());
    EXPECT_TRUE(plan) << plan.error().context;
    return keeper_.use(upstream, std::move(*plan));
  }

  // The access key id that the source gives, or what is wrong.
  std::string first(const std::shared_ptr<const CredentialUse>& use) {
    EXPECT_TRUE(keeper_.wait_for_first(*use->slot, testing_support::kPatience));
    return id(*use);
  }
  static std::string id(const CredentialUse& use) {
    const auto now = use.slot->now();
    return now.credentials ? now.credentials->keys.access_key_id
                           : "none: " + use.slot->status().problem;
  }
  std::string fetched() { return first(use()); }

  void advance(std::chrono::seconds by) {
    clock_.advance(by);
    keeper_.look();
  }
  bool reaches(const CredentialUse& use, CredentialState state) {
    return testing_support::eventually([&] { return use.slot->status().state == state; });
  }
  std::string metrics() { return recorder_->render(); }
  std::string executable(const std::string& name, const std::string& script) {
    home_.file(name, "#!/bin/sh\n" + script + "\n");
    const auto path = home_.path() / name;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path.string();
  }

  testing_support::FakeClock clock_;
  testing_support::FakeAws aws_;
  testing_support::Home home_;
  routing::CredentialsConfig config_;
  std::unique_ptr<metrics::Recorder> recorder_ = metrics::make_prometheus_recorder();
  CredentialsKeeper keeper_{*recorder_, [this] { return clock_.now(); }};
};

}  // namespace understudy::proxy::aws

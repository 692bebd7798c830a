#pragma once
// What people are told about upstreams' credentials: where from, in what state, until when, and why
// not. Never a secret. Pure functions of a snapshot and the time; any thread.

#include <string>
#include <vector>

#include "proxy/snapshot.h"

namespace understudy::proxy {

struct CredentialReport {
  std::string upstream;
  std::string source;
  aws::CredentialStatus status;
  bool usable = false;  // there is something to sign or authorize with
  bool serves = false;  // a route's primary or the default route: clients wait for it
};
std::vector<CredentialReport> report_credentials(const Snapshot& snapshot);

// /readyz: not before every upstream that serves has been tried once, and not while none of them
// has credentials. One upstream of several that lacks them does not take the proxy out of service.
struct CredentialReadiness {
  bool ready = true;
  std::string lacking;  // a line for each upstream that has none; empty where all have
};
CredentialReadiness credential_readiness(const Snapshot& snapshot);

}  // namespace understudy::proxy

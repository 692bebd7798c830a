#pragma once
// One request to a running proxy's admin port, for the commands that ask it. Blocks.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/commands/command_line.h"
#include "proxy/error.h"

namespace understudy::proxy {

// How the admin port is reached.
struct AdminAccess {
  std::string url;                 // "http://127.0.0.1:9901" or https://
  std::string token_file{};        // its token goes along as a bearer token; empty: none
  std::string ca_file{};           // trust anchors for https; empty: the system's
  std::string certificate_file{};  // ours, where the port asks for one (its tls.client_ca)
  std::string key_file{};          // empty: the key is in the certificate's file
  std::string address{};           // one of the host's addresses; empty: whichever answers
  std::chrono::seconds timeout{10};
};

struct AdminAnswer {
  unsigned status = 0;
  std::string body;
};

// The addresses behind the URL's name. Those of "localhost" are one machine's: they are not told
// apart.
Result<std::vector<std::string>> admin_addresses(const AdminAccess& access);

// The errors name the address and what to look at.
Result<AdminAnswer> ask_admin(const AdminAccess& access, std::string_view method,
                              std::string_view target);

// The options by which a command reaches admin ports, behind its own ones.
std::vector<Option> with_access_options(std::vector<Option> own);
// What they say.
AdminAccess access_to(const Options& options, const std::string& url);
// The body of a 200; anything else is an error that says what to look at.
Result<std::string> get_from_admin(const Options& options, const std::string& url,
                                   std::string_view target);

}  // namespace understudy::proxy

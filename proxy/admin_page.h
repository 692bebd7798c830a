#pragma once
// The page at "/" of the admin port: one file without outside parts (admin_page.html, compiled in)
// that draws /api/status every two seconds.

#include <string>

namespace understudy::proxy {

struct AdminPage {
  std::string html;
  std::string
      content_security_policy;  // allows this very page's script and style, and nothing else
};

// Each page has a nonce of its own.
AdminPage make_admin_page();

}  // namespace understudy::proxy

#include "proxy/admin_page.h"

#include <random>
#include <string_view>

#include "routing/hash.h"

namespace understudy::proxy {

std::string admin_page_html();  // generated from admin_page.html

namespace {

constexpr std::string_view kNoncePlace = "{nonce}";

std::string make_nonce() {
  std::random_device random;
  const auto bits = [&random] { return (std::uint64_t{random()} << 32) | random(); };
  return routing::hex(bits()) + routing::hex(bits());
}

}  // namespace

AdminPage make_admin_page() {
  const std::string nonce = make_nonce();
  AdminPage page{.html = admin_page_html(),
                 .content_security_policy = "default-src 'none'; script-src 'nonce-" + nonce +
                                            "'; style-src 'nonce-" + nonce +
                                            "'; img-src data:; connect-src 'self'; base-uri "
                                            "'none'; form-action 'none'; frame-ancestors 'none'"};
  for (std::size_t at = page.html.find(kNoncePlace); at != std::string::npos;
       at = page.html.find(kNoncePlace, at)) {
    page.html.replace(at, kNoncePlace.size(), nonce);
  }
  return page;
}

}  // namespace understudy::proxy

#include "proxy/h2_output.h"

namespace understudy::proxy {
namespace {

constexpr std::size_t kCopiedBelow = 1024;  // a small part costs less copied than as a buffer

}  // namespace

void H2Output::copy(std::string_view bytes) {
  if (bytes.empty()) return;
  if (pieces_.empty() || pieces_.back().data) pieces_.push_back({nullptr, frames_.size(), 0});
  frames_.append(bytes);
  pieces_.back().size += bytes.size();
  bytes_ += bytes.size();
}

void H2Output::refer(std::string_view bytes) {
  if (bytes.size() < kCopiedBelow) return copy(bytes);
  pieces_.push_back({bytes.data(), 0, bytes.size()});
  bytes_ += bytes.size();
}

void H2Output::clear() noexcept {
  frames_.clear();
  pieces_.clear();
  streams_.clear();
  bytes_ = 0;
}

void H2Output::touch(std::int32_t stream) {
  if (streams_.empty() || streams_.back() != stream) streams_.push_back(stream);
}

}  // namespace understudy::proxy

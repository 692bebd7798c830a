#include "proxy/byte_run.h"

#include <gtest/gtest.h>

#include <string>

namespace understudy::proxy {
namespace {

std::size_t run_of_a(std::string_view text) {
  return leading_run(text, [](SixteenBytes bytes) { return bytes == 'a'; });
}

TEST(LeadingRun, EndsAtTheFirstOtherByteWhereverItStands) {
  for (std::size_t size = 0; size <= 50; ++size) {
    EXPECT_EQ(run_of_a(std::string(size, 'a')), size);
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      text[at] = 'b';
      EXPECT_EQ(run_of_a(text), at) << "of " << size;
    }
  }
}

TEST(LeadingRun, ReadsNothingBehindTheText) {
  const std::string all(40, 'a');
  for (std::size_t size = 0; size <= all.size(); ++size)
    EXPECT_EQ(run_of_a(std::string_view(all).substr(0, size)), size);
}

TEST(LeadingRun, TellsBytesAboveAsciiFromThoseBelow) {
  const auto visible = [](std::string_view text) {
    return leading_run(text, [](SixteenBytes bytes) { return (bytes > 0x20) & (bytes < 0x7F); });
  };
  for (int c = 0; c < 256; ++c) {
    const std::string text(17, static_cast<char>(c));
    EXPECT_EQ(visible(text), c > 0x20 && c < 0x7F ? 17U : 0U) << c;
  }
}

}  // namespace
}  // namespace understudy::proxy

#pragma once
// The usual measures of how alike two texts are: what containment was chosen over, and the
// reference values that say so. None of them judges anything in production. Of bytes, or of tokens:
// runs of letters, digits and bytes of 0x80 and above, lower-cased; any other byte but space is a
// token by itself. Pure functions; quadratic in the texts.

#include <cstddef>
#include <string_view>

namespace understudy::bench {

// Bytes to put in, take out or replace; and 1 less that over the longer text.
std::size_t levenshtein(std::string_view a, std::string_view b);
double levenshtein_similarity(std::string_view a, std::string_view b);

double rouge_l(std::string_view a, std::string_view b);  // F1 of the longest common subsequence
double token_jaccard(std::string_view a, std::string_view b);  // of the sets
double token_cosine(std::string_view a, std::string_view b);   // of the counts

// F2 of the shares of common runs of 1 to 6 bytes, spaces left out.
double chrf(std::string_view reference, std::string_view text);

}  // namespace understudy::bench

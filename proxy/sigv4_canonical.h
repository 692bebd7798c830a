#pragma once
// The canonical forms that AWS Signature Version 4 signs. Pure functions that append to a string of
// the caller, so that the signer can reuse its memory. What is not written in AWS's specification
// follows botocore, which the tests compare with.

#include <string>
#include <string_view>
#include <vector>

namespace understudy::proxy {

struct QueryPair {
  std::string_view name;
  std::string_view value;
  friend auto operator<=>(const QueryPair&, const QueryPair&) = default;
};

// All but A-Za-z0-9-._~ as '%' and two upper-case digits, as the AWS SDKs put a model id into a
// path.
void append_percent_encoded(std::string_view text, std::string& out);

// The path as sent, once more percent-encoded but for A-Za-z0-9-._~/ ("%3A" becomes "%253A"). Empty
// and dot segments do not count, as AWS services remove them before they verify; they are still
// sent as they came.
void append_canonical_path(std::string_view path, std::string& out);

// The pairs sorted by name, then value, each with a '='. Names and values stay as sent: whoever
// sent them encoded them. `scratch` is overwritten; it only keeps memory from call to call.
void append_canonical_query(std::string_view query, std::vector<QueryPair>& scratch,
                            std::string& out);

// A field value without outer spaces and tabs, each inner run of them as one space.
void append_canonical_value(std::string_view value, std::string& out);

}  // namespace understudy::proxy

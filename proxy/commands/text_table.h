#pragma once
// Rows of cells as people read them: columns as wide as their widest cell.

#include <iosfwd>
#include <string>
#include <vector>

namespace understudy::proxy {

using TableRow = std::vector<std::string>;

// The first row is the heading; all have as many cells.
void print_table(const std::vector<TableRow>& rows, std::ostream& out);

}  // namespace understudy::proxy

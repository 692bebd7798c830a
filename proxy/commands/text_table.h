#pragma once
// Rows of cells as people read them: columns as wide as their widest cell.

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::proxy {

using TableRow = std::vector<std::string>;

// Text that may come from others as a terminal may be shown it: control characters, which could
// move its cursor or set its title, become '?'; those of Unicode (C1), too.
std::string printable(std::string_view text);

// Prints every cell as printable(). The first row is the heading; all have as many cells.
void print_table(const std::vector<TableRow>& rows, std::ostream& out);

}  // namespace understudy::proxy

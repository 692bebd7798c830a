#include "proxy/commands/text_table.h"

#include <algorithm>
#include <cstddef>
#include <ostream>

namespace understudy::proxy {

std::string printable(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
      clean.push_back('?');
      ++i;
    } else {
      clean.push_back(byte < 0x20 || byte == 0x7f ? '?' : text[i]);
    }
  }
  return clean;
}

void print_table(const std::vector<TableRow>& given, std::ostream& out) {
  std::vector<TableRow> rows = given;
  for (TableRow& row : rows) {
    for (std::string& cell : row) cell = printable(cell);
  }
  std::vector<std::size_t> widths;
  for (const TableRow& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const TableRow& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << "\n";
  }
}

}  // namespace understudy::proxy

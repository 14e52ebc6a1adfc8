#include "operator/cli/output.hpp"

#include <cstdio>
#include <cstdlib>

#include <unistd.h>

#include "operator/cli/exit_code.hpp"

namespace shamon {
namespace {

std::string coloured(std::string_view text, char const* code) {
  static bool const on = ::isatty(1) == 1 && std::getenv("NO_COLOR") == nullptr;
  if (!on) return std::string(text);
  return std::string("\033[") + code + "m" + std::string(text) + "\033[0m";
}

}  // namespace

std::string format_table(std::vector<std::string> const& head,
                         std::vector<std::vector<std::string>> const& rows) {
  std::vector<std::size_t> widths;
  for (auto const& title : head) widths.push_back(title.size());
  for (auto const& row : rows) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string out;
  auto add = [&](std::vector<std::string> const& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - row[i].size() + 2, ' ');
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  add(head);
  for (auto const& row : rows) add(row);
  return out;
}

std::string json_envelope(std::string_view schema, std::string_view data) {
  return "{\"schema\":\"" + std::string(schema) + "\",\"data\":" + std::string(data) + "}\n";
}

int report(Error const& error) {
  std::fprintf(stderr, "shamon: %s\n", error.describe().c_str());
  return exit_code_of(error);
}

std::string bold(std::string_view text) {
  return coloured(text, "1");
}
std::string good(std::string_view text) {
  return coloured(text, "32");
}
std::string bad(std::string_view text) {
  return coloured(text, "31");
}
std::string dim(std::string_view text) {
  return coloured(text, "2");
}

}  // namespace shamon

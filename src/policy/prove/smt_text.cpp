#include "policy/prove/smt_text.hpp"

namespace shamon::smt {
namespace {

std::string join(std::string_view operation, std::string_view neutral,
                 std::vector<std::string> const& terms) {
  if (terms.empty()) return std::string(neutral);
  if (terms.size() == 1) return terms.front();
  std::string out = "(" + std::string(operation);
  for (auto const& term : terms) out += " " + term;
  return out + ")";
}

}  // namespace

std::string bits(std::uint64_t value, unsigned width_bits) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "#x";
  for (unsigned shift = width_bits; shift != 0; shift -= 4) {
    out += kDigits[value >> (shift - 4) & 15];
  }
  return out;
}

std::string any_of(std::vector<std::string> const& terms) {
  return join("or", "false", terms);
}
std::string all_of(std::vector<std::string> const& terms) {
  return join("and", "true", terms);
}
std::string equal(std::string_view a, std::string_view b) {
  return "(= " + std::string(a) + " " + std::string(b) + ")";
}

std::string symbol(std::string_view kind, std::string_view name) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
  std::string out = std::string(kind) + ".";
  for (char const c : name) {
    bool const plain = kPlain.find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : "%" + bits(static_cast<unsigned char>(c), 8).substr(2);
  }
  return out;
}

std::string define(std::string_view name, std::string_view parameters, std::string_view body) {
  return "(define-fun " + std::string(name) + " (" + std::string(parameters) + ") Bool " +
         std::string(body) + ")\n";
}

std::string comment(std::string_view text) {
  std::string out = "; ";
  for (char c : text) out += c >= 0x20 && c <= 0x7e ? c : '?';
  return out + "\n";
}

}  // namespace shamon::smt

#include "policy/export/selinux_names.hpp"

#include "base/bytes.hpp"
#include "base/encoding.hpp"

namespace shamon {
namespace {

constexpr std::string_view kSuffix = "_t";
constexpr std::string_view kEscape = "_x";        // then HH_
constexpr std::string_view kPrefix = "label_x_";  // no HH: not what an escape looks like
constexpr std::string_view kUnlabeled = "unlabeled";

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Where a literal _ is never followed by x, every "_x" read from left to right is an escape.
std::string escape(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    char const c = name[i];
    bool const literal = is_letter(c) || is_digit(c) || (c == '_' && name.substr(i + 1, 1) != "x");
    if (literal) {
      out += c;
    } else {
      out += std::string(kEscape) + to_hex(as_bytes(name.substr(i, 1))) + "_";
    }
  }
  return out;
}

std::string unescape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    bool const escaped = text.starts_with(kEscape) && text.size() >= 5 && text[4] == '_';
    auto const byte = escaped ? from_hex(text.substr(2, 2)) : Result<Bytes>(Bytes{});
    if (!byte) return "";
    out += escaped ? std::string(as_text(*byte)) : std::string(1, text[0]);
    text.remove_prefix(escaped ? 5 : 1);
  }
  return out;
}

}  // namespace

std::string selinux_type(LabelName const& label) {
  std::string const& name = label.value();
  bool const plain = !name.empty() && is_letter(name[0]) && name != kUnlabeled;
  return (plain ? "" : std::string(kPrefix)) + escape(name) + std::string(kSuffix);
}

std::string selinux_context(std::string_view type) {
  return std::string(kSelinuxUser) + ":" + std::string(kSelinuxRole) + ":" + std::string(type) +
         ":s0";
}

LabelName label_of_selinux_type(std::string_view type) {
  if (!type.ends_with(kSuffix)) return {};
  std::string_view body = type.substr(0, type.size() - kSuffix.size());
  if (body.starts_with(kPrefix)) body.remove_prefix(kPrefix.size());
  LabelName label(unescape(body));
  // Only what selinux_type would have written: one spelling a label.
  return selinux_type(label) == type && !label.value().empty() ? label : LabelName();
}

std::string cil_comment(std::string_view text) {
  std::string out = "; ";
  for (char c : text) out += c < 0x20 || c > 0x7e ? '?' : c;
  return out + "\n";
}

}  // namespace shamon

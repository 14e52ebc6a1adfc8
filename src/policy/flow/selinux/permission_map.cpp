#include "policy/flow/selinux/permission_map.hpp"

#include <charconv>
#include <vector>

#include "policy/flow/limits.hpp"

namespace shamon {
namespace {

constexpr unsigned kWeightMax = 10;
constexpr unsigned kCountMax = 65536;  ///< classes, or permissions of one

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r\v\f";
  std::vector<std::string_view> out;
  for (std::size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;) {
    std::size_t const end = std::min(line.find_first_of(kBlanks, at), line.size());
    out.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kBlanks, end);
  }
  return out;
}

/// A decimal number from 1 to `max`; 0 if it is none.
unsigned number_of(std::string_view word, unsigned max) {
  unsigned value = 0;
  auto const [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  bool const whole = error == std::errc{} && end == word.data() + word.size();
  return whole && value <= max ? value : 0;
}

tl::unexpected<Error> bad(std::size_t line, std::string const& what) {
  return fail(Errc::malformed, "permission map, line " + std::to_string(line) + ": " + what);
}

}  // namespace

Result<PermissionMap> PermissionMap::parse(std::string_view text) {
  if (text.size() > kPermissionMapBytesMax) return fail(Errc::too_large, "permission map");
  PermissionMap map;
  std::unordered_map<std::string, PermissionWeights>* current = nullptr;
  unsigned classes_left = 0, permissions_left = 0;
  bool counted = false;
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const end = std::min(text.find('\n', at), text.size());
    auto const words = words_of(text.substr(at, end - at));
    at = end + 1;
    ++line;
    if (words.empty() || words[0][0] == '#') continue;
    if (!counted) {
      classes_left = number_of(words[0], kCountMax);
      if (classes_left == 0) return bad(line, "the number of classes is expected first");
      counted = true;
    } else if (permissions_left == 0) {
      if (words.size() != 3 || words[0] != "class") return bad(line, "expected: class NAME COUNT");
      if (classes_left-- == 0) return bad(line, "more classes than the file announces");
      permissions_left = number_of(words[2], kCountMax);
      if (permissions_left == 0) return bad(line, "the number of permissions is wrong");
      current = &map.classes_[std::string(words[1])];
      current->clear();
    } else {
      if (words.size() < 3) return bad(line, "expected: PERMISSION r|w|b|n|u WEIGHT");
      bool const known = words[1].size() == 1 &&
                         std::string_view("rwbnu").find(words[1][0]) != std::string_view::npos;
      if (!known) return bad(line, "the direction is not r, w, b, n or u");
      auto const weight = static_cast<std::uint8_t>(number_of(words[2], kWeightMax));
      if (weight == 0) return bad(line, "the weight is not 1 to 10");
      char const direction = words[1][0];
      PermissionWeights weights;
      if (direction == 'r' || direction == 'b') weights.read = weight;
      if (direction == 'w' || direction == 'b') weights.write = weight;
      (*current)[std::string(words[0])] = weights;
      --permissions_left;
    }
  }
  if (!counted) return bad(line, "the file says nothing");
  if (permissions_left != 0) return bad(line, "the file ends inside a class");
  return map;
}

PermissionWeights PermissionMap::find(std::string const& object_class,
                                      std::string const& permission) const {
  auto const known = classes_.find(object_class);
  if (known == classes_.end()) return {};
  auto const found = known->second.find(permission);
  return found == known->second.end() ? PermissionWeights{} : found->second;
}

}  // namespace shamon

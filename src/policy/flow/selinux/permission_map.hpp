// setools' permission map: which way information goes with a permission, and how much of it.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"

namespace shamon {

/// What one permission does. Weights are 1 (hardly any) to 10; 0: nothing goes that way.
struct PermissionWeights {
  std::uint8_t read = 0;   ///< from the object to the subject
  std::uint8_t write = 0;  ///< from the subject to the object
};

class PermissionMap {
 public:
  /// The text form setools reads: a number of classes, then for each `class NAME COUNT` and COUNT
  /// lines `PERMISSION r|w|b|n|u WEIGHT`. `#` starts a comment line.
  /// Errors: `malformed` with the line in the message; `too_large`.
  static Result<PermissionMap> parse(std::string_view text);

  /// A class or a permission the map does not know carries nothing, as in setools.
  PermissionWeights find(std::string const& object_class, std::string const& permission) const;
  std::size_t class_count() const noexcept { return classes_.size(); }

 private:
  std::unordered_map<std::string, std::unordered_map<std::string, PermissionWeights>> classes_;
};

}  // namespace shamon

// Import of sHype/Xen ACM policies (XML) into our language.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/source.hpp"

namespace shamon {

struct XmlFile {
  std::string name;  ///< for diagnostics
  std::string bytes;
};

struct ShypeImport {
  std::string text;               ///< a policy in canonical form; build_policy accepts it
  std::vector<Diagnostic> notes;  ///< what was left out or renamed, and why
  std::size_t vm_labels = 0;
  std::size_t resource_labels = 0;
};

/// One file (the form of 2006 and later), or a policy and its label template in either order (the
/// form before). Decisions are the same: two labels share iff they have a simple type enforcement
/// type in common; a label starts iff no conflict set would then have two different types running.
/// Errors: everything found wrong, in the order of the files.
tl::expected<ShypeImport, std::vector<Diagnostic>> import_shype(std::span<const XmlFile> files);

}  // namespace shamon

// From policy text to a compiled policy, or to a list of what is wrong with it.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "policy/compiled_policy.hpp"

namespace shamon {

/// "boinc.policy:14:7: label 'gren' is not defined; did you mean 'green'?"
struct Diagnostic {
  std::string file;
  std::uint32_t line = 0;    ///< from 1
  std::uint32_t column = 0;  ///< from 1, in bytes
  std::string message;
  std::string describe() const;
};

struct HostCondition;  ///< `member host when …`: see policy/membership.hpp
struct VmCondition;    ///< `member vm LABEL when …`

/// What the text said beyond the decision tables.
struct PolicyDocument;  ///< defined in policy/document.hpp: coalition, revision, types, labels,
                        ///< walls, allows, members, goals, maps — each with its origin

struct PolicyBuild {
  CompiledPolicy compiled;
  std::shared_ptr<PolicyDocument const> document;
};

/// Parses and compiles. On any error the whole file is refused with every diagnostic found.
tl::expected<PolicyBuild, std::vector<Diagnostic>> build_policy(std::string const& file_name,
                                                                std::string_view text);

/// Canonical formatting; the policy's digest is SHA-256 over it (made by whoever has crypto).
Result<std::string> format_policy(std::string const& file_name, std::string_view text);

}  // namespace shamon

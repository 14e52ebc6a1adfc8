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
  std::vector<Diagnostic> notes;  ///< right, but perhaps not what was meant
};

/// Parses and compiles. On any error the whole file is refused with every diagnostic found, in the
/// order of the text, up to kDiagnosticsMax (policy/limits.hpp).
tl::expected<PolicyBuild, std::vector<Diagnostic>> build_policy(std::string const& file_name,
                                                                std::string_view text);

/// Canonical formatting: idempotent, keeps comments and the order of statements. Only spelling is
/// checked. Errors: `malformed` with the first diagnostic; the policy's digest is SHA-256 over it
/// (made by whoever has crypto).
Result<std::string> format_policy(std::string const& file_name, std::string_view text);

}  // namespace shamon

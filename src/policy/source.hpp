// From policy text to a compiled policy, or to a list of what is wrong with it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "policy/compiled_policy.hpp"
#include "policy/diagnostic.hpp"

namespace shamon {

/// Gives the text of an included file, named as its origins and diagnostics name it: the folder of
/// the top file, then the path below it. Never asked for an absolute path or one above that folder
/// (but a link in the folder is the reader's matter). Errors: any; the include is then refused.
using PolicyReader = std::function<Result<std::string>(std::string const& file)>;

struct HostCondition;  ///< `member host when …`: see policy/membership.hpp
struct VmCondition;    ///< `member vm LABEL when …`

/// What the text said beyond the decision tables.
struct PolicyDocument;  ///< defined in policy/document.hpp: coalition, revision, types, labels,
                        ///< walls, allows, members, goals, maps — each with its origin

struct PolicyBuild {
  CompiledPolicy compiled;
  std::shared_ptr<PolicyDocument const> document;
};

/// Parses and compiles, with the files the text includes. On any error all of it is refused with
/// every diagnostic found, in the order of the text, up to kDiagnosticsMax (policy/limits.hpp).
/// Without a reader `include` is an error: so must texts be read that come from elsewhere.
tl::expected<PolicyBuild, std::vector<Diagnostic>> build_policy(std::string const& file_name,
                                                                std::string_view text,
                                                                PolicyReader const& reader = {});

/// The statements that can be read, whatever is wrong with the rest: for editors. Names are not
/// checked.
PolicyDocument parse_policy(std::string const& file_name, std::string_view text,
                            PolicyReader const& reader = {});

/// Canonical formatting: idempotent, keeps comments, includes and the order of statements. Only
/// spelling is checked. Errors: `malformed` with the first diagnostic.
Result<std::string> format_policy(std::string const& file_name, std::string_view text);

/// The canonical form of a policy and what it includes as one text without includes, each included
/// file between two comments that name it. It means the same, statement numbers included. The
/// policy's digest is SHA-256 over this text (made by whoever has crypto); a text without includes
/// is its own flat form once formatted.
tl::expected<std::string, std::vector<Diagnostic>> flatten_policy(std::string const& file_name,
                                                                  std::string_view text,
                                                                  PolicyReader const& reader);

/// What to send or keep without the files around it: the text as it is if it includes nothing, else
/// its flat form.
tl::expected<std::string, std::vector<Diagnostic>> standalone_policy(std::string const& file_name,
                                                                     std::string_view text,
                                                                     PolicyReader const& reader);

/// What is right, but perhaps not what was meant: in the order of the text, up to kDiagnosticsMax.
/// Asks the compiled policy about all pairs of labels: for people who write, not for daemons.
std::vector<Diagnostic> lint_policy(PolicyBuild const& build);

}  // namespace shamon

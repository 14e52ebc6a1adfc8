// What a policy text says, statement by statement, each with its place: for explanations, for
// analysis and for whoever must judge machines and images.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "policy/compiled_policy.hpp"
#include "policy/service.hpp"

namespace shamon {

/// Where a statement stands.
struct Origin {
  std::string file;          ///< the file the text was read from: the top file or an included one
  std::uint32_t line = 0;    ///< from 1
  std::uint32_t column = 0;  ///< from 1, in bytes
  std::string text;          ///< as written, without comment
  StatementId statement;     ///< the same statement in the compiled policy
};

/// A name as a statement uses it.
struct Name {
  std::string text;
  std::uint32_t column = 0;
  std::uint32_t length = 0;  ///< bytes as written, quotes included
};

struct CoalitionStatement {  ///< coalition NAME revision N ["TEXT"]
  Name name;
  Revision revision;
  std::string revision_name;  ///< for people only; empty: none
  Origin origin;
};
struct IncludeStatement {  ///< include "PATH"
  Name path;               ///< as written, without quotes; the column is that of the first quote
  std::string file;        ///< the file it names, as its origins name it; empty: refused
  Origin origin;           ///< has no number: it makes no rule
};
struct TypeStatement {  ///< type NAME…
  std::vector<Name> names;
  Origin origin;
};
struct CategoryStatement {  ///< category NAME…
  std::vector<Name> names;
  Origin origin;
};
/// label NAME { share T…  wall T…  secrecy L [{C…}]  integrity L [{C…}]  guard }
struct LabelStatement {
  Name name;
  std::vector<Name> share;
  /// Absent: the Chinese Wall types are the `share` types. Empty: `wall none`.
  std::optional<std::vector<Name>> wall;
  std::optional<Name> secrecy;  ///< one of kSecrecyNames
  std::vector<Name> secrecy_categories;
  std::optional<Name> integrity;  ///< one of kIntegrityNames
  std::vector<Name> integrity_categories;
  bool guard = false;
  Origin origin;
};
struct WallStatement {  ///< wall NAME { T T… }
  Name name;
  std::vector<Name> types;
  Origin origin;
};
struct AllowStatement {  ///< allow A -> B [SERVICE…], allow A <-> B [SERVICE…]
  Name from;
  Name to;
  bool two_way = false;
  std::vector<ServicePattern> services;  ///< empty: every service
  Origin origin;
};
/// member host when platform in {…} and attested within 60s and location in {…}
struct HostCondition {
  std::vector<Name> platforms;              ///< empty: any
  std::optional<Duration> attested_within;  ///< absent: at any time
  std::vector<Name> locations;              ///< empty: any
  Origin origin;
};
struct VmCondition {  ///< member vm LABEL when image in {…}
  Name label;
  std::vector<Name> images;
  Origin origin;
};
struct GoalStatement {  ///< goal A never reaches B [except through {G…}]
  Name from;            ///< a label, or "internet"
  Name to;
  std::vector<Name> through;  ///< guards
  Origin origin;
};
struct MapStatement {  ///< map SITE { theirs = ours… }
  struct Pair {
    Name theirs;
    Name ours;
  };
  Name site;
  std::vector<Pair> pairs;
  Origin origin;
};

/// The word a goal uses for everything outside the coalition.
inline constexpr std::string_view kInternet = "internet";

struct PolicyDocument {
  std::string file;  ///< the top file
  CoalitionStatement coalition;
  std::vector<IncludeStatement> includes;
  std::vector<TypeStatement> types;
  std::vector<CategoryStatement> categories;
  std::vector<LabelStatement> labels;
  std::vector<WallStatement> walls;
  std::vector<AllowStatement> allows;
  std::vector<HostCondition> host_conditions;
  std::vector<VmCondition> vm_conditions;
  std::vector<GoalStatement> goals;
  std::vector<MapStatement> maps;
};

}  // namespace shamon

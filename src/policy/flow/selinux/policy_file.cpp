#include "policy/flow/selinux/policy_file.hpp"

#include <algorithm>
#include <functional>

#include "policy/flow/selinux/selinux_reader.hpp"

namespace shamon {
namespace {

// The layout is the kernel's (security/selinux/ss/policydb.c) and libsepol's, which writes it.
constexpr std::uint32_t kMagic = 0xf97cff8c;
constexpr std::uint32_t kModuleMagic = 0xf97cff8d;
constexpr std::uint32_t kVersionMin = 24;
constexpr std::uint32_t kVersionMax = 34;
// Versions from which a part is there.
constexpr std::uint32_t kVersionFilenameTransitions = 25;
constexpr std::uint32_t kVersionRoleTransitionClass = 26;
constexpr std::uint32_t kVersionNewObjectDefaults = 27;
constexpr std::uint32_t kVersionDefaultType = 28;
constexpr std::uint32_t kVersionConstraintNames = 29;
constexpr std::uint32_t kVersionCompactFilenames = 33;

constexpr std::uint32_t kSymbolTables = 8;
constexpr std::uint32_t kContextTables = 9;     ///< infiniband's included
constexpr std::uint32_t kContextTablesOld = 7;  ///< before version 31
constexpr std::uint16_t kAvtabAllowed = 1;
constexpr std::uint16_t kAvtabExtended = 0x0700;
constexpr std::uint32_t kTypePrimary = 1;
constexpr std::uint32_t kTypeAttribute = 2;
constexpr std::uint32_t kConstraintNames = 5;
constexpr std::uint32_t kSymbolsMax = 65536;

class Parser {
 public:
  explicit Parser(ByteView file) : in_(file) {}

  Result<SelinuxPolicy> run() {
    header();
    step("common permissions", [&] { commons(); });
    step("classes", [&] { classes(); });
    step("roles", [&] { roles(); });
    step("types", [&] { types(); });
    step("users", [&] { users(); });
    step("booleans", [&] { booleans(); });
    step("levels", [&] { sensitivities(); });
    step("categories", [&] { categories(); });
    step("rules", [&] { rules(-1, true); });
    step("conditional rules", [&] { conditions(); });
    step("role and file transitions", [&] { transitions(); });
    step("contexts", [&] { contexts(); });
    step("file system contexts", [&] { file_systems(); });
    step("range transitions", [&] { ranges(); });
    step("attributes", [&] { attributes(); });
    if (in_.good() && !in_.at_end()) in_.refuse(Errc::malformed, "bytes after the policy");
    if (!in_.good()) return tl::unexpected<Error>(in_.error(reading_));
    return std::move(out_);
  }

 private:
  template <class Part>
  void step(char const* what, Part part) {
    if (!in_.good()) return;
    reading_ = what;
    part();
  }

  void header() {
    std::uint32_t const magic = in_.u32();
    if (magic == kModuleMagic) {
      return in_.refuse(Errc::unsupported, "this is a policy module, not a kernel policy");
    }
    if (magic != kMagic) return in_.refuse(Errc::malformed, "this is no compiled SELinux policy");
    std::string const target = in_.name(in_.u32());
    if (target != "SE Linux") {
      return in_.refuse(Errc::unsupported, "a policy for '" + target + "', not for SE Linux");
    }
    out_.version = in_.u32();
    in_.skip_words(1);  // MLS, handling of unknown permissions
    std::uint32_t const symbols = in_.u32();
    contexts_ = in_.u32();
    if (!in_.good()) return;
    if (out_.version < kVersionMin || out_.version > kVersionMax) {
      return in_.refuse(Errc::unsupported, "policy version " + std::to_string(out_.version) +
                                               "; known are " + std::to_string(kVersionMin) +
                                               " to " + std::to_string(kVersionMax));
    }
    if (symbols != kSymbolTables ||
        (contexts_ != kContextTables && contexts_ != kContextTablesOld)) {
      return in_.refuse(Errc::malformed, "unknown number of tables");
    }
    in_.skip_bitmap();  // capabilities
    in_.skip_bitmap();  // permissive types
  }

  /// A symbol table: how many values there are, then `read` for each symbol.
  template <class Read>
  std::uint32_t symbols(std::uint32_t values_max, Read read) {
    std::uint32_t const values = in_.u32();
    std::uint32_t const count = in_.u32();
    if (values > values_max) in_.refuse(Errc::too_large, "too many symbols");
    for (std::uint32_t i = 0; i < count && in_.good(); ++i) read(values);
    return values;
  }

  /// A value from 1 as an index from 0.
  std::uint32_t index(std::uint32_t value, std::size_t count, char const* what) {
    if (value == 0 || value > count) {
      in_.refuse(Errc::malformed,
                 std::string(what) + " " + std::to_string(value) + " does not exist");
      return 0;
    }
    return value - 1;
  }

  /// Names by bit: LENGTH VALUE NAME, `count` times.
  void permissions(std::vector<std::string>& out, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count && in_.good(); ++i) {
      std::uint32_t const size = in_.u32();
      std::uint32_t const bit = index(in_.u32(), kPermissionsPerClassMax, "permission");
      std::string name = in_.name(size);
      if (!in_.good()) return;
      if (out.size() <= bit) out.resize(bit + 1);
      out[bit] = std::move(name);
    }
  }

  void commons() {
    symbols(kSymbolsMax, [&](std::uint32_t) {
      std::uint32_t const size = in_.u32();
      in_.skip_words(2);  // value, number of permissions
      std::uint32_t const count = in_.u32();
      std::string const name = in_.name(size);
      permissions(commons_[name], count);
    });
  }

  void classes() {
    symbols(kSymbolsMax, [&](std::uint32_t values) {
      std::uint32_t const size = in_.u32();
      std::uint32_t const common_size = in_.u32();
      std::uint32_t const number = index(in_.u32(), values, "class");
      in_.skip_words(1);
      std::uint32_t const count = in_.u32();
      std::uint32_t const constraint_count = in_.u32();
      SelinuxClass one;
      one.name = in_.name(size);
      if (common_size != 0) {
        auto const common = commons_.find(in_.name(common_size));
        if (common == commons_.end()) {
          return in_.refuse(Errc::malformed, "a class takes permissions from nowhere");
        }
        one.permissions = common->second;
      }
      permissions(one.permissions, count);
      constraints(constraint_count);
      constraints(in_.u32());  // validatetrans
      if (out_.version >= kVersionNewObjectDefaults) in_.skip_words(3);
      if (out_.version >= kVersionDefaultType) in_.skip_words(1);
      if (!in_.good()) return;
      if (out_.classes.size() <= number) out_.classes.resize(number + 1);
      out_.classes[number] = std::move(one);
    });
  }

  void constraints(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count && in_.good(); ++i) {
      in_.skip_words(1);  // permissions
      std::uint32_t const terms = in_.u32();
      for (std::uint32_t j = 0; j < terms && in_.good(); ++j) {
        std::uint32_t const kind = in_.u32();
        in_.skip_words(2);
        if (kind != kConstraintNames) continue;
        in_.skip_bitmap();
        if (out_.version < kVersionConstraintNames) continue;
        in_.skip_bitmap();  // types
        in_.skip_bitmap();  // without these
        in_.skip_words(1);  // flags
      }
    }
  }

  void roles() {
    symbols(kSymbolsMax, [&](std::uint32_t) {
      std::uint32_t const size = in_.u32();
      in_.skip_words(2);  // value, bounds
      in_.name(size);
      in_.skip_bitmap();  // dominates
      in_.skip_bitmap();  // types
    });
  }

  void types() {
    std::uint32_t const count = symbols(kSelinuxTypesMax, [&](std::uint32_t values) {
      if (out_.types.size() < values) out_.types.resize(values);
      std::uint32_t const size = in_.u32();
      std::uint32_t const number = index(in_.u32(), values, "type");
      std::uint32_t const properties = in_.u32();
      in_.skip_words(1);  // bounds
      std::string name = in_.name(size);
      if (!in_.good()) return;
      bool const attribute = (properties & kTypeAttribute) != 0;
      if (!attribute) out_.type_by_name[name] = static_cast<std::uint16_t>(number);
      if ((properties & kTypePrimary) == 0 && !attribute) return;  // an alias
      out_.types[number].name = std::move(name);
      out_.types[number].attribute = attribute;
    });
    if (!in_.good()) return;
    out_.types.resize(count);
    // Values without a symbol are attributes the compiler did not name.
    for (std::size_t i = 0; i < out_.types.size(); ++i) {
      if (!out_.types[i].name.empty()) continue;
      std::string const digits = std::to_string(i + 1);
      out_.types[i].name =
          "@ttr" + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits;
      out_.types[i].attribute = true;
    }
  }

  void level() {
    in_.skip_words(1);
    in_.skip_bitmap();
  }
  void range() {
    std::uint32_t const levels = in_.u32();
    if (levels != 1 && levels != 2) return in_.refuse(Errc::malformed, "a range of levels");
    in_.skip_words(levels);
    for (std::uint32_t i = 0; i < levels; ++i) in_.skip_bitmap();
  }
  void context() {
    in_.skip_words(3);  // user, role, type
    range();
  }

  void users() {
    symbols(kSymbolsMax, [&](std::uint32_t) {
      std::uint32_t const size = in_.u32();
      in_.skip_words(2);  // value, bounds
      in_.name(size);
      in_.skip_bitmap();  // roles
      range();
      level();
    });
  }

  void booleans() {
    symbols(kSymbolsMax, [&](std::uint32_t values) {
      std::uint32_t const number = index(in_.u32(), values, "boolean");
      std::uint32_t const state = in_.u32();
      std::string name = in_.name(in_.u32());
      if (!in_.good()) return;
      if (out_.booleans.size() <= number) out_.booleans.resize(number + 1);
      out_.booleans[number] = {std::move(name), state != 0};
    });
  }

  void sensitivities() {
    symbols(kSymbolsMax, [&](std::uint32_t) {
      std::uint32_t const size = in_.u32();
      in_.skip_words(1);  // alias
      in_.name(size);
      level();
    });
  }
  void categories() {
    symbols(kSymbolsMax, [&](std::uint32_t) {
      std::uint32_t const size = in_.u32();
      in_.skip_words(2);  // value, alias
      in_.name(size);
    });
  }

  /// One table of access vectors; only its allow rules are kept.
  void rules(std::int32_t condition, bool branch) {
    std::uint32_t const count = in_.u32();
    for (std::uint32_t i = 0; i < count && in_.good(); ++i) {
      std::uint16_t const source = in_.u16();
      std::uint16_t const target = in_.u16();
      std::uint16_t const object_class = in_.u16();
      std::uint16_t const kind = in_.u16();
      if ((kind & kAvtabExtended) != 0) {
        in_.skip(2 + 8 * 4);  // ioctl ranges
        continue;
      }
      std::uint32_t const datum = in_.u32();
      if ((kind & kAvtabAllowed) == 0 || !in_.good()) continue;
      SelinuxRule rule;
      rule.source = static_cast<std::uint16_t>(index(source, out_.types.size(), "type"));
      rule.target = static_cast<std::uint16_t>(index(target, out_.types.size(), "type"));
      rule.object_class =
          static_cast<std::uint16_t>(index(object_class, out_.classes.size(), "class"));
      rule.permissions = datum;
      rule.condition = condition;
      rule.branch = branch;
      if (in_.good()) out_.rules.push_back(rule);
    }
  }

  void conditions() {
    std::uint32_t const count = in_.u32();
    for (std::uint32_t i = 0; i < count && in_.good(); ++i) {
      in_.skip_words(1);  // its value now
      condition(in_.u32());
      auto const number = static_cast<std::int32_t>(out_.conditions.size()) - 1;
      rules(number, true);
      rules(number, false);
    }
  }

  void condition(std::uint32_t terms) {
    using Operator = SelinuxCondition::Operator;
    if (terms > kConditionOperatorsMax) in_.refuse(Errc::too_large, "a condition is too long");
    SelinuxCondition condition;
    std::size_t depth = 0;
    for (std::uint32_t i = 0; i < terms && in_.good(); ++i) {
      std::uint32_t const op = in_.u32();
      std::uint32_t const boolean = in_.u32();
      if (op < 1 || op > static_cast<std::uint32_t>(Operator::not_equal)) {
        return in_.refuse(Errc::malformed, "a condition has an unknown operator");
      }
      SelinuxCondition::Term term{static_cast<Operator>(op), 0};
      std::size_t const takes = term.op == Operator::boolean ? 0
                                : term.op == Operator::not_  ? 1
                                                             : 2;
      if (takes == 0) term.boolean = index(boolean, out_.booleans.size(), "boolean");
      if (depth < takes) return in_.refuse(Errc::malformed, "a condition lacks a value");
      depth = depth - takes + 1;
      condition.terms.push_back(term);
    }
    if (depth != 1) in_.refuse(Errc::malformed, "a condition has not one value");
    out_.conditions.push_back(std::move(condition));
  }

  void transitions() {
    std::uint32_t count = in_.u32();
    bool const with_class = out_.version >= kVersionRoleTransitionClass;
    for (std::uint32_t i = 0; i < count && in_.good(); ++i) in_.skip_words(with_class ? 4 : 3);
    count = in_.u32();  // which role may become which
    for (std::uint32_t i = 0; i < count && in_.good(); ++i) in_.skip_words(2);
    if (out_.version < kVersionFilenameTransitions) return;
    count = in_.u32();
    for (std::uint32_t i = 0; i < count && in_.good(); ++i) {
      in_.name(in_.u32());
      if (out_.version < kVersionCompactFilenames) {
        in_.skip_words(4);
        continue;
      }
      in_.skip_words(2);  // target type, class
      std::uint32_t const data = in_.u32();
      for (std::uint32_t j = 0; j < data && in_.good(); ++j) {
        in_.skip_bitmap();  // source types
        in_.skip_words(1);  // new type
      }
    }
  }

  void contexts() {
    enum Table { initial, file_system, port, interface, node, behaviour, node6, pkey, endport };
    for (std::uint32_t table = 0; table < contexts_ && in_.good(); ++table) {
      std::uint32_t const count = in_.u32();
      for (std::uint32_t i = 0; i < count && in_.good(); ++i) {
        switch (static_cast<Table>(table)) {
          case initial: in_.skip_words(1); break;
          case file_system:
          case interface:
            in_.name(in_.u32());
            context();
            break;
          case port: in_.skip_words(3); break;
          case node: in_.skip_words(2); break;
          case behaviour:
            in_.skip_words(1);
            in_.name(in_.u32());
            break;
          case node6: in_.skip_words(8); break;
          case pkey: in_.skip_words(4); break;
          case endport: {
            std::uint32_t const size = in_.u32();
            in_.skip_words(1);
            in_.name(size);
            break;
          }
        }
        context();
      }
    }
  }

  void file_systems() {
    std::uint32_t const count = in_.u32();
    for (std::uint32_t i = 0; i < count && in_.good(); ++i) {
      in_.name(in_.u32());
      std::uint32_t const paths = in_.u32();
      for (std::uint32_t j = 0; j < paths && in_.good(); ++j) {
        in_.name(in_.u32());
        in_.skip_words(1);  // class
        context();
      }
    }
  }

  void ranges() {
    std::uint32_t const count = in_.u32();
    for (std::uint32_t i = 0; i < count && in_.good(); ++i) {
      in_.skip_words(3);
      range();
    }
  }

  /// For each type the attributes it has, itself among them.
  void attributes() {
    auto const count = static_cast<std::uint32_t>(out_.types.size());
    for (std::uint32_t type = 0; type < count && in_.good(); ++type) {
      in_.bitmap(count, [&](std::uint32_t of) {
        if (of == type || out_.types[type].attribute || !out_.types[of].attribute) return;
        out_.types[of].members.push_back(type);
      });
    }
  }

  SelinuxReader in_;
  SelinuxPolicy out_;
  char const* reading_ = "header";
  std::uint32_t contexts_ = 0;
  std::unordered_map<std::string, std::vector<std::string>> commons_;
};

}  // namespace

bool SelinuxCondition::evaluate(std::vector<bool> const& states) const {
  std::vector<bool> stack;
  for (Term const& term : terms) {
    if (term.op == Operator::boolean) {
      stack.push_back(states[term.boolean]);
      continue;
    }
    bool const right = stack.back();
    if (term.op == Operator::not_) {
      stack.back() = !right;
      continue;
    }
    stack.pop_back();
    bool const left = stack.back();
    switch (term.op) {
      case Operator::or_: stack.back() = left || right; break;
      case Operator::and_: stack.back() = left && right; break;
      case Operator::xor_:
      case Operator::not_equal: stack.back() = left != right; break;
      case Operator::equal: stack.back() = left == right; break;
      case Operator::boolean:
      case Operator::not_: break;  // handled above
    }
  }
  return stack.back();
}

std::optional<Node> SelinuxPolicy::find_type(std::string const& name) const {
  auto const found = type_by_name.find(name);
  if (found == type_by_name.end()) return std::nullopt;
  return found->second;
}

std::string SelinuxPolicy::describe(SelinuxRule const& rule) const {
  SelinuxClass const& object_class = classes[rule.object_class];
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < object_class.permissions.size(); ++bit) {
    if ((rule.permissions >> bit & 1) != 0) names.push_back(object_class.permissions[bit]);
  }
  std::sort(names.begin(), names.end());
  std::string out =
      "allow " + types[rule.source].name + " " + types[rule.target].name + ":" + object_class.name;
  if (names.size() == 1) {
    out += " " + names.front();
  } else {
    out += " {";
    for (auto const& name : names) out += " " + name;
    out += " }";
  }
  out += ";";
  if (rule.condition < 0) return out;
  static char const* const kWords[] = {"", "", "!", "||", "&&", "^", "==", "!="};
  out += " [";
  for (auto const& term : conditions[static_cast<std::size_t>(rule.condition)].terms) {
    bool const boolean = term.op == SelinuxCondition::Operator::boolean;
    out +=
        " " + (boolean ? booleans[term.boolean].name : kWords[static_cast<std::size_t>(term.op)]);
  }
  return out + " ]:" + (rule.branch ? "True" : "False");
}

Result<SelinuxPolicy> read_selinux_policy(ByteView file) {
  if (file.size() > kSelinuxPolicyBytesMax) return fail(Errc::too_large, "the policy is too large");
  return Parser(file).run();
}

}  // namespace shamon

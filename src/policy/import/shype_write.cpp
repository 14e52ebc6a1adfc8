// A ShypePolicy as text of our language.
#include <functional>
#include <set>

#include "policy/import/shype_policy.hpp"
#include "policy/language/diagnostics.hpp"
#include "policy/language/spelling.hpp"
#include "policy/limits.hpp"

namespace shamon {
namespace {

constexpr std::size_t kNameBytesMax = 63;
constexpr std::size_t kLineBytes = 100;  ///< where lists that may be broken are broken
constexpr std::string_view kResourcePrefix = "resource:";

/// One line of comment, whatever the XML says.
std::string comment(std::string_view text) {
  std::string out = "# ";
  for (char c : text) out += c < 0x20 || c > 0x7e ? '?' : c;
  return out + "\n";
}

/// A coalition's name is never quoted, because machines' files and addresses are named after it.
std::string coalition_name(std::string const& name) {
  std::string out;
  for (char c : name.substr(0, kNameBytesMax)) {
    bool const valid = is_valid_name(std::string("a") + c);
    out += valid ? c : '-';
  }
  if (!is_valid_name(out)) out = ("shype" + out).substr(0, kNameBytesMax);
  return out;
}

/// Rises with the version and is never 0. Files without a version were before those with one.
std::uint64_t revision_of(std::optional<ShypeVersion> const& version) {
  constexpr std::uint64_t kMinors = 100'000'000;
  return version ? version->major * kMinors + version->minor + 1 : 1;
}

std::string version_text(std::optional<ShypeVersion> const& version) {
  if (!version) return "no version";
  return "version " + std::to_string(version->major) + "." + std::to_string(version->minor);
}

std::vector<std::string> once(std::vector<ShypeName> const& names) {
  std::vector<std::string> out;
  std::set<std::string> seen;
  for (auto const& name : names) {
    if (seen.insert(name.text).second) out.push_back(name.text);
  }
  return out;
}

std::string spaced(std::vector<std::string> const& names) {
  std::string out;
  for (auto const& name : names) out += " " + spell_name(name);
  return out;
}

class Writer {
 public:
  Writer(ShypePolicy const& policy, ShypeFindings& findings)
      : policy_(policy), findings_(findings) {
    for (auto const& vm : policy.vms) {
      vm_names_.insert(vm.name.text);
      old_vm_names_.insert(vm.from ? vm.from->text : vm.name.text);
    }
  }

  std::string write() && {
    head();
    types();
    vms();
    resources();
    walls();
    map();
    return std::move(out_);
  }

 private:
  /// A statement that cannot be broken over lines.
  void statement(ShypeName const& about, std::string const& text) {
    if (text.size() > kStatementBytesMax) {
      findings_.error(about.file, about.place,
                      quoted(about.text) + " has more types than a line of policy can name (" +
                          std::to_string(kStatementBytesMax) + " bytes)");
    }
    out_ += text + "\n";
  }

  void head() {
    std::string const name = coalition_name(policy_.name.text);
    out_ +=
        comment("Imported from the sHype/Xen ACM policy " + quoted(policy_.name.text) + ", " +
                version_text(policy_.version) + (policy_.date.empty() ? "" : ", " + policy_.date));
    if (!policy_.url.empty()) out_ += comment(policy_.url);
    if (policy_.has_ste && policy_.has_wall && !policy_.primary.empty()) {
      out_ += comment("ACM asked " + policy_.primary + " first; here every component is asked.");
    }
    out_ +=
        "coalition " + name + " revision " + std::to_string(revision_of(policy_.version)) + "\n";
    if (name != policy_.name.text) {
      findings_.note(policy_.name.file, policy_.name.place,
                     "policy " + quoted(policy_.name.text) + " is called coalition " + name);
    }
  }

  void types() {
    std::vector<ShypeName> all = policy_.ste_types;
    all.insert(all.end(), policy_.wall_types.begin(), policy_.wall_types.end());
    std::string line;
    for (auto const& type : once(all)) {
      std::string const spelled = spell_name(type);
      if (!line.empty() && line.size() + spelled.size() >= kLineBytes) {
        out_ += line + "\n";
        line.clear();
      }
      if (line.empty()) {
        if (first_type_) out_ += "\n";
        first_type_ = false;
        line = "type";
      }
      line += " " + spelled;
    }
    if (!line.empty()) out_ += line + "\n";
  }

  /// The wall is always said, because left out it would be the STE types.
  void label(ShypeLabel const& label, std::string const& name) {
    std::string const share = label.ste.empty() ? "" : "share" + spaced(once(label.ste)) + "  ";
    std::string const wall = label.wall.empty() ? "wall none" : "wall" + spaced(once(label.wall));
    statement(label.name, "label " + spell_name(name) + " { " + share + wall + " }");
  }

  void vms() {
    if (policy_.vms.empty()) return;
    out_ += "\n" + comment("Virtual machines. The bootstrap label, Domain-0's, is " +
                           spell_name(policy_.bootstrap ? policy_.bootstrap->text : "none") + ".");
    for (auto const& vm : policy_.vms) label(vm, vm.name.text);
  }

  /// ACM kept VMs' and resources' labels apart; a policy of ours has one kind. A resource named as
  /// a VM's label is gets a prefix.
  static std::string resource_name(std::string const& name, std::set<std::string> const& vms) {
    std::string out = name;
    while (vms.count(out) != 0) out = std::string(kResourcePrefix) + out;
    return out;
  }

  void resources() {
    if (policy_.resources.empty()) return;
    out_ += "\n" + comment("Resources: they run nowhere, so no wall is theirs.");
    std::set<std::string> names;
    for (auto const& resource : policy_.resources) {
      std::string const name = resource_name(resource.name.text, vm_names_);
      if (name != resource.name.text) {
        findings_.note(resource.name.file, resource.name.place,
                       "resource label " + quoted(resource.name.text) +
                           " has the name of a VM's label and becomes " + quoted(name));
      }
      if (!is_policy_name(name) || !names.insert(name).second) {
        findings_.error(resource.name.file, resource.name.place,
                        quoted(name) + " cannot be the resource's name: it is taken or too long");
      }
      label(resource, name);
    }
  }

  void walls() {
    bool first = true;
    for (auto const& conflict : policy_.conflicts) {
      auto const sides = once(conflict.types);
      if (sides.size() < 2) continue;
      if (first) out_ += "\n";
      first = false;
      statement(conflict.name,
                "wall " + spell_name(conflict.name.text) + " {" + spaced(sides) + " }");
    }
  }

  void map() {
    if (!policy_.from_policy) return;
    std::vector<std::string> pairs;
    auto rename = [&](std::string const& theirs, std::string const& ours) {
      pairs.push_back(spell_name(theirs) + " = " + spell_name(ours));
    };
    for (auto const& vm : policy_.vms) {
      if (vm.from) rename(vm.from->text, vm.name.text);
    }
    for (auto const& resource : policy_.resources) {
      if (!resource.from) continue;
      rename(resource_name(resource.from->text, old_vm_names_),
             resource_name(resource.name.text, vm_names_));
    }
    out_ += "\n" + comment("It replaces " + quoted(policy_.from_policy->text) + ", " +
                           version_text(policy_.from_version) +
                           (pairs.empty() ? "; no label has another name." : "."));
    std::string const head = "map " + spell_name(policy_.from_policy->text) + " {";
    std::string line = head;
    for (auto const& pair : pairs) {
      if (line.size() + pair.size() + 4 > kStatementBytesMax) {
        out_ += line + " }\n";
        line = head;
      }
      line += (line == head ? " " : "  ") + pair;
    }
    if (!pairs.empty()) out_ += line + " }\n";
  }

  ShypePolicy const& policy_;
  ShypeFindings& findings_;
  std::set<std::string> vm_names_;
  std::set<std::string> old_vm_names_;  ///< as far as this policy tells
  bool first_type_ = true;
  std::string out_;
};

}  // namespace

std::string write_shype_policy(ShypePolicy const& policy, ShypeFindings& findings) {
  return Writer(policy, findings).write();
}

}  // namespace shamon

// From XML elements to a ShypePolicy: the schema, as code.
#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

#include "policy/import/shype_policy.hpp"
#include "policy/language/diagnostics.hpp"
#include "policy/limits.hpp"

namespace shamon {
namespace {

constexpr std::string_view kNamespace = "http://www.ibm.com|";
// Attributes any document may have: where its schema is, what language it is in.
constexpr std::string_view kSchemaInstance = "http://www.w3.org/2001/XMLSchema-instance|";
constexpr std::string_view kXml = "http://www.w3.org/XML/1998/namespace|";

/// The name within sHype's namespace (or without one, as some tools wrote); other namespaces stay
/// in front, so that they match nothing.
std::string_view local_name(std::string_view name) {
  return name.starts_with(kNamespace) ? name.substr(kNamespace.size()) : name;
}

std::string tag(std::string_view name) {
  return "<" + std::string(name) + ">";
}

/// One document. Every read_… takes an element whose name was recognised.
class Reader {
 public:
  Reader(std::string const& file, ShypePolicy& policy, ShypeFindings& findings)
      : file_(file), policy_(policy), findings_(findings) {}

  void document(XmlElement const& root) {
    std::string_view const name = local_name(root.name);
    if (name == "SecurityPolicyDefinition") return definition(root);
    if (name == "SecurityLabelTemplate") {
      two_files_ = true;
      return label_template(root);
    }
    error(root.place,
          quoted(name) +
              " is not the root of a policy (SecurityPolicyDefinition) or of its labels "
              "(SecurityLabelTemplate)");
  }

 private:
  using Action = std::function<void(XmlElement const&)>;
  struct Child {
    Action read;
    bool many = false;
  };
  using Children = std::map<std::string_view, Child>;

  void error(XmlPlace place, std::string message) {
    findings_.error(file_, place, std::move(message));
  }

  /// Sends every child to its action; refuses those without one and repeated ones.
  void children(XmlElement const& element, Children const& known) {
    if (!element.text.empty()) {
      error(element.text_place, "text " + quoted(element.text) + " does not belong in " +
                                    tag(local_name(element.name)));
    }
    std::vector<std::string_view> names;
    for (auto const& [name, child] : known) names.push_back(name);
    std::map<std::string_view, bool> seen;
    for (auto const& child : element.children) {
      std::string_view const name = local_name(child.name);
      auto const at = known.find(name);
      if (at == known.end()) {
        error(child.place, "unknown element " + quoted(name) + " in " +
                               tag(local_name(element.name)) + did_you_mean(nearest(name, names)));
      } else if (!at->second.many && !seen.try_emplace(name, true).second) {
        error(child.place, tag(name) + " is there twice");
      } else {
        at->second.read(child);
      }
    }
  }

  /// The attribute's value, or nothing. `known` are all the element may have.
  std::optional<std::string> attribute(XmlElement const& element, std::string_view known = {}) {
    std::optional<std::string> value;
    for (auto const& attribute : element.attributes) {
      if (!known.empty() && attribute.name == known) {
        value = attribute.value;
      } else if (!attribute.name.starts_with(kSchemaInstance) &&
                 !attribute.name.starts_with(kXml)) {
        error(element.place, "unknown attribute " + quoted(attribute.name) + " of " +
                                 tag(local_name(element.name)));
      }
    }
    return value;
  }

  ShypeName name_of(XmlElement const& element) const {
    return {element.text, file_, element.text_place};
  }

  /// An element that holds text only.
  ShypeName text(XmlElement const& element) {
    attribute(element);
    return text_only(element);
  }
  ShypeName text_only(XmlElement const& element) {
    for (auto const& child : element.children) {
      error(child.place, "unknown element " + quoted(local_name(child.name)) + " in " +
                             tag(local_name(element.name)) + ", which holds text");
    }
    return name_of(element);
  }

  ShypeName required_text(XmlElement const& element) {
    ShypeName out = text(element);
    if (out.text.empty()) error(element.place, tag(local_name(element.name)) + " is empty");
    return out;
  }

  void definition(XmlElement const& root) {
    attribute(root);
    children(root, {{"PolicyHeader", {[this](auto& e) { header(e); }}},
                    {"SimpleTypeEnforcement", {[this](auto& e) { simple_type_enforcement(e); }}},
                    {"ChineseWall", {[this](auto& e) { chinese_wall(e); }}},
                    {"SecurityLabelTemplate", {[this](auto& e) { label_template(e); }}}});
  }

  void header(XmlElement const& element) {
    attribute(element);
    Action const name = [this](auto& e) { policy_.name = required_text(e); };
    Action const ignored = [this](auto& e) { text(e); };
    children(element, {{"PolicyName", {name}},
                       {"Name", {name}},  // before 2006
                       {"PolicyUrl", {[this](auto& e) { policy_.url = text(e).text; }}},
                       {"Reference", {ignored}},
                       {"Date", {[this](auto& e) { policy_.date = text(e).text; }}},
                       {"NameSpaceUrl", {ignored}},
                       {"Version", {[this](auto& e) { policy_.version = version(e); }}},
                       {"FromPolicy", {[this](auto& e) { from_policy(e); }}}});
    if (policy_.name.text.empty()) error(element.place, "<PolicyHeader> does not name the policy");
  }

  std::optional<ShypeVersion> version(XmlElement const& element) {
    std::string const written = text(element).text;
    ShypeVersion out;
    char const* const end = written.data() + written.size();
    auto number = [&](char const* at, std::uint32_t& value) {
      auto const [stop, wrong] = std::from_chars(at, end, value);
      return wrong == std::errc() && stop - at <= 8 ? stop : nullptr;
    };
    char const* const dot = number(written.data(), out.major);
    bool const two = dot != nullptr && dot != end && *dot == '.';
    if (two && number(dot + 1, out.minor) == end) return out;
    error(element.text_place,
          quoted(written) + " is not a version: two numbers of 1 to 8 digits, as 1.0");
    return std::nullopt;
  }

  void from_policy(XmlElement const& element) {
    attribute(element);
    children(element,
             {{"PolicyName", {[this](auto& e) { policy_.from_policy = required_text(e); }}},
              {"Version", {[this](auto& e) { policy_.from_version = version(e); }}}});
    if (!policy_.from_policy) error(element.place, "<FromPolicy> does not name a policy");
  }

  void priority(XmlElement const& element) {
    auto const value = attribute(element, "priority");
    if (!value) return;
    if (*value != "PrimaryPolicyComponent") {
      error(element.place, quoted(*value) + " is not a priority; only 'PrimaryPolicyComponent' is");
    } else if (!policy_.primary.empty()) {
      error(element.place, "only one component can be primary");
    }
    policy_.primary = local_name(element.name);
  }

  void simple_type_enforcement(XmlElement const& element) {
    priority(element);
    policy_.has_ste = true;
    children(element,
             {{"SimpleTypeEnforcementTypes", {[this](auto& e) { types(e, policy_.ste_types); }}}});
  }

  void chinese_wall(XmlElement const& element) {
    priority(element);
    policy_.has_wall = true;
    children(element, {{"ChineseWallTypes", {[this](auto& e) { types(e, policy_.wall_types); }}},
                       {"ConflictSets", {[this](auto& e) { conflict_sets(e); }}}});
  }

  /// `<Type/>` names nothing and is what some tools wrote for "none".
  void types(XmlElement const& element, std::vector<ShypeName>& out) {
    attribute(element);
    children(element, {{"Type", {[&](auto& e) { type(e, out); }, true}}});
  }
  void type(XmlElement const& element, std::vector<ShypeName>& out) {
    ShypeName name = text(element);
    if (!name.text.empty()) {
      out.push_back(std::move(name));
    } else if (element.children.empty()) {
      findings_.note(file_, element.place, "an empty <Type> names no type");
    }
  }

  void conflict_sets(XmlElement const& element) {
    attribute(element);
    children(element, {{"Conflict", {[this](auto& e) { conflict(e); }, true}}});
  }
  void conflict(XmlElement const& element) {
    ShypeConflict out;
    // Before 2006 the name could be left out.
    std::string const number = std::to_string(policy_.conflicts.size() + 1);
    out.name = {attribute(element, "name").value_or("conflict" + number), file_, element.place};
    children(element, {{"Type", {[&](auto& e) { type(e, out.types); }, true}}});
    policy_.conflicts.push_back(std::move(out));
  }

  void label_template(XmlElement const& element) {
    attribute(element);
    policy_.has_labels = true;
    children(element, {{"LabelHeader", {[this](auto& e) { label_header(e); }}},
                       {"SubjectLabels", {[this](auto& e) { subject_labels(e); }}},
                       {"ObjectLabels", {[this](auto& e) { object_labels(e); }}}});
  }

  /// Of the two-file form: says which policy the labels are for, by a name of its file.
  void label_header(XmlElement const& element) {
    attribute(element);
    Action const ignored = [this](auto& e) { text(e); };
    Action const policy = [&](auto& e) {
      attribute(e);
      children(e, {{"Url", {ignored}}, {"Reference", {ignored}}});
    };
    children(element, {{"Name", {ignored}}, {"Date", {ignored}}, {"PolicyName", {policy}}});
  }

  void subject_labels(XmlElement const& element) {
    auto const bootstrap = attribute(element, "bootstrap");
    if (bootstrap) {
      policy_.bootstrap = ShypeName{*bootstrap, file_, element.place};
    } else {
      error(element.place,
            "<SubjectLabels> needs the attribute 'bootstrap', the label of Domain-0");
    }
    children(element, {{"VirtualMachineLabel", {[this](auto& e) { vm_label(e); }, true}}});
  }

  void object_labels(XmlElement const& element) {
    attribute(element);
    children(element, {{"ResourceLabel", {[this](auto& e) { resource_label(e); }, true}}});
  }

  void name_with_from(XmlElement const& element, ShypeLabel& out) {
    if (auto const from = attribute(element, "from")) {
      out.from = ShypeName{*from, file_, element.place};
    }
    out.name = text_only(element);
    if (out.name.text.empty()) error(element.place, "<Name> is empty");
  }

  void vm_label(XmlElement const& element) {
    attribute(element);
    ShypeLabel out;
    children(element, {{"Name", {[&](auto& e) { name_with_from(e, out); }}},
                       {"SimpleTypeEnforcementTypes", {[&](auto& e) { types(e, out.ste); }, true}},
                       {"ChineseWallTypes", {[&](auto& e) { types(e, out.wall); }, true}}});
    add_label(element, std::move(out), policy_.vms);
  }

  void resource_label(XmlElement const& element) {
    attribute(element);
    ShypeLabel out;
    children(element,
             {{"Name", {[&](auto& e) { name_with_from(e, out); }}},
              {"SimpleTypeEnforcementTypes", {[&](auto& e) { types(e, out.ste); }, true}}});
    if (out.ste.size() > 1 && !two_files_) {
      error(out.ste[1].place, "a resource has one type, and this is the second");
    }
    add_label(element, std::move(out), policy_.resources);
  }

  void add_label(XmlElement const& element, ShypeLabel label, std::vector<ShypeLabel>& out) {
    bool const named = std::any_of(element.children.begin(), element.children.end(),
                                   [](auto& e) { return local_name(e.name) == "Name"; });
    if (!named) error(element.place, tag(local_name(element.name)) + " has no <Name>");
    if (!label.name.text.empty()) out.push_back(std::move(label));
  }

  std::string const& file_;
  ShypePolicy& policy_;
  ShypeFindings& findings_;
  bool two_files_ = false;  ///< the older form, in which a resource could have several types
};

void add(std::vector<Diagnostic>& out, Severity severity, std::string const& file, XmlPlace place,
         std::string message) {
  if (out.size() >= kDiagnosticsMax) return;
  Diagnostic diagnostic;
  diagnostic.file = file;
  diagnostic.line = place.line;
  diagnostic.column = diagnostic.end_column = place.column;
  diagnostic.severity = severity;
  diagnostic.message = std::move(message);
  out.push_back(std::move(diagnostic));
}

}  // namespace

void ShypeFindings::error(std::string const& file, XmlPlace place, std::string message) {
  add(errors, Severity::error, file, place, std::move(message));
}
void ShypeFindings::note(std::string const& file, XmlPlace place, std::string message) {
  add(notes, Severity::note, file, place, std::move(message));
}

void read_shype(std::string const& file, XmlElement const& root, ShypePolicy& policy,
                ShypeFindings& findings) {
  Reader(file, policy, findings).document(root);
}

}  // namespace shamon

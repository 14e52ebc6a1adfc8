// A policy of the sHype Access Control Module (ACM) of Xen 3, as its XML states it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/import/xml_reader.hpp"

namespace shamon {

struct ShypeName {
  std::string text;
  std::string file;
  XmlPlace place;
};

/// Major and minor, each below 100,000,000 (security_policy.xsd, VersionFormat).
struct ShypeVersion {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
};

/// A VirtualMachineLabel or a ResourceLabel. A missing list of types is an empty one.
struct ShypeLabel {
  ShypeName name;
  std::optional<ShypeName> from;  ///< its name in the policy this one replaces
  std::vector<ShypeName> ste;
  std::vector<ShypeName> wall;
};

struct ShypeConflict {
  ShypeName name;
  std::vector<ShypeName> types;
};

struct ShypePolicy {
  ShypeName name;
  std::optional<ShypeVersion> version;
  std::string date;  ///< for people
  std::string url;   ///< for people
  std::optional<ShypeName> from_policy;
  std::optional<ShypeVersion> from_version;
  bool has_ste = false;   ///< the component is there
  bool has_wall = false;  ///< the component is there
  std::string primary;    ///< element of the component that is primary; empty: not said
  std::vector<ShypeName> ste_types;
  std::vector<ShypeName> wall_types;
  std::vector<ShypeConflict> conflicts;
  bool has_labels = false;  ///< a SecurityLabelTemplate is there
  std::optional<ShypeName> bootstrap;
  std::vector<ShypeLabel> vms;
  std::vector<ShypeLabel> resources;
};

/// What is wrong or doubtful in the files of one import, each with its place.
struct ShypeFindings {
  std::vector<Diagnostic> errors;  ///< up to kDiagnosticsMax
  std::vector<Diagnostic> notes;   ///< up to kDiagnosticsMax

  void error(std::string const& file, XmlPlace place, std::string message);
  void note(std::string const& file, XmlPlace place, std::string message);
};

/// Adds what a document says to `policy`: SecurityPolicyDefinition (which may hold the labels) or,
/// of the older two-file form, SecurityLabelTemplate. Every element and attribute must be one of
/// the schemas of 2005 to 2008; order does not matter. Names are checked by check_shype.
void read_shype(std::string const& file, XmlElement const& root, ShypePolicy& policy,
                ShypeFindings& findings);

/// Every name defined once, every type in use defined, every bound of our policies kept.
void check_shype(ShypePolicy const& policy, ShypeFindings& findings);

/// The same policy in our language (docs/import-export.md). Only for what check_shype accepts.
std::string write_shype_policy(ShypePolicy const& policy, ShypeFindings& findings);

}  // namespace shamon

// policy flow --selinux: the same question about a compiled SELinux policy.
#pragma once

#include <string>
#include <vector>

namespace shamon {

struct SelinuxFlowOptions {
  std::string policy;          ///< a compiled kernel policy: policy.33
  std::string permission_map;  ///< empty: the one setools installs
  unsigned min_weight = 3;
  std::string booleans;  ///< "", "default" or "name:true,name:false"
  std::vector<std::string> exclude;
  bool as_json = false;
};

/// Prints the answer and returns the exit code: 0 no path, 13 a path, 2 wrong question, 3 no file.
int selinux_flow(SelinuxFlowOptions const& options, std::string const& from, std::string const& to);

}  // namespace shamon

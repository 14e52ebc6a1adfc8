// What a running laboratory owns: processes, namespaces and one folder. Kept in lab.json there, so
// that another command can end it completely.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"

namespace shamon {

struct LabProcess {
  std::string role;  ///< "shype1/shamond"
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< with the pid it names this process for ever
};

class LabState {
 public:
  explicit LabState(std::string folder) : folder_(std::move(folder)) {}
  static Result<LabState> load(std::string const& folder);
  std::string const& folder() const noexcept { return folder_; }

  Status add_process(std::string const& role, pid_t pid);
  Status add_namespace(std::string const& name);
  Status remove_process(std::string const& role);
  std::optional<LabProcess> find(std::string const& role) const;
  std::vector<LabProcess> const& processes() const noexcept { return processes_; }
  std::vector<std::string> const& namespaces() const noexcept { return namespaces_; }

  /// Ends what still runs (SIGTERM, then SIGKILL), deletes the namespaces and the folder.
  /// Goes on after a failure and reports the first.
  Status tear_down();
  /// Ends one process that this laboratory started: waits until it is gone.
  Status end_process(std::string const& role, int signal);

 private:
  Status save() const;
  std::string folder_;
  std::vector<LabProcess> processes_;
  std::vector<std::string> namespaces_;
};

}  // namespace shamon

// A guest's TPM 2.0: swtpm with its state in the VM's folder.
#pragma once

#include <functional>
#include <string>

#include "base/fd.hpp"
#include "vm/driver.hpp"
#include "vm/process.hpp"

namespace shamon {

/// The vTPM of one VM: `folder`/vtpm holds its state and is made once; the same VM has the same
/// endorsement key for ever.
class Vtpm {
 public:
  Vtpm(QemuOptions const& options, ProcessStarter& starter, std::string folder)
      : options_(options), starter_(starter), folder_(std::move(folder)) {}

  /// Makes the vTPM with swtpm_setup if it is not there: one SHA-256 bank, EK certificate if the
  /// options name a CA. 0.6 s on an idle machine.
  Status set_up() const;
  /// Runs the vTPM alone, lets `use` talk to it over a TCTI, and ends it again.
  Status provision(std::function<Status(std::string const& tcti)> const& use) const;
  struct Running {
    ChildProcess process;
    UniqueFd control;  ///< QEMU's end of the control channel
  };
  /// Runs the vTPM for QEMU; it ends when QEMU closes the channel.
  Result<Running> run() const;

 private:
  std::string state_folder() const { return folder_ + "/vtpm"; }
  std::string log_path() const { return folder_ + "/vtpm.log"; }

  QemuOptions const& options_;
  ProcessStarter& starter_;
  std::string folder_;
};

}  // namespace shamon

// A whole laboratory: up, waited for, down.
#pragma once

#include <memory>
#include <set>

#include "operator/cli/api.hpp"
#include "operator/lab/lab_machine.hpp"

namespace shamon {

class Laboratory {
 public:
  /// Says what is being done, one line a step.
  using Progress = std::function<void(std::string const&)>;

  static std::string folder_of(std::string const& name);
  /// Starts everything. Errors leave nothing behind. `conflict`: one of that name is up.
  static Result<std::unique_ptr<Laboratory>> up(LabSpec spec, std::string program_folder,
                                                Progress progress);
  /// Ends a laboratory that another command started.
  static Status down(std::string const& name);

  LabSpec const& spec() const noexcept { return spec_; }
  LabState& state() noexcept { return state_; }
  LabMachineRoom& room() noexcept { return *room_; }
  LabMachine const* machine(std::string const& name) const;
  LabVm const* vm(std::string const& name) const;
  std::string authority_socket() const;
  std::string host_socket(std::string const& machine) const;

  /// Polls until every machine is active or refused and every VM of an active one runs or failed.
  Status wait_until_settled(Duration limit, Progress progress);
  Status start_authority();
  Status kill_authority(int signal);
  /// Writes text to a guest's serial console, as an operator would type it.
  Status type_on_console(std::string const& vm, std::string const& text);
  std::string console_log_path(std::string const& vm) const;

  /// Ends everything and removes the folder.
  Status tear_down();
  /// The laboratory stays up when this object goes.
  void leave_running() noexcept { owned_ = false; }
  ~Laboratory();

 private:
  Laboratory(LabSpec spec, std::string program_folder);
  Status build(Progress const& progress);
  Status copy_images();
  Status write_authority_config();
  Status write_reference_values(std::vector<ReferenceValue> values);

  LabSpec spec_;
  std::string programs_;
  LabState state_;
  std::unique_ptr<LabMachineRoom> room_;
  LabTaps taps_;
  bool owned_ = true;
};

}  // namespace shamon

// A real QEMU guest whose card is tried: the VM driver's own arguments, with what a test changes of
// them. It has no vTPM, and its gate's ends are the test's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "netns/guest_console.hpp"
#include "vm/driver.hpp"
#include "vm/process.hpp"
#include "vm/qemu/qemu_arguments.hpp"
#include "vm/qemu/qmp.hpp"

namespace shamon::netns {

/// Guest v1 of the tests of vhost-user, a green VM.
inline constexpr std::uint32_t kGuestPort = 5;
inline constexpr char const* kGuestAddress = "10.77.0.5";
inline constexpr MacAddress kGuestMac{{2, 0, 10, 77, 0, 5}};

class QemuGuest {
 public:
  struct Options {
    /// What the test says of name, label, address, mac, processors and card; the rest is made here.
    VmSpec spec;
    std::string folder;         ///< for its sockets and logs
    std::string memory_object;  ///< instead of the driver's; its id must be `ram`
    std::string incoming;       ///< where a guest comes from that another QEMU gives away
    /// Programs of this machine that the guest shall have, under the same paths.
    std::vector<std::string> programs;
  };

  /// Guest v1, with its files in that folder.
  static Options v1(std::string const& folder, bool packed_ring = false);

  /// What there is to install or to make before one can be started; empty: nothing.
  static std::string missing();

  /// Throws if QEMU cannot be started. With a vhost-user card nothing more happens before the gate
  /// has the port.
  explicit QemuGuest(Options options);

  /// The gate's end of the card.
  UniqueFd port() const;
  /// Gives it to that machine's gate, for v1.
  Status attach_v1(Machine& machine) const;
  /// True once the guest's shell answers.
  bool has_booted(int seconds_max = 120);
  /// A command for its shell.
  Ran run(std::string const& command, int seconds_max = 40);
  /// A command without single quotes that runs on in the guest.
  bool start(std::string const& command);
  /// A command for QEMU, and its answer; or the error as text.
  std::string ask(std::string const& command, std::string const& arguments = {});
  bool running() const { return !process_.has_ended(); }
  void end() { process_.kill(); }
  pid_t pid() const { return process_.pid(); }
  /// What QEMU and the guest said last.
  std::string told() const;

 private:
  void make_card();
  GuestConsole& console();
  void add_programs();
  std::vector<std::string> arguments(QemuDescriptors const& descriptors) const;

  Options options_;
  UniqueFd port_, their_port_, qmp_socket_, agent_;
  std::optional<QmpConnection> qmp_;
  std::optional<GuestConsole> console_;
  ProcessStarter starter_;
  ChildProcess process_;
};

}  // namespace shamon::netns

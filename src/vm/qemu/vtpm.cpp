#include "vm/qemu/vtpm.hpp"

#include <csignal>
#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.hpp"
#include "vm/limits.hpp"

namespace shamon {
namespace {

namespace fs = std::filesystem;

/// swtpm binds, then listens; a connection attempt would use up its only client. It listens a
/// moment after the file appears, which the TCTI's connect could miss: so look at the socket's
/// state instead (flag __SO_ACCEPTCON in /proc/net/unix).
bool is_listening(std::string const& path) {
  auto const table = read_text_file("/proc/net/unix");
  if (!table) return false;
  auto const at = table->find(" " + path + "\n");
  if (at == std::string::npos) return false;
  auto const line_at = table->rfind('\n', at) + 1;
  return std::string_view(*table).substr(line_at, at - line_at).find(" 00010000 ") !=
         std::string_view::npos;
}

}  // namespace

Status Vtpm::set_up() const {
  auto const folder = state_folder();
  if (::access((folder + "/tpm2-00.permall").c_str(), F_OK) == 0) return {};
  // An interrupted set-up leaves its unfinished state in another folder than the real one.
  auto const draft = folder + ".new";
  std::error_code error;
  fs::remove_all(draft, error);
  if (::mkdir(draft.c_str(), 0700) != 0) return fail_errno("mkdir " + draft);
  ProcessOptions setup{
      {options_.swtpm_setup, "--tpm2", "--tpmstate", draft, "--pcr-banks", "sha256", "--overwrite"},
      {},
      log_path()};
  if (!options_.swtpm_config.empty()) {
    setup.arguments.insert(setup.arguments.end(),
                           {"--config", options_.swtpm_config, "--create-ek-cert"});
  }
  auto process = starter_.start(setup);
  if (!process) return pass(process, "vTPM set-up (package swtpm-tools)");
  auto const status = process->wait(kSetupTimeout);
  if (!status) return pass(status, "swtpm_setup");
  if (*status != 0) {
    return fail(Errc::tpm,
                fmt::format("swtpm_setup ended with {}: {}", *status, log_tail(log_path())));
  }
  fs::remove_all(folder, error);
  fs::rename(draft, folder, error);
  if (error) return fail(Errc::system, "rename " + draft + ": " + error.message());
  return {};
}

Status Vtpm::provision(std::function<Status(std::string const& tcti)> const& use) const {
  auto const path = folder_ + "/vtpm.sock";
  // tpm2-tss's transport expects the control socket under this very name.
  auto const control = path + ".ctrl";
  ::unlink(path.c_str());
  ::unlink(control.c_str());
  auto process =
      starter_.start({{options_.swtpm, "socket", "--tpm2", "--tpmstate", "dir=" + state_folder(),
                       "--server", "type=unixio,path=" + path, "--ctrl",
                       "type=unixio,path=" + control, "--flags", "not-need-init,startup-clear"},
                      {},
                      log_path()});
  if (!process) return pass(process, "vTPM (package swtpm)");
  auto const deadline = std::chrono::steady_clock::now() + kSocketTimeout;
  while (!is_listening(path) || !is_listening(control)) {
    if (process->has_ended()) return fail(Errc::tpm, "swtpm ended: " + log_tail(log_path()));
    if (std::chrono::steady_clock::now() > deadline) return fail(Errc::timeout, "swtpm is silent");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  auto const used = use("swtpm:path=" + path);
  // Ends in order so that its state is written; state is complete after each command anyway.
  process->send_signal(SIGTERM);
  if (!process->wait(kQuitTimeout)) process->kill();
  ::unlink(path.c_str());
  ::unlink(control.c_str());
  return used;
}

Result<Vtpm::Running> Vtpm::run() const {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_errno("socketpair");
  }
  UniqueFd const theirs(ends[0]);
  Running running{{}, UniqueFd(ends[1])};
  auto process = starter_.start(
      {{options_.swtpm, "socket", "--tpm2", "--tpmstate", "dir=" + state_folder(), "--ctrl",
        fmt::format("type=unixio,clientfd={}", theirs.get()), "--terminate"},
       {theirs.get()},
       log_path()});
  if (!process) return pass(process, "vTPM (package swtpm)");
  running.process = *std::move(process);
  return running;
}

}  // namespace shamon

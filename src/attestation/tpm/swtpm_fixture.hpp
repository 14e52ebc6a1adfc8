// For tests: a real software TPM in a folder of its own, with an EK certificate from a local CA
// made on the spot. Header only, so that tests/ can use it as well. Ends the process it started, by
// its id, and removes its folder.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.hpp"
#include "base/result.hpp"

extern char** environ;

namespace shamon::testing {

/// True if a program of this name is in PATH.
inline bool has_program(std::string const& name) {
  std::string const path = std::getenv("PATH") != nullptr ? std::getenv("PATH") : "/usr/bin";
  for (std::size_t at = 0; at <= path.size();) {
    std::size_t const end = std::min(path.find(':', at), path.size());
    if (::access((path.substr(at, end - at) + "/" + name).c_str(), X_OK) == 0) return true;
    at = end + 1;
  }
  return false;
}

/// Starts a program with its output in a file; -1 if it could not be started.
inline pid_t spawn(std::vector<std::string> const& command, std::string const& output_path) {
  std::vector<char*> arguments;
  for (std::string const& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                   0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  int const failed =
      ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? pid : -1;
}

struct CommandResult {
  int exit_code = -1;
  std::string output;  ///< standard output and error together
};

/// Runs a program to its end.
inline CommandResult run_command(std::vector<std::string> const& command,
                                 std::string const& folder) {
  std::string const output = folder + "/command-output";
  std::filesystem::remove(output);
  pid_t const pid = spawn(command, output);
  if (pid < 0) return {-1, "cannot start " + command[0]};
  int status = 0;
  ::waitpid(pid, &status, 0);
  std::ifstream file(output, std::ios::binary);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>())};
}

class SwTpm {
 public:
  struct Options {
    std::string banks = "sha256";  ///< comma separated, as swtpm_setup has it
  };

  /// What to install when `start` cannot work here; empty if all is there.
  static std::string missing() {
    if (!has_program("swtpm")) return "swtpm is missing: install the Debian package swtpm";
    if (!has_program("swtpm_setup")) {
      return "swtpm_setup is missing: install the Debian package swtpm-tools";
    }
    return {};
  }

  static Result<std::unique_ptr<SwTpm>> start() { return start(Options{}); }
  static Result<std::unique_ptr<SwTpm>> start(Options const& options) {
    char name[] = "/tmp/shamon-swtpm-XXXXXX";
    if (::mkdtemp(name) == nullptr) return fail_errno("mkdtemp");
    std::unique_ptr<SwTpm> tpm(new SwTpm(name));
    if (auto made = tpm->manufacture(options); !made) return pass(made);
    if (auto started = tpm->power_on(); !started) return pass(started);
    return tpm;
  }
  SwTpm(SwTpm const&) = delete;
  SwTpm& operator=(SwTpm const&) = delete;
  ~SwTpm() {
    power_off();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string const& folder() const noexcept { return folder_; }
  std::string tcti() const { return "swtpm:path=" + socket_path(); }
  std::string state_folder() const { return folder_ + "/state"; }
  /// PEM files of the local CA: root, and the intermediate that signed the EK certificates.
  std::string root_pem_path() const { return folder_ + "/ca/swtpm-localca-rootca-cert.pem"; }
  std::string issuer_pem_path() const { return folder_ + "/ca/issuercert.pem"; }
  pid_t pid() const noexcept { return pid_; }

  /// A reboot of the machine the TPM is in: PCRs start anew, the reset counter goes up.
  Status reboot() {
    power_off();
    return power_on();
  }

  void power_off() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    ::unlink(socket_path().c_str());
    ::unlink((socket_path() + ".ctrl").c_str());
  }

  Status power_on() {
    std::string const control = socket_path() + ".ctrl";
    pid_ = spawn({"swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + state_folder(), "--server",
                  "type=unixio,path=" + socket_path(), "--ctrl", "type=unixio,path=" + control,
                  "--flags", "not-need-init,startup-clear"},
                 folder_ + "/swtpm-log");
    if (pid_ < 0) return fail(Errc::system, "cannot start swtpm");
    for (int attempt = 0; attempt < 500; ++attempt) {
      if (answers(control)) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return fail(Errc::timeout, "swtpm did not open its socket");
  }

  /// Environment for tpm2-tools.
  void point_tpm2_tools_here() const { ::setenv("TPM2TOOLS_TCTI", tcti().c_str(), 1); }

 private:
  explicit SwTpm(std::string folder) : folder_(std::move(folder)) {}

  std::string socket_path() const { return folder_ + "/sock"; }

  static bool answers(std::string const& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd const fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return fd && ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  Status manufacture(Options const& options) {
    namespace fs = std::filesystem;
    for (char const* part : {"/state", "/ca", "/config"}) fs::create_directories(folder_ + part);
    std::string const config = folder_ + "/config/";
    std::ofstream(config + "swtpm_setup.conf")
        << "create_certs_tool= /usr/bin/swtpm_localca\n"
        << "create_certs_tool_config = " << config << "localca.conf\n"
        << "create_certs_tool_options = " << config << "localca.options\n";
    std::ofstream(config + "localca.conf") << "statedir = " << folder_ << "/ca\n"
                                           << "signingkey = " << folder_ << "/ca/signkey.pem\n"
                                           << "issuercert = " << folder_ << "/ca/issuercert.pem\n"
                                           << "certserial = " << folder_ << "/ca/certserial\n";
    std::ofstream(config + "localca.options")
        << "--platform-manufacturer Shamon\n--platform-version 1\n--platform-model test\n";
    auto const made = run_command({"swtpm_setup", "--tpm2", "--tpmstate", state_folder(),
                                   "--config", config + "swtpm_setup.conf", "--create-ek-cert",
                                   "--pcr-banks", options.banks, "--overwrite"},
                                  folder_);
    if (made.exit_code != 0) return fail(Errc::system, "swtpm_setup: " + made.output);
    return {};
  }

  std::string folder_;
  pid_t pid_ = -1;
};

}  // namespace shamon::testing

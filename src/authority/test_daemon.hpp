// For tests and the bench: the real shamon-authority in a temporary folder.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authority/test_machine.hpp"
#include "base/file.hpp"
#include "base/ipv4_text.hpp"

namespace shamon {

class TestDaemon {
 public:
  /// `more`: further lines of its configuration.
  TestDaemon(std::string program, std::string folder, TestEndorser const& endorser,
             std::string const& more = {})
      : program_(std::move(program)), folder_(std::move(folder)) {
    write("ek.pem", endorser.certificate.pem());
    write("values.json", encode_json(ReferenceValueList{values_for(good_components())}));
    write("test.policy", test_policy(1));
    write("authority.toml",
          "coalition = 'test'\npolicy = 'test.policy'\nstate_folder = 'state'\n"
          "socket_folder = 'run'\nlisten_tls = '127.0.0.1:0'\nendorser_roots = ['ek.pem']\n"
          "reference_values = ['values.json']\npcr_mask = 0x1ff\n" +
              more);
  }
  TestDaemon(TestDaemon const&) = delete;
  ~TestDaemon() { stop(SIGKILL); }

  /// Waits for its "ready" line. False with what it wrote if it does not come.
  bool start() {
    int ends[2];
    if (::pipe(ends) != 0) return false;
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      UniqueFd const log(
          ::open((folder_ + "/log").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
      ::dup2(log.get(), STDERR_FILENO);
      std::string const config = folder_ + "/authority.toml";
      ::execl(program_.c_str(), program_.c_str(), "--config", config.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    UniqueFd const out(ends[0]);
    std::string text;
    char piece[256];
    ssize_t size = 0;
    while (text.find('\n') == std::string::npos &&
           (size = ::read(out.get(), piece, sizeof piece)) > 0) {
      text.append(piece, static_cast<std::size_t>(size));
    }
    if (!text.starts_with("ready ")) return false;
    auto const at = parse_endpoint(text.substr(6, text.find('\n') - 6));
    if (at) endpoint_ = *at;
    return at.has_value();
  }
  /// Its exit status as waitpid has it.
  int stop(int signal = SIGTERM) {
    if (child_ <= 0) return 0;
    ::kill(child_, signal);
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
    return status;
  }

  Endpoint endpoint() const noexcept { return endpoint_; }
  Certificate ca() const {
    return *Certificate::from_pem(*read_text_file(folder_ + "/state/ca.pem"));
  }
  std::string admin_socket() const { return folder_ + "/run/authority.sock"; }
  std::string read_socket() const { return folder_ + "/run/authority-read.sock"; }
  std::string log() const { return read_text_file(folder_ + "/log").value_or(""); }
  void write(std::string const& name, std::string const& text) const {
    SHAMON_ASSERT(write_file_atomically(folder_ + "/" + name, as_bytes(text), 0644).has_value());
  }
  pid_t pid() const noexcept { return child_; }

 private:
  std::string program_, folder_;
  pid_t child_ = -1;
  Endpoint endpoint_;
};

}  // namespace shamon

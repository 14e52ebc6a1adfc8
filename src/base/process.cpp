#include "base/process.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"

namespace shamon {
namespace {

/// What the child needs, laid out before fork so that the child allocates nothing.
struct Prepared {
  std::vector<char*> arguments;
  std::vector<std::string> environment_texts;
  std::vector<char*> environment;
  std::string namespace_path;
};

void keep_variable(Prepared& out, char const* name, char const* fallback) {
  char const* value = std::getenv(name);
  if (value == nullptr) value = fallback;
  if (value != nullptr) out.environment_texts.push_back(std::string(name) + "=" + value);
}

Prepared prepare(ProcessSpec const& spec) {
  Prepared out;
  for (auto const& argument : spec.arguments) {
    out.arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  out.arguments.push_back(nullptr);
  keep_variable(out, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  keep_variable(out, "HOME", nullptr);
  keep_variable(out, "TERM", nullptr);
  keep_variable(out, "LANG", nullptr);
  keep_variable(out, "ASAN_OPTIONS", nullptr);
  for (auto const& [name, value] : spec.environment) {
    out.environment_texts.push_back(name + "=" + value);
  }
  if (!spec.descriptors.empty()) {
    std::string names;
    for (auto const& [name, fd] : spec.descriptors) names += (names.empty() ? "" : ":") + name;
    out.environment_texts.push_back("LISTEN_FDNAMES=" + names);
    out.environment_texts.push_back("LISTEN_FDS=" + std::to_string(spec.descriptors.size()));
  }
  for (auto& text : out.environment_texts) out.environment.push_back(text.data());
  out.environment.push_back(nullptr);
  if (!spec.network_namespace.empty()) out.namespace_path = "/run/netns/" + spec.network_namespace;
  return out;
}

[[noreturn]] void give_up(int report_fd, char const* what) {
  int const error_number = errno;
  char text[128];
  int const size = std::snprintf(text, sizeof text, "%s: %s", what, std::strerror(error_number));
  [[maybe_unused]] ssize_t const n = ::write(report_fd, text, static_cast<std::size_t>(size));
  ::_exit(127);
}

/// Moves the passed descriptors to 3, 4, … in two steps, so that none overwrites another.
void place_descriptors(ProcessSpec const& spec, int& report_fd) {
  int const count = static_cast<int>(spec.descriptors.size());
  int const high = 64 + count;
  int const moved_report = ::fcntl(report_fd, F_DUPFD_CLOEXEC, high + count);
  if (moved_report < 0) give_up(report_fd, "moving a descriptor");
  report_fd = moved_report;
  std::vector<int> staged(spec.descriptors.size());
  for (std::size_t i = 0; i < staged.size(); ++i) {
    staged[i] = ::fcntl(spec.descriptors[i].second, F_DUPFD, high);
    if (staged[i] < 0) give_up(report_fd, "moving a descriptor");
  }
  for (int i = 0; i < count; ++i) {
    if (::dup2(staged[static_cast<std::size_t>(i)], 3 + i) < 0) give_up(report_fd, "dup2");
  }
  ::syscall(SYS_close_range, 3u + static_cast<unsigned>(count),
            static_cast<unsigned>(report_fd) - 1, 0u);
  ::syscall(SYS_close_range, static_cast<unsigned>(report_fd) + 1, ~0u, 0u);
}

void become(ProcessSpec const& spec, Prepared const& prepared, int report_fd) {
  if (!prepared.namespace_path.empty()) {
    int const ns = ::open(prepared.namespace_path.c_str(), O_RDONLY | O_CLOEXEC);
    if (ns < 0 || ::setns(ns, CLONE_NEWNET) != 0) give_up(report_fd, "entering namespace");
  }
  if (spec.uid) {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(*spec.uid, *spec.uid, *spec.uid) != 0 ||
        ::setresuid(*spec.uid, *spec.uid, *spec.uid) != 0) {
      give_up(report_fd, "changing user");
    }
  }
}

[[noreturn]] void run_child(ProcessSpec const& spec, Prepared const& prepared, int report_fd,
                            pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (spec.own_session) ::setsid();
  int const null_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null_fd < 0 || ::dup2(null_fd, 0) < 0) give_up(report_fd, "/dev/null");
  if (!spec.output_path.empty()) {
    int const out =
        ::open(spec.output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (out < 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0) give_up(report_fd, "opening the log");
  }
  if (spec.stdio >= 0 && (::dup2(spec.stdio, 0) < 0 || ::dup2(spec.stdio, 1) < 0)) {
    give_up(report_fd, "standard input and output");
  }
  become(spec, prepared, report_fd);
  // After the change of user, which clears it.
  if (spec.dies_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
  }
  place_descriptors(spec, report_fd);
  ::execvpe(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
  give_up(report_fd, prepared.arguments[0]);
}

int shell_status(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<Process> Process::spawn(ProcessSpec const& spec) {
  if (spec.arguments.empty()) return fail(Errc::invalid, "no program to start");
  Prepared const prepared = prepare(spec);
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return fail_errno("pipe");
  UniqueFd report_read(pipe_fds[0]);
  UniqueFd report_write(pipe_fds[1]);
  pid_t const parent = ::getpid();
  pid_t const pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid == 0) run_child(spec, prepared, report_write.get(), parent);
  report_write.reset();
  char text[160];
  ssize_t n = 0;
  do {
    n = ::read(report_read.get(), text, sizeof text);
  } while (n < 0 && errno == EINTR);
  if (n > 0) {
    ::waitpid(pid, nullptr, 0);
    return fail(Errc::system, "starting " + spec.arguments[0] + ": " +
                                  std::string(text, static_cast<std::size_t>(n)));
  }
  Process out;
  out.pid_ = pid;
  out.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!out.pidfd_) return fail_errno("pidfd_open");
  ::fcntl(out.pidfd_.get(), F_SETFD, FD_CLOEXEC);
  return out;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      status_(std::exchange(other.status_, {})),
      kill_on_drop_(std::exchange(other.kill_on_drop_, false)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    if (kill_on_drop_) end();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    status_ = std::exchange(other.status_, {});
    kill_on_drop_ = std::exchange(other.kill_on_drop_, false);
  }
  return *this;
}

Process::~Process() {
  if (kill_on_drop_) end();
}

bool Process::running() {
  return pid_ > 0 && !status_ && !wait(Duration(0));
}

std::optional<int> Process::wait(Duration limit) {
  if (status_ || pid_ <= 0) return status_;
  pollfd waiting{pidfd_.get(), POLLIN, 0};
  auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  if (::poll(&waiting, 1, static_cast<int>(ms)) <= 0) return {};
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return {};
  status_ = shell_status(status);
  return status_;
}

Status Process::signal(int number) {
  if (pid_ <= 0 || status_) return fail(Errc::not_found, "the process has ended");
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0) != 0) {
    return fail_errno("signalling a process");
  }
  return {};
}

void Process::end(Duration grace) {
  if (pid_ <= 0 || status_) return;
  (void)signal(SIGTERM);
  if (wait(grace)) return;
  (void)signal(SIGKILL);
  (void)wait(std::chrono::seconds(5));
}

pid_t Process::release() noexcept {
  kill_on_drop_ = false;
  return std::exchange(pid_, -1);
}

Result<ProcessOutput> run_process(std::vector<std::string> const& arguments, Duration limit,
                                  std::vector<std::pair<std::string, std::string>> environment) {
  char path[] = "/tmp/shamon-output-XXXXXX";
  UniqueFd file(::mkstemp(path));
  if (!file) return fail_errno("temporary file");
  ProcessSpec spec{
      .arguments = arguments, .environment = std::move(environment), .output_path = path};
  auto process = Process::spawn(spec);
  if (!process) {
    ::unlink(path);
    return pass(process);
  }
  auto const status = process->wait(limit);
  if (!status) process->end(Duration(0));
  auto text = read_text_file(path);
  ::unlink(path);
  if (!status) return fail(Errc::timeout, arguments[0] + " did not end in time");
  if (!text) return pass(text);
  return ProcessOutput{*status, std::move(*text)};
}

Status run_checked(std::vector<std::string> const& arguments, Duration limit,
                   std::vector<std::pair<std::string, std::string>> environment) {
  auto output = run_process(arguments, limit, std::move(environment));
  if (!output) return pass(output);
  if (output->status == 0) return {};
  std::string command;
  for (auto const& argument : arguments) command += (command.empty() ? "" : " ") + argument;
  return fail(Errc::system,
              command + " ended with " + std::to_string(output->status) + ": " + output->text);
}

std::optional<std::uint64_t> process_start_ticks(pid_t pid) {
  auto text = read_text_file("/proc/" + std::to_string(pid) + "/stat");
  if (!text) return {};
  // The second field is the program's name in parentheses and may hold anything.
  std::size_t at = text->rfind(')');
  if (at == std::string::npos) return {};
  for (int field = 2; field < 22; ++field) {
    at = text->find(' ', at + 1);
    if (at == std::string::npos) return {};
  }
  return std::strtoull(text->c_str() + at + 1, nullptr, 10);
}

std::vector<std::pair<std::string, UniqueFd>> take_passed_descriptors() {
  std::vector<std::pair<std::string, UniqueFd>> out;
  char const* names = std::getenv("LISTEN_FDNAMES");
  if (names == nullptr) return out;
  std::string rest = names;
  for (int fd = 3; !rest.empty(); ++fd) {
    std::size_t const colon = rest.find(':');
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) break;
    out.emplace_back(rest.substr(0, colon), UniqueFd(fd));
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  ::unsetenv("LISTEN_FDNAMES");
  ::unsetenv("LISTEN_FDS");
  return out;
}

}  // namespace shamon

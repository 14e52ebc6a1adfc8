#include "vm/process.hpp"

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/file.hpp"
#include "vm/limits.hpp"

namespace shamon {
namespace {

/// What the child needs, prepared before fork(): between fork() and exec() nothing is allocated.
struct Prepared {
  std::vector<char*> arguments;
  std::vector<int> const* inherited = nullptr;
  int log = -1;
  int failure = -1;  ///< pipe: errno of a failed exec
  pid_t parent = 0;
};

[[noreturn]] void fail_in_child(int pipe_end) {
  int const error = errno;
  [[maybe_unused]] auto const written = ::write(pipe_end, &error, sizeof error);
  ::_exit(127);
}

[[noreturn]] void become(Prepared const& prepared) {
  // A dead parent has been replaced as our parent before the signal could be asked for.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != prepared.parent) ::_exit(127);
  ::setsid();
  ::umask(077);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  int const null = ::open("/dev/null", O_RDWR);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(prepared.log, 1) < 0 ||
      ::dup2(prepared.log, 2) < 0) {
    fail_in_child(prepared.failure);
  }
  if (::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) != 0) {
    fail_in_child(prepared.failure);
  }
  for (int const fd : *prepared.inherited) {
    if (::fcntl(fd, F_SETFD, 0) != 0) fail_in_child(prepared.failure);
  }
  ::execvp(prepared.arguments[0], prepared.arguments.data());
  fail_in_child(prepared.failure);
}

Result<pid_t> fork_and_exec(ProcessOptions const& options) {
  SHAMON_ASSERT(!options.arguments.empty());
  UniqueFd const log(
      ::open(options.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log) return fail_errno("open " + options.log_path);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe2");
  UniqueFd const failure_read(ends[0]);
  UniqueFd failure_write(ends[1]);
  Prepared prepared;
  for (auto const& argument : options.arguments) {
    prepared.arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  prepared.arguments.push_back(nullptr);
  prepared.inherited = &options.inherited;
  prepared.log = log.get();
  prepared.failure = failure_write.get();
  prepared.parent = ::getpid();
  pid_t const pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid == 0) become(prepared);
  failure_write.reset();
  int error = 0;
  ssize_t count = 0;
  do {
    count = ::read(failure_read.get(), &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  if (count == 0) return pid;
  ::waitpid(pid, nullptr, 0);
  return tl::unexpected<Error>(system_error("start " + options.arguments[0], error));
}

}  // namespace

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pid_fd_(std::move(other.pid_fd_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    kill();
    pid_ = std::exchange(other.pid_, -1);
    pid_fd_ = std::move(other.pid_fd_);
  }
  return *this;
}

ChildProcess::~ChildProcess() {
  kill();
}

bool ChildProcess::has_ended() const {
  if (pid_ < 0) return true;
  pollfd poll_entry{pid_fd_.get(), POLLIN, 0};
  return ::poll(&poll_entry, 1, 0) == 1;
}

Result<int> ChildProcess::wait(std::chrono::milliseconds timeout) {
  if (pid_ < 0) return fail(Errc::not_found, "no process to wait for");
  auto const deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd poll_entry{pid_fd_.get(), POLLIN, 0};
    int const ready = ::poll(&poll_entry, 1, static_cast<int>(std::max<long>(0, left.count())));
    if (ready == 1) break;
    if (ready == 0) return fail(Errc::timeout, "process still runs");
    if (errno != EINTR) return fail_errno("poll");
  }
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pid_fd_.get()), &info, WEXITED) != 0) {
    return fail_errno("waitid");
  }
  pid_ = -1;
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

void ChildProcess::send_signal(int signal) const noexcept {
  if (pid_ > 0) ::syscall(SYS_pidfd_send_signal, pid_fd_.get(), signal, nullptr, 0);
}

void ChildProcess::kill() noexcept {
  if (pid_ < 0) return;
  send_signal(SIGKILL);
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pid_fd_.get()), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
  pid_ = -1;
  pid_fd_.reset();
}

struct ProcessStarter::Thread {
  std::mutex one_at_a_time;  ///< callers
  std::mutex mutex;          ///< what follows
  std::condition_variable changed;
  ProcessOptions const* wanted = nullptr;
  std::optional<Result<pid_t>> started;
  bool end = false;
  std::thread thread;

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return end || wanted != nullptr; });
      if (end) return;
      started = fork_and_exec(*wanted);
      wanted = nullptr;
      changed.notify_all();
    }
  }
};

ProcessStarter::ProcessStarter() : thread_(std::make_unique<Thread>()) {
  thread_->thread = std::thread([thread = thread_.get()] { thread->run(); });
}

ProcessStarter::~ProcessStarter() {
  {
    std::lock_guard const lock(thread_->mutex);
    thread_->end = true;
  }
  thread_->changed.notify_all();
  thread_->thread.join();
}

Result<ChildProcess> ProcessStarter::start(ProcessOptions const& options) {
  std::lock_guard const turn(thread_->one_at_a_time);
  std::unique_lock lock(thread_->mutex);
  thread_->started.reset();
  thread_->wanted = &options;
  thread_->changed.notify_all();
  thread_->changed.wait(lock, [this] { return thread_->started.has_value(); });
  auto const pid = *std::move(thread_->started);
  if (!pid) return pass(pid);
  ChildProcess child;
  child.pid_ = *pid;
  // Not reaped yet, so the number cannot mean another process.
  child.pid_fd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
  if (!child.pid_fd_) {
    auto const error = fail_errno("pidfd_open");
    ::kill(*pid, SIGKILL);
    ::waitpid(*pid, nullptr, 0);
    child.pid_ = -1;
    return error;
  }
  return child;
}

std::string log_tail(std::string const& path) {
  auto text = read_text_file(path);
  if (!text) return "no log";
  auto const from = text->size() > kLogTailBytes ? text->size() - kLogTailBytes : 0;
  std::string tail = text->substr(from);
  for (auto& c : tail) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  while (!tail.empty() && tail.back() == ' ') tail.pop_back();
  return tail.empty() ? "its log is empty" : tail;
}

}  // namespace shamon

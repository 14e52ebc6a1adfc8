#include "tunnel/sandbox.hpp"

#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace shamon {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// The sanitizers' run time opens files and maps shadows at any moment.
constexpr bool kFilterSystemCalls = false;
#else
constexpr bool kFilterSystemCalls = true;
#endif

Status become(SandboxOptions const& options) {
  if (options.group || options.user) {
    if (::setgroups(0, nullptr) != 0) return fail_errno("setgroups");
  }
  if (options.group && ::setresgid(*options.group, *options.group, *options.group) != 0) {
    return fail_errno("setresgid");
  }
  if (options.user && ::setresuid(*options.user, *options.user, *options.user) != 0) {
    return fail_errno("setresuid");
  }
  return {};
}

/// Nothing that is executed later can get them back either. Needs CAP_SETPCAP; where that is
/// missing there is nothing in the set worth dropping.
void empty_bounding_set() noexcept {
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    (void)::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

Status drop_capabilities() {
  std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> const none(::cap_init(),
                                                                           ::cap_free);
  if (!none || ::cap_set_proc(none.get()) != 0) return fail_errno("drop capabilities");
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return {};
}

class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_KILL_PROCESS)) {}
  ~Filter() {
    if (context_ != nullptr) ::seccomp_release(context_);
  }
  Filter(Filter const&) = delete;
  Filter& operator=(Filter const&) = delete;

  template <class... Compares>
  void allow(int call, Compares... compares) noexcept {
    if (context_ == nullptr) return;
    int const result = ::seccomp_rule_add(context_, SCMP_ACT_ALLOW, call,
                                          static_cast<unsigned>(sizeof...(compares)), compares...);
    if (result != 0) error_ = result;
  }
  int load() noexcept {
    if (context_ == nullptr) return -ENOMEM;
    int const threads = ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1);
    if (threads != 0) return threads;
    return error_ != 0 ? error_ : ::seccomp_load(context_);
  }

 private:
  scmp_filter_ctx context_;
  int error_ = 0;
};

scmp_arg_cmp equals(unsigned argument, scmp_datum_t value) noexcept {
  return scmp_arg_cmp{argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp lacks(unsigned argument, scmp_datum_t bits) noexcept {
  return scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, bits, 0};
}

}  // namespace

Status filter_system_calls() {
  if (!kFilterSystemCalls) return {};
  Filter filter;
  // Descriptors it has, or gets over the control socket: move bytes, wait, close.
  for (int call : {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
                   SCMP_SYS(pread64), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(recvfrom),
                   SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(sendto), SCMP_SYS(accept4),
                   SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll),
                   SCMP_SYS(close), SCMP_SYS(getsockopt), SCMP_SYS(fstat),
                   // A vhost-user port has an epoll and a wake-up of its own.
                   SCMP_SYS(epoll_create1), SCMP_SYS(eventfd2),
                   // Channels: memory of its own making.
                   SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(fallocate)}) {
    filter.allow(call);
  }
  filter.allow(SCMP_SYS(newfstatat), equals(3, AT_EMPTY_PATH));
  // The underlay filter's table; making more tables or programs stays forbidden.
  for (int command : {BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM, BPF_MAP_LOOKUP_ELEM}) {
    filter.allow(SCMP_SYS(bpf), equals(0, static_cast<scmp_datum_t>(command)));
  }
  for (int command : {F_GETFL, F_SETFL, F_GET_SEALS, F_ADD_SEALS, F_DUPFD_CLOEXEC}) {
    filter.allow(SCMP_SYS(fcntl), equals(1, static_cast<scmp_datum_t>(command)));
  }
  for (unsigned long request :
       {static_cast<unsigned long>(TUNGETIFF), static_cast<unsigned long>(TUNGETVNETHDRSZ),
        static_cast<unsigned long>(TUNSETOFFLOAD), static_cast<unsigned long>(TUNSETQUEUE)}) {
    filter.allow(SCMP_SYS(ioctl), equals(1, request));
  }
  // Memory, never executable.
  filter.allow(SCMP_SYS(mmap), lacks(2, PROT_EXEC));
  filter.allow(SCMP_SYS(mprotect), lacks(2, PROT_EXEC));
  for (int call :
       {SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex),
        SCMP_SYS(sched_yield), SCMP_SYS(clock_gettime), SCMP_SYS(getrandom)}) {
    filter.allow(call);
  }
  // The end, wanted or not.
  for (int call : {SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
                   SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(restart_syscall),
                   SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill)}) {
    filter.allow(call);
  }
  int const result = filter.load();
  if (result != 0) return tl::unexpected<Error>(system_error("load seccomp filter", -result));
  return {};
}

Status drop_rights(SandboxOptions const& options) {
  empty_bounding_set();
  if (Status done = become(options); !done) return done;
  if (Status done = drop_capabilities(); !done) return done;
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("PR_SET_DUMPABLE");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("PR_SET_NO_NEW_PRIVS");
  return {};
}

}  // namespace shamon

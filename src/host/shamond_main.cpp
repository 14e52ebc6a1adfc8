// shamond: the host monitor.  usage: shamond --config FILE [--check]
#include <cstdio>

#include <signal.h>

#include "base/process.hpp"
#include "config/service_manager.hpp"
#include "host/host_monitor.hpp"

namespace {

using namespace shamon;

int complain(Error const& error, int code) {
  std::fprintf(stderr, "shamond: %s\n", error.describe().c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  std::string config_path = "/etc/shamon/shamond.toml";
  bool check_only = false;
  for (int i = 1; i < argc; ++i) {
    std::string const argument = argv[i];
    if (argument == "--config" && i + 1 < argc) {
      config_path = argv[++i];
    } else if (argument == "--check") {
      check_only = true;
    } else {
      std::fprintf(stderr, "usage: shamond [--config FILE] [--check]\n");
      return argument == "--help" ? 0 : 2;
    }
  }
  auto config = read_host_config(config_path);
  if (!config) return complain(config.error(), 2);
  if (check_only) return 0;
  ::signal(SIGPIPE, SIG_IGN);
  take_every_descriptor();
  TapQueues taps;
  for (auto& [name, fd] : take_passed_descriptors()) taps[name].push_back(std::move(fd));
  EventLoop loop;
  // Before the monitor starts its threads: they inherit the blocked signals, and none of them ends
  // the process without a last signed head in the journal.
  for (int const number : {SIGTERM, SIGINT}) loop.on_signal(number, [&loop] { loop.stop(); });
  auto monitor = HostMonitor::create(loop, std::move(*config), std::move(taps));
  if (!monitor) return complain(monitor.error(), 1);
  auto started = (*monitor)->start();
  if (!started) return complain(started.error(), 1);
  loop.on_signal(SIGHUP, [&] {
    auto next = read_host_config(config_path);
    std::fprintf(
        stderr, "shamond: configuration %s\n",
        next ? "is valid; changes take effect at the next start" : next.error().describe().c_str());
  });
  notify_service_manager("READY=1");
  loop.run();
  return 0;
}

#include "operator/lab/lab_verbs.hpp"

#include <cstdio>
#include <filesystem>
#include <thread>

#include <signal.h>
#include <unistd.h>

#include "base/process.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"
#include "operator/lab/demo.hpp"

namespace shamon {
namespace {

std::string own_folder() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

/// On Ctrl-C or a terminal's end the laboratory must go too. A thread waits for the signals, so
/// that ending runs as ordinary code. Children start with an empty mask.
void end_on_signals(Laboratory& lab) {
  sigset_t set;
  sigemptyset(&set);
  for (int const number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread([&lab, set] {
    int number = 0;
    if (::sigwait(&set, &number) != 0) return;
    std::fprintf(stderr, "\nshamon: ending the laboratory\n");
    (void)lab.tear_down();
    ::_exit(128 + number);
  }).detach();
}

int lab_up(std::string const& file, bool demo) {
  auto spec = read_lab_spec(file);
  if (!spec) return report(spec.error());
  auto say = [](std::string const& text) {
    std::printf("%s %s\n", dim("==>").c_str(), text.c_str());
    std::fflush(stdout);
  };
  auto lab = Laboratory::up(std::move(*spec), own_folder(), say);
  if (!lab) return report(lab.error());
  if (demo) {
    end_on_signals(**lab);
    bool const shown = run_demo(**lab);
    return shown ? kExitYes : kExitInternal;
  }
  auto settled = (*lab)->wait_until_settled(std::chrono::seconds(90), say);
  (*lab)->leave_running();
  if (!settled) {
    std::fprintf(stderr, "shamon: it is up, but: %s\n", settled.error().message.c_str());
    return kExitUnreachable;
  }
  std::printf(
      "up. Try: shamon status | shamon watch | shamon host list -o wide | shamon vm list\nend it: "
      "shamon lab down\n");
  return kExitYes;
}

int lab_down(std::string name) {
  if (name.empty()) {
    auto const labs = labs_present();
    if (labs.size() != 1) {
      return report(
          {labs.empty() ? Errc::not_found : Errc::invalid,
           labs.empty() ? "no laboratory is up" : "more than one laboratory is up; say which",
           {}});
    }
    name = labs.front();
  }
  if (!is_valid_name(name))
    return report({Errc::invalid, "'" + name + "' is not a laboratory's name", {}});
  auto ended = Laboratory::down(name);
  if (!ended) return report(ended.error());
  std::printf("laboratory '%s' is gone\n", name.c_str());
  return kExitYes;
}

int lab_status() {
  std::vector<std::vector<std::string>> rows;
  for (auto const& name : labs_present()) {
    auto state = LabState::load(Laboratory::folder_of(name));
    if (!state) continue;
    for (auto const& process : state->processes()) {
      bool const runs = process_start_ticks(process.pid) == process.start_ticks;
      rows.push_back({name, process.role, std::to_string(process.pid), runs ? "runs" : "ended"});
    }
  }
  if (rows.empty()) return report({Errc::not_found, "no laboratory is up", {}});
  std::fputs(format_table({"LAB", "PROCESS", "PID", "STATE"}, rows).c_str(), stdout);
  return kExitYes;
}

}  // namespace

void add_lab_verbs(CLI::App& app, int& exit_code) {
  auto* lab = app.add_subcommand(
      "lab", "local laboratories: machines as namespaces with real TPMs and VMs");
  lab->require_subcommand(1);
  auto* up = lab->add_subcommand("up", "start one from its file");
  auto file = std::make_shared<std::string>();
  auto demo = std::make_shared<bool>(false);
  up->add_option("file", *file, "lab.toml")->required();
  up->add_flag("--demo", *demo, "show eight scenes, then end it");
  up->callback([=, &exit_code] { exit_code = lab_up(*file, *demo); });
  auto* down = lab->add_subcommand("down", "end one and remove all it made");
  auto name = std::make_shared<std::string>();
  down->add_option("name", *name, "needed if more than one is up");
  down->callback([=, &exit_code] { exit_code = lab_down(*name); });
  lab->add_subcommand("status", "its processes")->callback([&exit_code] {
    exit_code = lab_status();
  });
}

}  // namespace shamon

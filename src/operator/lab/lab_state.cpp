#include "operator/lab/lab_state.hpp"

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/process.hpp"

namespace shamon {
namespace {

using nlohmann::json;

/// True while the very process we started runs: a reused pid has another start time; a zombie that
/// is our child is reaped here.
bool still_runs(LabProcess const& process) {
  ::waitpid(process.pid, nullptr, WNOHANG);
  return process_start_ticks(process.pid) == process.start_ticks;
}

bool wait_until_gone(LabProcess const& process, std::chrono::milliseconds limit) {
  auto const end = std::chrono::steady_clock::now() + limit;
  while (still_runs(process)) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

void keep_first(Status& first, Status const& next) {
  if (first && !next) first = next;
}

}  // namespace

Result<LabState> LabState::load(std::string const& folder) {
  auto text = read_text_file(folder + "/lab.json");
  if (!text) return fail(Errc::not_found, "no laboratory is kept in " + folder);
  json const tree = json::parse(*text, nullptr, false);
  if (!tree.is_object() || !tree.contains("processes") || !tree.contains("namespaces")) {
    return fail(Errc::malformed, folder + "/lab.json is not what a laboratory wrote");
  }
  LabState state(folder);
  for (auto const& entry : tree["processes"]) {
    state.processes_.push_back({entry.value("role", ""), entry.value("pid", 0),
                                entry.value("start_ticks", std::uint64_t{0})});
  }
  for (auto const& entry : tree["namespaces"]) {
    if (entry.is_string()) state.namespaces_.push_back(entry.get<std::string>());
  }
  return state;
}

Status LabState::save() const {
  json tree = {{"processes", json::array()}, {"namespaces", namespaces_}};
  for (auto const& process : processes_) {
    tree["processes"].push_back(
        {{"role", process.role}, {"pid", process.pid}, {"start_ticks", process.start_ticks}});
  }
  return write_file_atomically(folder_ + "/lab.json", as_bytes(tree.dump(2)), 0644);
}

Status LabState::add_process(std::string const& role, pid_t pid) {
  auto const ticks = process_start_ticks(pid);
  if (!ticks) return fail(Errc::system, role + " ended as soon as it was started");
  processes_.push_back({role, pid, *ticks});
  return save();
}

Status LabState::add_namespace(std::string const& name) {
  namespaces_.push_back(name);
  return save();
}

Status LabState::remove_process(std::string const& role) {
  std::erase_if(processes_, [&](LabProcess const& p) { return p.role == role; });
  return save();
}

std::optional<LabProcess> LabState::find(std::string const& role) const {
  for (auto const& process : processes_) {
    if (process.role == role) return process;
  }
  return {};
}

Status LabState::end_process(std::string const& role, int signal) {
  auto const process = find(role);
  if (!process) return fail(Errc::not_found, role + " is not running in this laboratory");
  if (still_runs(*process)) {
    ::kill(process->pid, signal);
    if (!wait_until_gone(*process, std::chrono::seconds(3))) {
      ::kill(process->pid, SIGKILL);
      if (!wait_until_gone(*process, std::chrono::seconds(3))) {
        return fail(Errc::system, role + " does not end");
      }
    }
  }
  return remove_process(role);
}

Status LabState::tear_down() {
  Status first{};
  // Newest first: VMs and daemons go before the TPMs and namespaces they stand on.
  for (auto it = processes_.rbegin(); it != processes_.rend(); ++it) {
    if (still_runs(*it)) ::kill(it->pid, SIGTERM);
  }
  for (auto it = processes_.rbegin(); it != processes_.rend(); ++it) {
    if (wait_until_gone(*it, std::chrono::seconds(4))) continue;
    ::kill(it->pid, SIGKILL);
    if (!wait_until_gone(*it, std::chrono::seconds(3))) {
      keep_first(first, fail(Errc::system, it->role + " does not end"));
    }
  }
  for (auto it = namespaces_.rbegin(); it != namespaces_.rend(); ++it) {
    std::error_code ignored;
    if (!std::filesystem::exists("/run/netns/" + *it, ignored)) continue;
    keep_first(first, run_checked({"ip", "netns", "delete", *it}));
  }
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
  if (error) keep_first(first, fail(Errc::system, "removing " + folder_ + ": " + error.message()));
  return first;
}

}  // namespace shamon

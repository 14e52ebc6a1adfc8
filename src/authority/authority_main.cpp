// shamon-authority: wires configuration, store, core and service together.
#include <csignal>
#include <cstdio>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/config.hpp"
#include "authority/service.hpp"
#include "authority/sqlite/sqlite_store.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/ipv4_text.hpp"
#include "config/service_manager.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitInternal = 1;

Status make_folder(std::string const& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail_errno("mkdir " + path);
  return {};
}

/// Files the operator keeps: reference values are added, a newer policy is put in force. Neither is
/// touched if anything in them is wrong.
Status read_files(AuthorityConfig const& config, AuthorityCore& core) {
  std::vector<ReferenceValueMessage> values;
  for (auto const& path : config.reference_value_paths) {
    auto some = read_reference_values(path);
    if (!some) return pass(some);
    values.insert(values.end(), some->begin(), some->end());
  }
  auto const text = read_text_file(config.policy_path);
  if (!text) return pass(text);
  auto const slash = config.policy_path.rfind('/');
  PolicyReader const reader = [](auto const& file) { return read_text_file(file); };
  auto const build = build_policy(config.policy_path, *text, reader);
  // Members read no files: they are sent one text, with what the file includes.
  auto const alone = standalone_policy(config.policy_path, *text, reader);
  if (!build || !alone) {
    std::string lines;
    for (auto const& diagnostic : (build ? alone.error() : build.error())) {
      lines += diagnostic.describe() + "\n";
    }
    return fail(Errc::malformed, lines);
  }
  PolicyMessage policy{config.policy_path.substr(slash + 1), *alone, {}};
  WallTime const now = read_wall_clock();
  if (!values.empty()) {
    auto const ok = core.set_reference_values(std::move(values), false, now);
    if (!ok) return fail(Errc::invalid, ok.error().message);
  }
  if (build->compiled.revision() <= core.policy().revision) return {};
  auto const ok = core.set_policy(policy, now);
  if (!ok) return fail(Errc::invalid, ok.error().message);
  return {};
}

struct Arguments {
  std::string config_path = "/etc/shamon/authority.toml";
  bool check = false;
};

std::optional<Arguments> parse_arguments(int count, char** values) {
  Arguments out;
  for (int i = 1; i < count; ++i) {
    std::string const argument = values[i];
    if (argument == "--check") {
      out.check = true;
    } else if (argument == "--config" && i + 1 < count) {
      out.config_path = values[++i];
    } else {
      return std::nullopt;
    }
  }
  return out;
}

int exit_with(int code, Error const& error) {
  std::fprintf(stderr, "shamon-authority: %s\n", error.message.c_str());
  return code;
}

/// Everything that lives as long as the process.
int serve(AuthorityConfig const& config, AuthorityOptions options) {
  if (auto ok = make_folder(config.state_folder, 0700); !ok) return exit_with(1, ok.error());
  if (auto ok = make_folder(config.socket_folder, 0755); !ok) return exit_with(1, ok.error());
  WallTime const now = read_wall_clock();
  auto identity = load_or_create_identity(config.state_folder, config.coalition, config.names, now);
  if (!identity) return exit_with(kExitInternal, identity.error());
  auto store = open_sqlite_store(config.state_folder + "/authority.sqlite");
  if (!store) return exit_with(kExitInternal, store.error());
  PrivateKey const status_key = identity->keys.status_key;
  Certificate const ca = identity->keys.ca;
  auto core = AuthorityCore::create(std::move(options), std::move(identity->keys), **store, now);
  if (!core) return exit_with(kExitInternal, core.error());
  if (auto ok = read_files(config, **core); !ok) return exit_with(kExitUsage, ok.error());

  EventLoop loop;
  AuthorityService service(loop, **core, **store, status_key);
  auto const at = service.listen_tls(config.listen, std::move(identity->server), ca);
  if (!at) return exit_with(kExitInternal, at.error());
  if (auto ok = service.listen_local(config.socket_folder); !ok) {
    return exit_with(kExitInternal, ok.error());
  }
  for (int const signal : {SIGTERM, SIGINT}) loop.on_signal(signal, [&] { loop.stop(); });
  loop.on_signal(SIGHUP, [&] {
    auto const ok = read_files(config, **core);
    if (!ok) spdlog::error("not taken over: {}", ok.error().message);
    service.drain();
  });
  service.start();
  std::printf("ready %s\n", to_string(*at).c_str());
  std::fflush(stdout);
  notify_service_manager("READY=1");
  loop.run();
  notify_service_manager("STOPPING=1");
  for (char const* const name : {"/authority.sock", "/authority-read.sock"}) {
    (void)::unlink((config.socket_folder + name).c_str());
  }
  return 0;
}

int run(int count, char** values) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("authority"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::flush_on(spdlog::level::info);
  std::signal(SIGPIPE, SIG_IGN);
  take_every_descriptor();
  auto const arguments = parse_arguments(count, values);
  if (!arguments) {
    std::fputs("usage: shamon-authority [--config FILE] [--check]\n", stderr);
    return kExitUsage;
  }
  auto const config = read_authority_config(arguments->config_path);
  if (!config) return exit_with(kExitUsage, config.error());
  auto options = make_options(*config);
  if (!options) return exit_with(kExitUsage, options.error());
  if (arguments->check) {
    std::puts("the configuration is good");
    return 0;
  }
  return serve(*config, std::move(*options));
}

}  // namespace
}  // namespace shamon

int main(int count, char** values) {
  return shamon::run(count, values);
}

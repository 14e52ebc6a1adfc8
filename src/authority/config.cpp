#include "authority/config.hpp"

#include <fmt/format.h>

#include "base/file.hpp"
#include "base/ipv4_text.hpp"
#include "config/toml_table.hpp"

namespace shamon {
namespace {

/// PCRs 0–15 and 23 exist for everybody; the event log of a lab uses few of them.
constexpr std::uint64_t kPcrMaskDefault = 0xffff;
constexpr std::uint64_t kPcrMaskMax = 0xffffff;

Duration read_ms(TomlTable& table, std::string const& key, std::uint64_t fallback,
                 std::uint64_t low, std::uint64_t high) {
  std::uint64_t const ms = table.integer_or(key, fallback);
  if (ms < low || ms > high) {
    table.complain(key, fmt::format("must be between {} and {}", low, high));
  }
  return std::chrono::milliseconds(std::min(ms, high));
}

std::string resolve(std::string const& folder, std::string path) {
  if (path.empty() || path.front() == '/' || folder.empty()) return path;
  return folder + "/" + path;
}

void resolve_all(std::string const& folder, std::vector<std::string>& paths) {
  for (auto& path : paths) path = resolve(folder, std::move(path));
}

void read_times(TomlTable& root, AuthorityConfig& out) {
  out.heartbeat = read_ms(root, "heartbeat_ms", 1000, 50, 60'000);
  out.lease = read_ms(root, "lease_ms", 3000, 100, 600'000);
  out.challenge_period = read_ms(root, "challenge_period_ms", 3000, 100, 3'600'000);
  // A TPM may be busy for seconds; a member that was given up for that is cut off for nothing.
  auto const period_ms = static_cast<std::uint64_t>(out.challenge_period.count() / 1'000'000);
  std::uint64_t const patience_ms = std::max<std::uint64_t>(2 * period_ms, 5000);
  out.challenge_timeout = read_ms(root, "challenge_timeout_ms", patience_ms, 100, 7'200'000);
  out.unreachable_after = read_ms(root, "unreachable_after_ms", 3 * patience_ms, 100, 21'600'000);
  out.membership = 1000 * read_ms(root, "membership_seconds", 600, 10, 3600);
  if (out.lease < 2 * out.heartbeat) {
    root.complain("lease_ms", "must span at least two heartbeats");
  }
  if (out.unreachable_after < out.challenge_timeout) {
    root.complain("unreachable_after_ms", "must not be less than challenge_timeout_ms");
  }
}

std::vector<AeadAlgorithm> read_ciphers(TomlTable& table) {
  auto ciphers = parse_aead_algorithms(table.strings_or("esp_ciphers", to_names(kAeadAlgorithms)));
  if (ciphers) return *std::move(ciphers);
  table.complain("esp_ciphers", ciphers.error().message);
  return {};
}

Result<AuthorityConfig> read_config(TomlTable& root, std::string const& folder) {
  AuthorityConfig out;
  out.coalition = CoalitionName(root.string("coalition"));
  if (root.has("coalition") && !is_valid_name(out.coalition.value())) {
    root.complain("coalition", "is not a name");
  }
  out.policy_path = resolve(folder, root.string("policy"));
  out.state_folder = resolve(folder, root.string("state_folder"));
  out.socket_folder = resolve(folder, root.string_or("socket_folder", "/run/shamon"));
  std::string const listen = root.string("listen_tls");
  if (auto const endpoint = parse_endpoint(listen)) {
    out.listen = *endpoint;
  } else if (root.has("listen_tls")) {
    root.complain("listen_tls", "must read ADDRESS:PORT");
  }
  out.names.dns_names = root.strings_or("server_names", {"shamon-authority"});
  out.names.ip_addresses = root.strings_or("server_addresses", {to_string(out.listen.address)});
  for (auto const& address : out.names.ip_addresses) {
    if (!parse_ip(address)) root.complain("server_addresses", "'" + address + "' is no address");
  }
  out.endorser_root_paths = root.strings_or("endorser_roots", {});
  resolve_all(folder, out.endorser_root_paths);
  out.approved_eks = root.strings_or("approved_eks", {});
  out.reference_value_paths = root.strings_or("reference_values", {});
  resolve_all(folder, out.reference_value_paths);
  out.required_components = root.strings_or("required_components", {"shamond", "shamon-gate"});
  if (out.required_components.empty()) {
    root.complain("required_components", "must name at least one component");
  }
  std::uint64_t const mask = root.integer_or("pcr_mask", kPcrMaskDefault);
  if (mask == 0 || mask > kPcrMaskMax) root.complain("pcr_mask", "selects PCRs 0 to 23");
  out.pcr_mask = static_cast<std::uint32_t>(mask & kPcrMaskMax);
  out.require_ima = root.boolean_or("require_ima", false);
  out.check_ima_files = root.boolean_or("check_ima_files", false);
  read_times(root, out);
  out.ciphers = read_ciphers(root);
  if (auto ok = root.finish(); !ok) return pass(ok);
  return out;
}

}  // namespace

Result<AuthorityConfig> read_authority_config(std::string const& path) {
  auto root = TomlTable::parse_file(path);
  if (!root) return pass(root);
  auto const slash = path.rfind('/');
  return read_config(*root, slash == std::string::npos ? "" : path.substr(0, slash));
}

Result<AuthorityConfig> parse_authority_config(std::string const& file_name,
                                               std::string const& text) {
  auto root = TomlTable::parse(file_name, text);
  if (!root) return pass(root);
  return read_config(*root, "");
}

Result<std::vector<ReferenceValueMessage>> read_reference_values(std::string const& path) {
  auto const text = read_text_file(path, ReferenceValueList::kLimits.bytes_max);
  if (!text) return pass(text);
  auto list = decode_json<ReferenceValueList>(*text);
  if (!list) return pass(list, path);
  return std::move(list->reference_values);
}

Result<AuthorityOptions> make_options(AuthorityConfig const& config) {
  AuthorityOptions out;
  out.coalition = config.coalition;
  for (auto const& path : config.endorser_root_paths) {
    auto const pem = read_text_file(path);
    if (!pem) return pass(pem);
    auto roots = Certificate::all_from_pem(*pem);
    if (!roots) return pass(roots, path);
    out.endorser_roots.insert(out.endorser_roots.end(), roots->begin(), roots->end());
  }
  out.approved_eks.insert(config.approved_eks.begin(), config.approved_eks.end());
  out.appraisal.required_components = config.required_components;
  out.appraisal.require_ima = config.require_ima;
  out.appraisal.check_ima_files = config.check_ima_files;
  out.pcr_mask = config.pcr_mask;
  out.heartbeat = config.heartbeat;
  out.lease = config.lease;
  out.challenge_period = config.challenge_period;
  out.challenge_timeout = config.challenge_timeout;
  out.unreachable_after = config.unreachable_after;
  out.membership = config.membership;
  out.ciphers = config.ciphers;
  out.random = [](std::size_t size) { return random_bytes(size); };
  return out;
}

}  // namespace shamon

// shamon vm share, vm unshare, vm list --channels, explain share: channels between VMs of one
// machine (docs/shared-memory.md).
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

namespace shamon {

/// "1M", "64K" or "4096": bytes. Nothing for what is no size.
std::optional<std::uint64_t> parse_size(std::string const& text);

void add_channel_verbs(CLI::App& vm_noun, int& exit_code);
/// `vm list --channels` of the machine, or of every machine the directory has VMs on.
int list_channels(std::string const& authority, std::string const& host, std::string const& socket,
                  bool json);

}  // namespace shamon

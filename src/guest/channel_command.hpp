// `shamon-guest channel …`: what programs and people in a VM do with its channels.
#pragma once

#include <string>
#include <vector>

namespace shamon::guest {

inline constexpr char kChannelUsage[] =
    "       shamon-guest channel list\n"
    "       shamon-guest channel read  CHANNEL OFFSET BYTES\n"
    "       shamon-guest channel write CHANNEL OFFSET TEXT\n"
    "       shamon-guest channel ring  CHANNEL EVENT\n"
    "       shamon-guest channel wait  CHANNEL SECONDS\n";

/// `words` behind "channel". Exit 0; 1 with an error; 2 for words it does not know; 12 if nobody
/// rang in time.
int run_channel_command(std::vector<std::string> const& words);

}  // namespace shamon::guest

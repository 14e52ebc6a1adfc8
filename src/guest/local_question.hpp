// How programs of a VM reach its agent: one question a connection on a UNIX socket
// (SOCK_SEQPACKET), "label", "may-talk NAME" or "attest"; the answer is "yes TEXT" or "no TEXT".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "guest/protocol.hpp"

namespace shamon::guest {

struct LocalQuestion {
  Question question = Question::label;
  std::string argument;
};
std::optional<LocalQuestion> parse_local_question(std::string_view text);

/// Errors: `system`.
Result<UniqueFd> listen_for_questions(std::string const& path);

/// The answer's line. Errors: `unreachable`, `timeout` after 10 s.
Result<std::string> ask_agent(std::string const& path, std::string const& question);

}  // namespace shamon::guest

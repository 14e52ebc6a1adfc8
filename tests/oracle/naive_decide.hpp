// A second decide(), written from the language's page and not from the first one: slow, over names
// and lists, with no table and no line of code in common. Where the two differ, one is wrong.
#pragma once

#include <string>
#include <vector>

#include "policy/document.hpp"

namespace shamon::oracle {

struct Question {
  std::string operation;  ///< flow, share_memory, bind_event, assign_device, start, associate
  std::string subject;
  std::string object;
  int protocol = 0;
  int port = 0;
  int source_port = 0;
  std::vector<std::string> running;
  std::uint64_t revision = 0;
};

struct Answer {
  bool allowed = false;
  std::string reason;  ///< in the words of audit records
};

Answer decide(PolicyDocument const& policy, Question const& question);

/// True if a label stands on both sides of a wall without saying so with `wall`, for which the text
/// must be refused.
bool contradicts_itself(PolicyDocument const& policy);

}  // namespace shamon::oracle

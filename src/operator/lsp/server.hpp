// The language server: JSON-RPC 2.0 messages in, messages out. Knows no streams, reads files only
// through the reader it is given.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "operator/lsp/workspace.hpp"

namespace shamon::lsp {

class Server {
 public:
  explicit Server(PolicyReader disk) : workspace_(std::move(disk)) {}

  /// What to send, in this order, after one message. Whatever is wrong with the message is answered
  /// as JSON-RPC 2.0 §5.1 says.
  std::vector<std::string> handle(std::string_view message);
  /// The answer to bytes that are no message.
  static std::string mistake(std::string const& what);

  /// After `exit`. The process ends with 0 if `shutdown` came before, else with 1.
  bool exited() const noexcept { return state_ == State::exited; }
  int exit_code() const noexcept { return orderly_ ? 0 : 1; }

 private:
  enum class State { created, running, shut_down, exited };

  void request(std::string const& method, nlohmann::json const& id, nlohmann::json const& params);
  void notification(std::string const& method, nlohmann::json const& params);
  void send(nlohmann::json const& message);
  void answer(nlohmann::json const& id, nlohmann::json result);
  void refuse(nlohmann::json const& id, int code, std::string const& message);
  void log(std::string const& message);
  void changed(std::string const& path);

  Workspace workspace_;
  State state_ = State::created;
  bool orderly_ = false;
  std::vector<std::string> out_;
  std::map<std::string, std::string> uris_;       ///< path -> as the editor writes it
  std::map<std::string, std::string> published_;  ///< path -> diagnostics as last sent
};

}  // namespace shamon::lsp

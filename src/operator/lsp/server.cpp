#include "operator/lsp/server.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "operator/lsp/answers.hpp"
#include "operator/lsp/uri.hpp"
#include "policy/language/spelling.hpp"

namespace shamon::lsp {
namespace {

using nlohmann::json;

// JSON-RPC 2.0 §5.1 and LSP 3.17.
constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;
constexpr int kNotInitialized = -32002;

/// The member, or null where there is none.
json const& get(json const& object, char const* key) {
  static json const kNull;
  if (!object.is_object()) return kNull;
  auto const at = object.find(key);
  return at == object.end() ? kNull : *at;
}
std::string text_of(json const& value) {
  return value.is_string() ? value.get<std::string>() : "";
}
std::optional<std::uint32_t> number_of(json const& value) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= UINT32_MAX) return std::nullopt;
  return value.get<std::uint32_t>();
}

std::string serialised(json const& message) {
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

json capabilities() {
  return {{"capabilities",
           {{"textDocumentSync", {{"openClose", true}, {"change", 1}}},
            {"hoverProvider", true},
            {"definitionProvider", true},
            {"referencesProvider", true},
            {"renameProvider", true},
            {"documentSymbolProvider", true},
            {"documentFormattingProvider", true},
            {"codeActionProvider", {{"codeActionKinds", {"quickfix"}}}},
            {"completionProvider", {{"triggerCharacters", {" ", "{"}}}}}},
          {"serverInfo", {{"name", "shamon policy lsp"}, {"version", "0.1.0"}}}};
}

std::optional<std::string> path_in(json const& params) {
  return path_of_uri(text_of(get(get(params, "textDocument"), "uri")));
}

std::optional<Position> position_in(json const& params) {
  auto const path = path_in(params);
  auto const line = number_of(get(get(params, "position"), "line"));
  auto const character = number_of(get(get(params, "position"), "character"));
  if (!path || !line || !character) return std::nullopt;
  return Position{*path, *line + 1, *character + 1};
}

}  // namespace

std::string Server::mistake(std::string const& what) {
  return serialised(
      {{"jsonrpc", "2.0"}, {"id", nullptr}, {"error", {{"code", kParseError}, {"message", what}}}});
}

void Server::send(json const& message) {
  out_.push_back(serialised(message));
}
void Server::answer(json const& id, json result) {
  send({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
}
void Server::refuse(json const& id, int code, std::string const& message) {
  send({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", message}}}});
}
void Server::log(std::string const& message) {
  send({{"jsonrpc", "2.0"},
        {"method", "window/logMessage"},
        {"params", {{"type", 2}, {"message", message}}}});
}

std::vector<std::string> Server::handle(std::string_view bytes) {
  out_.clear();
  json const message = json::parse(bytes, nullptr, false);
  json const& id = get(message, "id");
  bool const id_fits = id.is_null() || id.is_string() || id.is_number_integer();
  if (message.is_discarded()) {
    out_.push_back(mistake("this is not JSON"));
  } else if (message.is_object() && !message.contains("method") &&
             (message.contains("result") || message.contains("error"))) {
    // An answer. We ask nothing that we wait for.
  } else if (text_of(get(message, "jsonrpc")) != "2.0" || !get(message, "method").is_string() ||
             !id_fits) {
    refuse(id_fits ? id : json(), kInvalidRequest, "this is not a JSON-RPC 2.0 request");
  } else if (message.contains("id")) {
    request(text_of(message["method"]), id, get(message, "params"));
  } else {
    notification(text_of(message["method"]), get(message, "params"));
  }
  return std::move(out_);
}

void Server::request(std::string const& method, json const& id, json const& params) {
  if (state_ == State::created && method == "initialize") {
    state_ = State::running;
    return answer(id, capabilities());
  }
  if (state_ == State::created) return refuse(id, kNotInitialized, "initialize comes first");
  if (state_ != State::running || method == "initialize") {
    return refuse(id, kInvalidRequest, method + " is not possible now");
  }
  if (method == "shutdown") {
    state_ = State::shut_down;
    return answer(id, nullptr);
  }
  UriOf const uri_of = [this](std::string const& path) {
    auto const at = uris_.find(path);
    return at == uris_.end() ? uri_of_path(path) : at->second;
  };
  constexpr std::string_view kTextDocument = "textDocument/";
  if (method.substr(0, kTextDocument.size()) != kTextDocument) {
    return refuse(id, kMethodNotFound, "no method " + method);
  }
  std::string const question = method.substr(kTextDocument.size());
  auto const path = path_in(params);
  auto const* text = path ? workspace_.text(*path) : nullptr;
  Analysis const* const analysis = path ? workspace_.find(*path) : nullptr;
  auto const at = position_in(params);
  auto const start = number_of(get(get(get(params, "range"), "start"), "line"));
  auto const end = number_of(get(get(get(params, "range"), "end"), "line"));
  std::string const name = text_of(get(params, "newName"));
  bool const placed = question == "hover" || question == "definition" || question == "references" ||
                      question == "rename" || question == "completion";
  bool const known = placed || question == "documentSymbol" || question == "formatting" ||
                     question == "codeAction";
  if (!known) return refuse(id, kMethodNotFound, "no method " + method);
  if (text == nullptr || analysis == nullptr) {
    return refuse(id, kInvalidParams, "the document is not open");
  }
  if (placed && !at) return refuse(id, kInvalidParams, "a position is needed");
  if (question == "codeAction" && !(start && end)) {
    return refuse(id, kInvalidParams, "a range is needed");
  }
  if (question == "rename" && !is_policy_name(name)) {
    return refuse(id, kInvalidParams, "a name has 1 to 63 bytes and no blank at either end");
  }
  if (question == "hover") return answer(id, hover(*analysis, *at));
  if (question == "definition") return answer(id, definition(*analysis, *at, uri_of));
  if (question == "references") return answer(id, references(*analysis, *at, uri_of));
  if (question == "rename") return answer(id, rename(*analysis, *at, name, uri_of));
  if (question == "completion") return answer(id, completion(*analysis, *text, *at));
  if (question == "documentSymbol") return answer(id, symbols(*analysis, *path));
  if (question == "formatting") return answer(id, formatting(*path, *text));
  answer(id, quick_fixes(*analysis, *path, *start + 1, *end + 1, uri_of));
}

void Server::notification(std::string const& method, json const& params) {
  if (method == "exit") {
    orderly_ = state_ == State::shut_down;
    state_ = State::exited;
    return;
  }
  constexpr std::string_view kMethods[] = {"textDocument/didOpen", "textDocument/didChange",
                                           "textDocument/didClose"};
  bool const known =
      std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
  if (state_ != State::running || !known) return;  // LSP: others are ignored
  auto const path = path_in(params);
  if (!path) return log(method + ": only file:// documents are read");
  json const* text = nullptr;
  if (method == kMethods[0]) text = &get(get(params, "textDocument"), "text");
  json const& changes = get(params, "contentChanges");
  if (method == kMethods[1] && changes.is_array() && !changes.empty()) {
    text = &get(changes.back(), "text");
  }
  if (method == kMethods[2]) {
    workspace_.close(*path);
  } else if (text == nullptr || !text->is_string()) {
    return log(method + ": the text is missing");
  } else if (auto opened = workspace_.open(*path, text->get<std::string>()); !opened) {
    return log(method + ": " + opened.error().message);
  }
  uris_[*path] = text_of(get(get(params, "textDocument"), "uri"));
  changed(*path);
  if (!workspace_.is_open(*path)) uris_.erase(*path);
}

void Server::changed(std::string const& path) {
  workspace_.refresh(path);
  std::map<std::string, std::string> now;
  for (auto const& [file, diagnostics] : workspace_.diagnostics()) {
    json list = json::array();
    for (auto const& diagnostic : diagnostics) list.push_back(to_json(diagnostic));
    now[file] = serialised(list);
  }
  for (auto const& [file, list] : published_) now.try_emplace(file, "[]");
  for (auto const& [file, list] : now) {
    auto const before = published_.find(file);
    if (before != published_.end() && before->second == list && file != path) continue;
    auto const uri = uris_.find(file);
    send({{"jsonrpc", "2.0"},
          {"method", "textDocument/publishDiagnostics"},
          {"params",
           {{"uri", uri == uris_.end() ? uri_of_path(file) : uri->second},
            {"diagnostics", json::parse(list)}}}});
  }
  for (auto at = now.begin(); at != now.end();) {
    at = at->second == "[]" && !workspace_.is_open(at->first) ? now.erase(at) : std::next(at);
  }
  published_ = std::move(now);
}

}  // namespace shamon::lsp

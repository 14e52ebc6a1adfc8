// The real program as an editor drives it: over two pipes, message by message.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.hpp"
#include "base/folder_fixture.hpp"
#include "operator/lsp/frames.hpp"
#include "operator/lsp/uri.hpp"

namespace shamon::lsp {
namespace {

using nlohmann::json;

std::string const kProgram = std::string(SHAMON_BIN_DIR) + "/shamon";
constexpr int kAnswerMs = 20'000;  // a loaded machine, not a slow program

constexpr char kTop[] =
    "coalition boinc revision 7 \"spring term\"\n"            // 0
    "type green_t red_t blue_t\n"                             // 1
    "include \"sites/campus b.policy\"\n"                     // 2
    "label green { share green_t }\n"                         // 3
    "label red { share red_t }\n"                             // 4
    "label filter { guard }\n"                                // 5
    "wall vendors { red_t blue_t }\n"                         // 6
    "allow green <-> filter tcp/443\n"                        // 7
    "allow filter -> blue udp/9000-9010\n"                    // 8
    "member host when platform in {lab}\n"                    // 9
    "member vm green when image in {a}\n"                     // 10
    "member vm red when image in {a}\n"                       // 11
    "member vm filter when image in {a}\n"                    // 12
    "goal green never reaches blue except through filter\n";  // 13
constexpr char kCampus[] =
    "# theirs\nlabel blue { share blue_t }\nmember vm blue when image in {a}\n";

class LspSession : public FolderTest {
 protected:
  void SetUp() override {
    if (::access(kProgram.c_str(), X_OK) != 0)
      GTEST_SKIP() << "no " << kProgram << ": build shamon";
    std::filesystem::create_directory(folder_ + "/sites");
    top_ = write("boinc.policy", kTop);
    campus_ = write("sites/campus b.policy", kCampus);
    start();
  }
  void TearDown() override {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
  }

  void start() {
    int to[2];
    int from[2];
    ASSERT_EQ(::pipe2(to, O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(from, O_CLOEXEC), 0);
    child_ = ::fork();
    ASSERT_GE(child_, 0);
    if (child_ == 0) {
      ::dup2(to[0], 0);
      ::dup2(from[1], 1);
      ::execl(kProgram.c_str(), "shamon", "policy", "lsp", nullptr);
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    in_.reset(to[1]);
    out_.reset(from[0]);
  }

  void send_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t const sent = ::write(in_.get(), bytes.data(), bytes.size());
      ASSERT_GT(sent, 0);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void send(json message) {
    message["jsonrpc"] = "2.0";
    send_bytes(frame(message.dump()));
  }
  void notify(std::string const& method, json const& params) {
    send({{"method", method}, {"params", params}});
  }

  /// The next message, or null if none comes.
  json receive() {
    while (true) {
      if (auto const message = frames_.next()) return json::parse(message->body, nullptr, false);
      pollfd ready{out_.get(), POLLIN, 0};
      if (::poll(&ready, 1, kAnswerMs) != 1) return nullptr;
      char buffer[4096];
      ssize_t const got = ::read(out_.get(), buffer, sizeof(buffer));
      if (got <= 0) return nullptr;
      frames_.feed({buffer, static_cast<std::size_t>(got)});
    }
  }
  /// The answer to a request; what is published meanwhile is kept.
  json ask(std::string const& method, json const& params) {
    int const id = ++last_id_;
    send({{"id", id}, {"method", method}, {"params", params}});
    while (true) {
      json const message = receive();
      if (message.is_null()) return "no answer";
      if (message.contains("id") && message["id"] == id) return message;
      if (message.contains("params")) keep(message["params"]);
    }
  }
  void keep(json const& params) {
    if (params.contains("uri")) published_[params["uri"]] = params["diagnostics"];
  }
  /// Waits for the server to have seen all that was sent, then tells a file's diagnostics.
  json diagnostics(std::string const& path) {
    ask("workspace/nothing", json::object());
    return published_.value(uri_of_path(path), json("never published"));
  }

  static json document(std::string const& path) {
    return {{"textDocument", {{"uri", uri_of_path(path)}}}};
  }
  static json place(std::string const& path, int line, int character) {
    json out = document(path);
    out["position"] = {{"line", line}, {"character", character}};
    return out;
  }
  void open(std::string const& path, std::string const& text) {
    json params = document(path);
    params["textDocument"].update(
        {{"languageId", "shamon-policy"}, {"version", 1}, {"text", text}});
    notify("textDocument/didOpen", params);
  }
  void change(std::string const& path, std::string const& text) {
    json params = document(path);
    params["contentChanges"] = json::array({{{"text", text}}});
    notify("textDocument/didChange", params);
  }
  void initialize() {
    json const answer =
        ask("initialize", {{"processId", nullptr}, {"capabilities", json::object()}});
    ASSERT_EQ(answer["result"]["capabilities"]["textDocumentSync"]["change"], 1) << answer;
    notify("initialized", json::object());
  }
  std::string hover(std::string const& path, int line, int character) {
    json const answer = ask("textDocument/hover", place(path, line, character));
    return answer["result"].is_null() ? "none" : answer["result"]["contents"]["value"];
  }
  /// "boinc.policy 3:6-11"
  std::string definition(std::string const& path, int line, int character) {
    json const at = ask("textDocument/definition", place(path, line, character))["result"];
    if (at.is_null()) return "none";
    auto const file = std::filesystem::path(*path_of_uri(std::string(at["uri"]))).filename();
    auto const& range = at["range"];
    return file.string() + " " + range["start"]["line"].dump() + ":" +
           range["start"]["character"].dump() + "-" + range["end"]["character"].dump();
  }
  std::vector<std::string> completion(std::string const& path, int line, int character) {
    std::vector<std::string> out;
    json const answer = ask("textDocument/completion", place(path, line, character));
    for (auto const& item : answer.value("result", json::array())) {
      out.push_back(item["label"]);
    }
    return out;
  }
  int exit_status() {
    int status = 0;
    EXPECT_EQ(::waitpid(child_, &status, 0), child_);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string top_, campus_;
  pid_t child_ = -1;
  UniqueFd in_, out_;
  FrameReader frames_;
  int last_id_ = 0;
  json published_ = json::object();
};

TEST_F(LspSession, AnEditorSeesMistakesWhileTheyAreThere) {
  initialize();
  open(top_, kTop);
  EXPECT_EQ(diagnostics(top_), json::array());
  std::string broken = kTop;
  broken.replace(broken.find("allow green"), 11, "allow gren");
  change(top_, broken);
  EXPECT_EQ(diagnostics(top_), json::parse(R"([{"code":"P020","source":"shamon","severity":1,
              "message":"label 'gren' is not defined; did you mean 'green'?",
              "range":{"start":{"line":7,"character":6},"end":{"line":7,"character":10}}}])"));
  json params = document(top_);
  params["range"] = {{"start", {{"line", 7}, {"character", 0}}},
                     {"end", {{"line", 7}, {"character", 0}}}};
  json const fixes = ask("textDocument/codeAction", params)["result"];
  ASSERT_EQ(fixes.size(), 1u) << fixes;
  EXPECT_EQ(fixes[0]["edit"]["changes"][uri_of_path(top_)][0]["newText"], "green");
  change(top_, std::string(kTop) + "type spare\n");
  json const noted = diagnostics(top_);
  ASSERT_EQ(noted.size(), 1u);
  EXPECT_EQ(noted[0]["code"], "P104");
  EXPECT_EQ(noted[0]["severity"], 3) << "information";
  change(top_, kTop);
  EXPECT_EQ(diagnostics(top_), json::array());
}

TEST_F(LspSession, AnIncludedFileIsJudgedWithThePolicyItBelongsTo) {
  initialize();
  open(campus_, kCampus);  // finds boinc.policy one folder up, on disk
  EXPECT_EQ(diagnostics(campus_), json::array());
  EXPECT_EQ(definition(campus_, 1, 22), "boinc.policy 1:19-25");
  change(campus_, "label blue { share bleu_t }\n");
  json const wrong = diagnostics(campus_);
  ASSERT_EQ(wrong.size(), 1u) << wrong;
  EXPECT_EQ(wrong[0]["message"], "type 'bleu_t' is not defined; did you mean 'blue_t'?");
  open(top_, kTop);
  change(campus_, kCampus);
  EXPECT_EQ(diagnostics(campus_), json::array());
  // A change of the one file shows in the other.
  change(campus_, "# no label\n");
  json const missing = diagnostics(top_);
  ASSERT_EQ(missing.size(), 2u) << missing;
  EXPECT_EQ(missing[0]["message"], "label 'blue' is not defined");
  notify("textDocument/didClose", document(campus_));
  EXPECT_EQ(diagnostics(top_), json::array()) << "the file on disk counts again";
  // A file nobody includes: what others may define is not missed.
  std::string const alone = write("sites/alone.policy", "");
  open(alone, "label x { share elsewhere_t }\nlable y\n");
  json const own = diagnostics(alone);
  ASSERT_EQ(own.size(), 1u) << own;
  EXPECT_EQ(own[0]["code"], "P003");
}

TEST_F(LspSession, HoverTellsWhatALabelMayReach) {
  initialize();
  open(top_, kTop);
  EXPECT_EQ(hover(top_, 3, 8),
            "```shamon-policy\nlabel green { share green_t }\n```\n\n"
            "may send to: `green`, `filter` (tcp/443)\n\n"
            "may receive from: `green`, `filter` (tcp/443)");
  EXPECT_EQ(hover(top_, 8, 18),
            "```shamon-policy\nlabel blue { share blue_t }\n```\n\n"
            "may send to: `blue`\n\n"
            "may receive from: `blue`, `filter` (udp/9000-9010)\n\n"
            "never on one machine with: `red`");
  EXPECT_EQ(hover(top_, 6, 6),
            "```shamon-policy\nwall vendors { red_t blue_t }\n```\n\n`red_t`: `red`\n\n`blue_t`: "
            "`blue`\n");
  EXPECT_EQ(hover(top_, 3, 21), "type `green_t`\n\nshared by: `green`");
  EXPECT_EQ(hover(top_, 3, 1), "none");
  change(top_, std::string(kTop) + "allow gren <-> red\n");
  EXPECT_NE(hover(top_, 3, 8).find("unknown: the policy has errors"), std::string::npos);
}

TEST_F(LspSession, NamesLeadToWhereTheyAreDefined) {
  initialize();
  open(top_, kTop);
  struct {
    int line, character;
    char const* where;
  } const rows[] = {
      {7, 8, "boinc.policy 3:6-11"},      // allow green
      {8, 17, "campus b.policy 1:6-10"},  // -> blue
      {13, 50, "boinc.policy 5:6-12"},    // through filter
      {10, 12, "boinc.policy 3:6-11"},    // member vm green
      {3, 22, "boinc.policy 1:5-12"},     // share green_t
      {6, 23, "boinc.policy 1:19-25"},    // wall … blue_t
      {2, 12, "campus b.policy 0:0-0"},   // include
      {9, 32, "none"},                    // a platform has no definition
      {4000, 4000, "none"},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(definition(top_, row.line, row.character), row.where) << row.line;
  }
  EXPECT_EQ(ask("textDocument/references", place(top_, 3, 7))["result"].size(), 4u);
  json params = place(top_, 13, 28);
  params["newName"] = "azure";
  json const renamed = ask("textDocument/rename", params)["result"]["changes"];
  EXPECT_EQ(renamed[uri_of_path(campus_)].size(), 2u) << renamed;
  EXPECT_EQ(renamed[uri_of_path(top_)].size(), 2u) << renamed;
  params["newName"] = "sky blue";  // spelled as a policy must
  json const spelled = ask("textDocument/rename", params)["result"]["changes"];
  EXPECT_EQ(spelled[uri_of_path(campus_)][0]["newText"], "\"sky blue\"");
  params["newName"] = " no name";
  EXPECT_EQ(ask("textDocument/rename", params)["error"]["code"], -32602);
  json const symbols = ask("textDocument/documentSymbol", document(top_))["result"];
  ASSERT_EQ(symbols.size(), 8u) << symbols;  // three types, a file, three labels, a wall
  EXPECT_EQ(symbols[4]["name"], "green");
}

TEST_F(LspSession, CompletionKnowsTheLine) {
  initialize();
  std::string const more = std::string(kTop) + "allow gr\nlabel x { share \nmember vm \nal";
  open(top_, more);
  std::vector<std::string> const labels = {"blue", "green", "red", "filter"};
  EXPECT_EQ(completion(top_, 14, 8), labels);
  auto const attributes = completion(top_, 15, 16);
  EXPECT_EQ(std::vector(attributes.begin(), attributes.begin() + 3),
            (std::vector<std::string>{"green_t", "red_t", "blue_t"}));
  EXPECT_EQ(completion(top_, 16, 10), labels);
  EXPECT_EQ(completion(top_, 17, 2).front(), "coalition");
  EXPECT_EQ(completion(top_, 7, 12), (std::vector<std::string>{"->", "<->"}));
}

TEST_F(LspSession, FormattingReplacesTheText) {
  initialize();
  open(top_, "coalition  c revision 1\n");
  json params = document(top_);
  params["options"] = {{"tabSize", 2}};
  json const edits = ask("textDocument/formatting", params)["result"];
  ASSERT_EQ(edits.size(), 1u);
  EXPECT_EQ(edits[0]["newText"], "coalition c revision 1\n");
  EXPECT_EQ(edits[0]["range"]["end"]["line"], 2);
  change(top_, "lable x\n");
  EXPECT_EQ(ask("textDocument/formatting", params)["result"], nullptr);
}

TEST_F(LspSession, WhatIsNoRequestIsAnsweredAsAMistake) {
  EXPECT_EQ(ask("textDocument/hover", place(top_, 0, 0))["error"]["code"], -32002);
  initialize();
  struct {
    std::string bytes;
    int code;
  } const rows[] = {
      {frame("{"), -32700},
      {frame(std::string(100'000, '[')), -32700},
      {frame("\xff\xfe"), -32700},
      {"Content-Type: x\r\n\r\n", -32700},
      {frame("[]"), -32600},
      {frame("17"), -32600},
      {frame(R"({"jsonrpc":"2.0","id":{},"method":"shutdown"})"), -32600},
      {frame(R"({"jsonrpc":"1.0","id":1,"method":"shutdown"})"), -32600},
      {frame(R"({"jsonrpc":"2.0","id":1,"method":7})"), -32600},
      {frame(R"({"jsonrpc":"2.0","id":1,"method":"nothing"})"), -32601},
      {frame(R"({"jsonrpc":"2.0","id":1,"method":"textDocument/hover"})"), -32602},
      {frame(R"({"jsonrpc":"2.0","id":1,"method":"initialize"})"), -32600},
  };
  for (auto const& row : rows) {
    send_bytes(row.bytes);
    json const answer = receive();
    EXPECT_EQ(answer["error"]["code"], row.code) << row.bytes.substr(0, 60) << answer;
  }
  open(top_, kTop);
  for (json position : {json(), json({{"line", -1}, {"character", 0}}), json("x"),
                        json({{"line", 1e300}, {"character", 0}}),
                        json({{"line", 4294967295u}, {"character", 0}})}) {
    json params = document(top_);
    params["position"] = position;
    EXPECT_EQ(ask("textDocument/hover", params)["error"]["code"], -32602) << position;
  }
}

TEST_F(LspSession, TheEndIsOrderlyAfterShutdownOnly) {
  initialize();
  EXPECT_EQ(ask("shutdown", nullptr)["result"], nullptr);
  EXPECT_EQ(ask("textDocument/hover", place(top_, 0, 0))["error"]["code"], -32600);
  notify("exit", nullptr);
  EXPECT_EQ(exit_status(), 0);
  start();
  frames_ = {};
  initialize();
  notify("exit", nullptr);
  EXPECT_EQ(exit_status(), 1);
  start();
  in_.reset();
  EXPECT_EQ(exit_status(), 1) << "the editor is gone";
}

}  // namespace
}  // namespace shamon::lsp

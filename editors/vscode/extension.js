// Starts `shamon policy lsp` for .policy files. Everything else is the server's.
const { workspace } = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const command = workspace.getConfiguration("shamonPolicy").get("program");
  client = new LanguageClient(
    "shamon-policy",
    "Shamon policy",
    { command, args: ["policy", "lsp"], transport: TransportKind.stdio },
    { documentSelector: [{ scheme: "file", language: "shamon-policy" }] }
  );
  return client.start();
};

exports.deactivate = () => client && client.stop();

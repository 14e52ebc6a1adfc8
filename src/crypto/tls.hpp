// TLS 1.3 (RFC 8446) as a transform of bytes: no socket inside, so it runs in a simulator as well.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/key.hpp"
#include "crypto/x509.hpp"

namespace shamon {

/// Who we are and whom we believe. Shared by many sessions.
struct TlsIdentity {
  std::vector<Certificate> chain;  ///< leaf first; empty: an anonymous client
  std::optional<PrivateKey> key;
};

enum class TlsRole : std::uint8_t { client, server };

struct TlsOptions {
  TlsRole role = TlsRole::client;
  TlsIdentity identity;
  std::vector<Certificate> trusted_roots;
  bool require_peer_certificate = true;  ///< a server that admits anonymous clients sets false
  std::string expected_peer_name;        ///< checked against dNSName or IP; empty: chain only
};

class TlsContext {
 public:
  static Result<std::shared_ptr<TlsContext const>> create(TlsOptions options);
  ~TlsContext();
  struct State;
  State& state() const noexcept { return *state_; }
  explicit TlsContext(std::unique_ptr<State> state) noexcept;

 private:
  std::unique_ptr<State> state_;
};

class TlsSession {
 public:
  static Result<TlsSession> create(std::shared_ptr<TlsContext const> context);
  TlsSession(TlsSession&&) noexcept;
  TlsSession& operator=(TlsSession&&) noexcept;
  ~TlsSession();

  /// Takes bytes from the wire; plain text that became readable is appended to `plain`.
  /// Errors: `untrusted` (certificate), `crypto` (protocol); the session is then dead.
  Status receive(ByteView wire, Bytes& plain);
  /// Encrypts. Before the handshake is done the text is kept and sent after it.
  Status send(ByteView plain);
  /// Bytes to put on the wire now.
  Bytes take_output();
  void shutdown();

  bool handshake_done() const noexcept;
  bool closed_by_peer() const noexcept;
  std::optional<Certificate> peer_certificate() const;
  /// RFC 8446 §7.5 exporter. Only after the handshake.
  Result<Bytes> export_keying_material(std::string_view label, ByteView context,
                                       std::size_t bytes) const;

 private:
  struct State;
  explicit TlsSession(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace shamon

#include "crypto/tls.hpp"

#include <cstring>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/ipv4_text.hpp"
#include "base/secret.hpp"
#include "crypto/limits.hpp"
#include "crypto/x509_internal.hpp"

namespace shamon {
namespace {

using SslCtxPtr = OpensslPtr<SSL_CTX, SSL_CTX_free>;
using SslPtr = OpensslPtr<SSL, SSL_free>;
using BioMethodPtr = OpensslPtr<BIO_METHOD, BIO_meth_free>;

constexpr std::size_t kPlainChunkBytes = 16u << 10;  // one TLS record

/// What OpenSSL reads and writes instead of a socket. The input is only lent for the time of one
/// receive(); a session that waits therefore holds no buffer of ours.
struct Wire {
  ByteView input;
  Bytes output;
};

int wire_read(BIO* bio, char* out, std::size_t size, std::size_t* done) {
  auto* wire = static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *done = std::min(size, wire->input.size());
  if (*done == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(out, wire->input.data(), *done);
  wire->input = wire->input.subspan(*done);
  return 1;
}

int wire_write(BIO* bio, char const* data, std::size_t size, std::size_t* done) {
  auto* wire = static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  append(wire->output, as_bytes(std::string_view(data, size)));
  *done = size;
  return 1;
}

long wire_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* wire_method() {
  static BioMethodPtr const method = [] {
    BioMethodPtr made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "shamon wire"));
    BIO_meth_set_read_ex(made.get(), wire_read);
    BIO_meth_set_write_ex(made.get(), wire_write);
    BIO_meth_set_ctrl(made.get(), wire_control);
    return made;
  }();
  return method.get();
}

/// Alerts by which the other side says that it does not believe us (RFC 8446 §6.2).
bool is_trust_alert(int alert) noexcept {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED: return true;
  }
  return false;
}

Error session_error(SSL* ssl) {
  unsigned long const number = ERR_peek_error();
  int const reason = ERR_GET_LIB(number) == ERR_LIB_SSL ? ERR_GET_REASON(number) : 0;
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    ERR_clear_error();
    return Error{Errc::untrusted,
                 std::string("peer certificate: ") +
                     X509_verify_cert_error_string(SSL_get_verify_result(ssl)),
                 {}};
  }
  bool const untrusted =
      reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ||
      (reason > SSL_AD_REASON_OFFSET && is_trust_alert(reason - SSL_AD_REASON_OFFSET));
  return openssl_error(untrusted ? Errc::untrusted : Errc::crypto, "TLS");
}

Status use_identity(SSL_CTX* ctx, TlsOptions const& options) {
  if (options.identity.chain.empty()) {
    if (options.role == TlsRole::client) return {};
    return fail(Errc::invalid, "a TLS server needs a certificate");
  }
  if (!options.identity.key) return fail(Errc::invalid, "a TLS certificate needs its key");
  std::vector<Certificate> const& chain = options.identity.chain;
  if (chain.size() > kChainCertificatesMax) return fail(Errc::too_large, "TLS certificate chain");
  if (SSL_CTX_use_certificate(ctx, chain.front().native()) != 1 ||
      SSL_CTX_use_PrivateKey(ctx, options.identity.key->native()) != 1 ||
      SSL_CTX_check_private_key(ctx) != 1) {
    return fail_openssl(Errc::invalid, "TLS identity");
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    // Who believes a root has it (RFC 8446 §4.4.2); who is sent it keeps it for the whole session.
    if (X509_self_signed(chain[i].native(), 0) == 1) continue;
    if (SSL_CTX_add1_chain_cert(ctx, chain[i].native()) != 1) {
      return fail_openssl(Errc::crypto, "TLS certificate chain");
    }
  }
  return {};
}

Status expect_peer(SSL_CTX* ctx, std::string const& name) {
  if (name.empty()) return {};
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(ctx);
  bool set = false;
  if (parse_ip(name)) {
    set = X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1;
  } else {
    // The common name is for people; only dNSName entries name a peer (RFC 9525 §2).
    X509_VERIFY_PARAM_set_hostflags(
        parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS);
    set = X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), name.size()) == 1;
  }
  if (!set) return fail_openssl(Errc::invalid, "expected peer name");
  return {};
}

}  // namespace

struct TlsContext::State {
  TlsRole role;
  SslCtxPtr ctx;
};

TlsContext::TlsContext(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext const>> TlsContext::create(TlsOptions options) {
  bool const server = options.role == TlsRole::server;
  SslCtxPtr ctx(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  if (!ctx || SSL_CTX_set_min_proto_version(ctx.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(ctx.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set1_groups_list(ctx.get(), "X25519:P-256:P-384") != 1) {
    return fail_openssl(Errc::crypto, "TLS context");
  }
  // No resumption: each connection proves its certificates anew, so that revocation bites.
  SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(ctx.get(), SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_num_tickets(ctx.get(), 0);
  SSL_CTX_set_mode(ctx.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
  if (auto status = use_identity(ctx.get(), options); !status) return pass(status);
  if (auto status = expect_peer(ctx.get(), options.expected_peer_name); !status) {
    return pass(status);
  }
  auto store = make_trust_store(options.trusted_roots);
  if (!store) return pass(store);
  // SSL_CTX keeps its own parameters beside the store's; both are joined at verification.
  SSL_CTX_set1_verify_cert_store(ctx.get(), store->get());
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx.get()),
                              X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  SSL_CTX_set_security_level(ctx.get(), 2);
  int mode = SSL_VERIFY_PEER;
  if (options.require_peer_certificate) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(ctx.get(), mode, nullptr);
  return std::make_shared<TlsContext const>(
      std::make_unique<State>(State{options.role, std::move(ctx)}));
}

struct TlsSession::State {
  std::shared_ptr<TlsContext const> context;
  SslPtr ssl;
  Wire wire;
  Bytes pending;  ///< text given to send() before the handshake was done
  std::optional<Certificate> peer;
  bool dead = false;

  Status fail_session() {
    dead = true;
    wipe(pending);
    pending.clear();
    return tl::unexpected<Error>(session_error(ssl.get()));
  }

  /// True when done, false when the other side must speak first.
  Result<bool> handshake() {
    ERR_clear_error();
    int const result = SSL_do_handshake(ssl.get());
    if (result != 1) {
      if (SSL_get_error(ssl.get(), result) == SSL_ERROR_WANT_READ) return false;
      return pass(fail_session());
    }
    if (X509* cert = SSL_get0_peer_certificate(ssl.get()); cert != nullptr) {
      // Of the key types OpenSSL would take, refuse those nothing else here can name.
      if (auto supported = check_supported(X509_get0_pubkey(cert)); !supported) {
        dead = true;
        return fail(Errc::untrusted, "peer certificate: " + supported.error().message);
      }
      X509_up_ref(cert);
      peer = Certificate(share_certificate(X509Ptr(cert)));
    }
    return true;
  }

  Status write(ByteView plain) {
    while (!plain.empty()) {
      ERR_clear_error();
      std::size_t done = 0;
      if (SSL_write_ex(ssl.get(), plain.data(), plain.size(), &done) != 1) return fail_session();
      plain = plain.subspan(done);
    }
    return {};
  }

  Status read(Bytes& plain) {
    for (;;) {
      std::size_t const before = plain.size();
      plain.resize(before + kPlainChunkBytes);
      ERR_clear_error();
      std::size_t done = 0;
      int const result = SSL_read_ex(ssl.get(), plain.data() + before, kPlainChunkBytes, &done);
      plain.resize(before + (result == 1 ? done : 0));
      if (result == 1) continue;
      int const error = SSL_get_error(ssl.get(), result);
      if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_ZERO_RETURN) return {};
      return fail_session();
    }
  }
};

TlsSession::TlsSession(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
TlsSession::TlsSession(TlsSession&&) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&&) noexcept = default;
TlsSession::~TlsSession() = default;

Result<TlsSession> TlsSession::create(std::shared_ptr<TlsContext const> context) {
  if (!context) return fail(Errc::invalid, "no TLS context");
  auto state = std::make_unique<State>();
  state->ssl.reset(SSL_new(context->state().ctx.get()));
  BIO* bio = BIO_new(wire_method());
  if (!state->ssl || bio == nullptr) {
    BIO_free(bio);
    return fail_openssl(Errc::crypto, "TLS session");
  }
  BIO_set_data(bio, &state->wire);
  BIO_set_init(bio, 1);
  SSL_set_bio(state->ssl.get(), bio, bio);
  bool const client = context->state().role == TlsRole::client;
  state->context = std::move(context);
  if (!client) {
    SSL_set_accept_state(state->ssl.get());
    return TlsSession(std::move(state));
  }
  SSL_set_connect_state(state->ssl.get());
  if (auto hello = state->handshake(); !hello) return pass(hello);
  return TlsSession(std::move(state));
}

Status TlsSession::receive(ByteView wire, Bytes& plain) {
  if (state_->dead) return fail(Errc::crypto, "TLS: the session is dead");
  state_->wire.input = wire;
  if (!handshake_done()) {
    auto done = state_->handshake();
    if (!done) return pass(done);
    if (!*done) return {};
    Bytes const pending = std::exchange(state_->pending, {});
    if (auto status = state_->write(pending); !status) return status;
  }
  return state_->read(plain);
}

Status TlsSession::send(ByteView plain) {
  if (state_->dead) return fail(Errc::crypto, "TLS: the session is dead");
  if (handshake_done()) return state_->write(plain);
  if (state_->pending.size() + plain.size() > kTlsPendingBytesMax) {
    return fail(Errc::too_large, "text before the end of the TLS handshake");
  }
  append(state_->pending, plain);
  return {};
}

Bytes TlsSession::take_output() {
  return std::exchange(state_->wire.output, {});
}

void TlsSession::shutdown() {
  if (state_->dead || !handshake_done()) return;
  SSL_shutdown(state_->ssl.get());
  ERR_clear_error();
}

bool TlsSession::handshake_done() const noexcept {
  return !state_->dead && SSL_is_init_finished(state_->ssl.get()) == 1;
}

bool TlsSession::closed_by_peer() const noexcept {
  return (SSL_get_shutdown(state_->ssl.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::optional<Certificate> TlsSession::peer_certificate() const {
  return state_->peer;
}

Result<Bytes> TlsSession::export_keying_material(std::string_view label, ByteView context,
                                                 std::size_t bytes) const {
  if (!handshake_done()) return fail(Errc::invalid, "TLS exporter before the handshake");
  if (bytes == 0 || bytes > kExporterBytesMax) return fail(Errc::too_large, "TLS exporter output");
  Bytes out(bytes);
  if (SSL_export_keying_material(state_->ssl.get(), out.data(), out.size(), label.data(),
                                 label.size(), context.data(), context.size(), 1) != 1) {
    return fail_openssl(Errc::crypto, "TLS exporter");
  }
  return out;
}

}  // namespace shamon

#include "crypto/tls.hpp"

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "crypto/limits.hpp"

namespace shamon {
namespace {

using Context = std::shared_ptr<TlsContext const>;

struct Authority {
  PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  Certificate cert;

  explicit Authority(std::string name)
      : cert(*issue_self_signed(plan(std::move(name), true), key)) {}
  static CertificateTemplate plan(std::string name, bool is_ca = false) {
    CertificateTemplate what;
    what.common_name = std::move(name);
    what.is_ca = is_ca;
    what.not_before = read_wall_clock() + -std::chrono::hours(2);
    what.not_after = read_wall_clock() + std::chrono::hours(1);
    return what;
  }
  TlsIdentity issue(CertificateTemplate const& what) const {
    PrivateKey member = *PrivateKey::generate(KeyType::ecdsa_p256);
    return {{*issue_certificate(what, member.public_key(), cert, key)}, std::move(member)};
  }
  TlsIdentity issue(std::string name) const {
    CertificateTemplate what = plan(name);
    what.dns_names = {name};
    what.ip_addresses = {"10.0.0.1"};
    return issue(what);
  }
};

Authority const& root() {
  static Authority const authority("root");
  return authority;
}

TlsOptions options(TlsRole role, TlsIdentity identity) {
  TlsOptions made;
  made.role = role;
  made.identity = std::move(identity);
  made.trusted_roots = {root().cert};
  return made;
}

Context context(TlsOptions made) {
  auto created = TlsContext::create(std::move(made));
  EXPECT_TRUE(created) << created.error().describe();
  return created ? *created : nullptr;
}

/// Two sessions and the wire between them.
struct Pair {
  TlsSession client, server;
  Bytes client_plain, server_plain;
  Status client_status, server_status;

  Pair(TlsOptions client_options, TlsOptions server_options)
      : client(*TlsSession::create(context(std::move(client_options)))),
        server(*TlsSession::create(context(std::move(server_options)))) {}

  /// Carries bytes until neither side has any; `step` cuts them in pieces, 0: whole.
  void run(std::size_t step = 0) {
    for (;;) {
      Bytes const up = client.take_output(), down = server.take_output();
      if (up.empty() && down.empty()) return;
      feed(server, server_status, up, server_plain, step);
      feed(client, client_status, down, client_plain, step);
    }
  }
  static void feed(TlsSession& to, Status& status, ByteView bytes, Bytes& plain, std::size_t step) {
    while (!bytes.empty() && status) {
      std::size_t const size = step == 0 ? bytes.size() : std::min(step, bytes.size());
      status = to.receive(bytes.first(size), plain);
      bytes = bytes.subspan(size);
    }
  }
};

TEST(Tls, carries_text_both_ways_whole_and_in_pieces_of_any_size) {
  for (std::size_t step : {0, 1, 7, 1000}) {
    SCOPED_TRACE(step);
    Pair pair(options(TlsRole::client, root().issue("client")),
              options(TlsRole::server, root().issue("server")));
    ASSERT_TRUE(pair.client.send(as_bytes("early ")));  // kept until the handshake is done
    pair.run(step);
    ASSERT_TRUE(pair.client_status) << pair.client_status.error().describe();
    ASSERT_TRUE(pair.server_status) << pair.server_status.error().describe();
    ASSERT_TRUE(pair.client.handshake_done() && pair.server.handshake_done());
    Bytes const big = random_bytes(70'000);
    ASSERT_TRUE(pair.client.send(as_bytes("late")));
    ASSERT_TRUE(pair.server.send(big));
    pair.run(step);
    EXPECT_EQ(as_text(pair.server_plain), "early late");
    EXPECT_EQ(pair.client_plain, big);
    EXPECT_EQ(pair.server.peer_certificate()->common_name(), "client");
    EXPECT_EQ(pair.client.peer_certificate()->common_name(), "server");
  }
}

TEST(Tls, both_ends_export_the_same_keys_and_no_other_session_does) {
  auto make = [] {
    Pair pair(options(TlsRole::client, root().issue("client")),
              options(TlsRole::server, root().issue("server")));
    EXPECT_EQ(pair.client.export_keying_material("EXPORTER-x", {}, 32).error().code, Errc::invalid);
    pair.run();
    return pair;
  };
  Pair one = make(), two = make();
  auto exported = [](TlsSession const& s, char const* label, char const* text, std::size_t size) {
    return *s.export_keying_material(label, as_bytes(text), size);
  };
  Bytes const key = exported(one.client, "EXPORTER-shamon", "green 1 2", 36);
  EXPECT_EQ(key.size(), 36u);
  EXPECT_EQ(exported(one.server, "EXPORTER-shamon", "green 1 2", 36), key);
  EXPECT_NE(exported(one.server, "EXPORTER-shamon", "red 1 2", 36), key);
  EXPECT_NE(exported(one.server, "EXPORTER-shamoo", "green 1 2", 36), key);
  EXPECT_NE(exported(two.client, "EXPORTER-shamon", "green 1 2", 36), key);
  EXPECT_TRUE(one.client.export_keying_material("l", {}, kExporterBytesMax));
  EXPECT_FALSE(one.client.export_keying_material("l", {}, kExporterBytesMax + 1));
  EXPECT_FALSE(one.client.export_keying_material("l", {}, 0));
}

TEST(Tls, refuses_whoever_does_not_prove_to_be_the_expected_peer) {
  Authority const stranger("root");  // the same name, another key
  CertificateTemplate expired = Authority::plan("late");
  expired.not_after = expired.not_before + std::chrono::hours(1);
  CertificateTemplate server_only = Authority::plan("server only");
  server_only.for_client = false;
  CertificateTemplate named_in_subject = Authority::plan("server");  // no alternative name
  auto naming = [](std::string name) {
    TlsOptions made = options(TlsRole::client, root().issue("client"));
    made.expected_peer_name = std::move(name);
    return made;
  };
  auto anonymous_allowed = [](TlsIdentity identity) {
    TlsOptions made = options(TlsRole::server, std::move(identity));
    made.require_peer_certificate = false;
    return made;
  };
  TlsOptions const client = options(TlsRole::client, root().issue("client"));
  TlsOptions const server = options(TlsRole::server, root().issue("server"));
  struct Row {
    char const* name;
    TlsOptions client, server;
    bool client_accepts, server_accepts;
  };
  Row const rows[] = {
      {"both known", client, server, true, true},
      {"server of a stranger", client, options(TlsRole::server, stranger.issue("server")), false,
       false},
      {"client of a stranger", options(TlsRole::client, stranger.issue("client")), server, true,
       false},
      {"stranger where anonymous is allowed", options(TlsRole::client, stranger.issue("c")),
       anonymous_allowed(root().issue("server")), true, false},
      {"server expired", client, options(TlsRole::server, root().issue(expired)), false, false},
      {"client expired", options(TlsRole::client, root().issue(expired)), server, true, false},
      {"client without certificate", options(TlsRole::client, {}), server, true, false},
      {"anonymous allowed", options(TlsRole::client, {}), anonymous_allowed(root().issue("s")),
       true, true},
      {"server's certificate as client", options(TlsRole::client, root().issue(server_only)),
       server, true, false},
      {"expected name", naming("server"), server, true, true},
      {"other name", naming("serves"), server, false, false},
      {"expected address", naming("10.0.0.1"), server, true, true},
      {"other address", naming("10.0.0.2"), server, false, false},
      {"name only in the subject", naming("server"),
       options(TlsRole::server, root().issue(named_in_subject)), false, false},
  };
  for (Row const& row : rows) {
    SCOPED_TRACE(row.name);
    Pair pair(row.client, row.server);
    pair.run();
    EXPECT_EQ(pair.server_status.has_value() && pair.server.handshake_done(), row.server_accepts);
    // A refused client learns it from the server's alert, after its own handshake ended.
    EXPECT_EQ(pair.client_status.has_value(), row.client_accepts && row.server_accepts);
    for (Status const* status : {&pair.client_status, &pair.server_status}) {
      if (!*status) {
        EXPECT_EQ(status->error().code, Errc::untrusted) << status->error().describe();
      }
    }
    if (!row.server_accepts) {
      Bytes plain;
      EXPECT_FALSE(pair.server.receive(as_bytes("more"), plain));
      EXPECT_FALSE(pair.server.send(as_bytes("more")));
      EXPECT_FALSE(pair.server.export_keying_material("l", {}, 32));
    }
  }
}

TEST(Tls, a_changed_bit_in_a_record_kills_the_session_without_giving_text) {
  for (std::size_t at : {0, 3, 5, 20, 25}) {
    SCOPED_TRACE(at);
    Pair pair(options(TlsRole::client, root().issue("client")),
              options(TlsRole::server, root().issue("server")));
    pair.run();
    ASSERT_TRUE(pair.server.handshake_done());
    ASSERT_TRUE(pair.client.send(as_bytes("association_open")));
    Bytes record = pair.client.take_output();
    record.at(at) ^= 0x80;  // at 3: a length beyond what TLS allows
    Bytes plain;
    Status const status = pair.server.receive(record, plain);
    EXPECT_TRUE(plain.empty());
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::crypto);
    EXPECT_FALSE(pair.server.receive(record, plain));
  }
}

TEST(Tls, replayed_records_are_refused) {
  Pair pair(options(TlsRole::client, root().issue("client")),
            options(TlsRole::server, root().issue("server")));
  pair.run();
  ASSERT_TRUE(pair.client.send(as_bytes("once")));
  Bytes const record = pair.client.take_output();
  Bytes plain;
  ASSERT_TRUE(pair.server.receive(record, plain));
  EXPECT_FALSE(pair.server.receive(record, plain));
  EXPECT_EQ(as_text(plain), "once");
}

TEST(Tls, closing_is_told_to_the_peer_and_garbage_is_refused) {
  Pair pair(options(TlsRole::client, root().issue("client")),
            options(TlsRole::server, root().issue("server")));
  pair.run();
  EXPECT_FALSE(pair.server.closed_by_peer());
  pair.client.shutdown();
  pair.run();
  EXPECT_TRUE(pair.server.closed_by_peer());

  auto session = TlsSession::create(context(options(TlsRole::server, root().issue("server"))));
  Bytes plain;
  EXPECT_EQ(session->receive(as_bytes("GET / HTTP/1.1\r\n\r\n"), plain).error().code, Errc::crypto);
}

TEST(Tls, a_root_at_the_end_of_a_chain_is_not_sent) {
  // The CA's certificate alone is longer than what signatures differ by from run to run.
  auto const flight_bytes = [](TlsIdentity identity) {
    Pair pair(options(TlsRole::client, root().issue("client")),
              options(TlsRole::server, std::move(identity)));
    EXPECT_TRUE(pair.server.receive(pair.client.take_output(), pair.server_plain));
    return pair.server.take_output().size();
  };
  TlsIdentity const leaf = root().issue("server");
  TlsIdentity whole = leaf;
  whole.chain.push_back(root().cert);
  std::size_t const root_bytes = root().cert.der().size();
  EXPECT_LT(flight_bytes(whole), flight_bytes(leaf) + root_bytes / 2);
}

TEST(Tls, contexts_need_a_fitting_identity) {
  TlsOptions bad = options(TlsRole::server, {});
  EXPECT_EQ(TlsContext::create(bad).error().code, Errc::invalid);
  bad.identity = root().issue("server");
  bad.identity.key.reset();
  EXPECT_EQ(TlsContext::create(bad).error().code, Errc::invalid);
  bad.identity.key = root().key;
  EXPECT_EQ(TlsContext::create(bad).error().code, Errc::invalid);
  Pair pair(options(TlsRole::client, {}), options(TlsRole::server, root().issue("s")));
  EXPECT_TRUE(pair.client.send(Bytes(kTlsPendingBytesMax)));
  EXPECT_EQ(pair.client.send(Bytes(1)).error().code, Errc::too_large);
}

}  // namespace
}  // namespace shamon

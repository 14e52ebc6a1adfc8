#include "authority/config.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "authority/test_machine.hpp"
#include "base/file.hpp"
#include "base/temporary_folder.hpp"

namespace shamon {
namespace {

constexpr char const* kGood =
    "coalition = 'boinc'\npolicy = 'boinc.policy'\nstate_folder = 'state'\n"
    "listen_tls = '10.0.0.1:8443'\n";

TEST(AuthorityConfig, defaults_are_those_of_the_documentation) {
  auto const config = parse_authority_config("a.toml", kGood);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->coalition.value(), "boinc");
  EXPECT_EQ(config->listen, (Endpoint{Ipv4{0x0a000001}, 8443}));
  EXPECT_EQ(config->names.ip_addresses, std::vector<std::string>{"10.0.0.1"});
  EXPECT_EQ(config->heartbeat, std::chrono::seconds(1));
  EXPECT_EQ(config->lease, std::chrono::seconds(3));
  EXPECT_EQ(config->challenge_period, std::chrono::seconds(3));
  EXPECT_EQ(config->challenge_timeout, std::chrono::seconds(6));
  EXPECT_EQ(config->unreachable_after, std::chrono::seconds(18));
  EXPECT_EQ(config->membership, std::chrono::minutes(10));
  EXPECT_EQ(config->required_components.size(), 2u);
  EXPECT_EQ(config->ciphers, every_aead_algorithm());
}

TEST(AuthorityConfig, names_the_place_of_what_is_wrong) {
  struct Row {
    std::string text;
    char const* expected;
  };
  std::string const good = fmt::format("{}", kGood);
  for (Row const& row : {
           Row{"coalition = 1\n", "a.toml:1:"},
           Row{good + "lease_ms = 1999\n", "a.toml:5:"},
           Row{good + "membership_seconds = 3601\n", "membership_seconds"},
           Row{good + "membership_seconds = 9\n", "membership_seconds"},
           Row{good + "required_components = []\n", "required_components"},
           Row{good + "pcr_mask = 0x1000000\n", "pcr_mask"},
           Row{good + "pcr_mask = 0\n", "pcr_mask"},
           Row{good + "unreachable_after_ms = 5999\n", "unreachable_after_ms"},
           Row{good + "heartbeat = 1\n", "heartbeat"},
           Row{good + "esp_ciphers = []\n", "esp_ciphers: must name at least one"},
           Row{good + "esp_ciphers = ['ENCR_3DES']\n", "'ENCR_3DES' is none of"},
           Row{good + "esp_ciphers = ['ENCR_AES_GCM_16-128', 'ENCR_AES_GCM_16-128']\n", "twice"},
           Row{"coalition = 'a b'\n", "coalition"},
           Row{"x = \n", "a.toml:1:"},
       }) {
    auto const config = parse_authority_config("a.toml", row.text);
    ASSERT_FALSE(config) << row.text;
    EXPECT_NE(config.error().message.find(row.expected), std::string::npos)
        << row.text << config.error().message;
  }
}

TEST(AuthorityConfig, ciphers_keep_the_order_they_are_written_in) {
  auto const config = parse_authority_config(
      "a.toml",
      fmt::format("{}esp_ciphers = ['ENCR_CHACHA20_POLY1305', 'ENCR_AES_GCM_16-256']\n", kGood));
  ASSERT_TRUE(config) << config.error().message;
  std::vector<AeadAlgorithm> const expected = {AeadAlgorithm::encr_chacha20_poly1305,
                                               AeadAlgorithm::encr_aes_gcm_16_256};
  EXPECT_EQ(config->ciphers, expected);
  auto const options = make_options(*config);
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->ciphers, expected);
}

TEST(AuthorityConfig, paths_are_of_its_folder_and_files_are_read) {
  TemporaryFolder folder;
  TestEndorser const endorser;
  ASSERT_TRUE(
      write_file_atomically(folder.path() + "/ek.pem", as_bytes(endorser.certificate.pem()), 0644));
  ASSERT_TRUE(write_file_atomically(folder.path() + "/a.toml",
                                    as_bytes(fmt::format("{}endorser_roots = ['ek.pem']\n", kGood)),
                                    0644));
  auto const config = read_authority_config(folder.path() + "/a.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->state_folder, folder.path() + "/state");
  auto const options = make_options(*config);
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->endorser_roots.size(), 1u);
  EXPECT_EQ(options->random(7).size(), 7u);
}

TEST(ReferenceValueFile, is_read_or_refused_with_its_name) {
  TemporaryFolder folder;
  std::string const path = folder.path() + "/values.json";
  ASSERT_TRUE(write_file_atomically(
      path,
      as_bytes(R"({"reference_values":[{"component":"gate","digest":"sha256:00","trusted":true,
                   "source":"build"}]})"),
      0644));
  auto const values = read_reference_values(path);
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ(values->at(0).component, "gate");
  ASSERT_TRUE(write_file_atomically(path, as_bytes("{"), 0644));
  auto const bad = read_reference_values(path);
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find(path), std::string::npos);
}

TEST(AuthorityIdentity, is_made_once_and_kept) {
  TemporaryFolder folder;
  WallTime const now{1'790'000'000'000};
  auto const first = load_or_create_identity(folder.path(), CoalitionName("c"), {{"a"}, {}}, now);
  ASSERT_TRUE(first) << first.error().describe();
  auto const second = load_or_create_identity(folder.path(), CoalitionName("c"), {{"a"}, {}}, now);
  ASSERT_TRUE(second) << second.error().describe();
  EXPECT_EQ(first->keys.ca.der(), second->keys.ca.der());
  EXPECT_EQ(first->keys.status_key.public_key(), second->keys.status_key.public_key());
  EXPECT_TRUE(verify_chain(second->server.chain[0], {}, {first->keys.ca}, now));
  struct Row {
    char const* name;
    mode_t mode;
  };
  for (Row const row : {Row{"ca-key.pem", 0600}, Row{"status-key.pem", 0600},
                        Row{"server-key.pem", 0600}, Row{"ca.pem", 0644}}) {
    struct stat info {};
    ASSERT_EQ(::stat((folder.path() + "/" + row.name).c_str(), &info), 0) << row.name;
    EXPECT_EQ(info.st_mode & 0777, row.mode) << row.name;
  }
  ASSERT_TRUE(write_file_atomically(folder.path() + "/ca-key.pem",
                                    as_bytes(PrivateKey::generate(KeyType::ecdsa_p256)->pem()),
                                    0600));
  EXPECT_FALSE(load_or_create_identity(folder.path(), CoalitionName("c"), {}, now));
}

}  // namespace
}  // namespace shamon

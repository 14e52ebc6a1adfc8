#include "crypto/aead.hpp"

#include <cstring>

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/aead_engine.hpp"
#include "crypto/hash.hpp"

namespace shamon {
namespace {

constexpr AeadEngine kEngines[] = {AeadEngine::ipsec_mb, AeadEngine::openssl};

std::unique_ptr<AeadCipher> make_cipher(AeadEngine engine, ByteView key, ByteView salt) {
  auto cipher =
      create_aead_cipher(engine, Secret<32>(key.first<32>()), salt.first<kAeadSaltBytes>());
  EXPECT_TRUE(cipher) << cipher.error().describe();
  return cipher ? std::move(*cipher) : nullptr;
}

/// The text of `"name": "value"` after `from`; enough JSON for a file whose layout we know.
std::string field(std::string_view text, std::string_view name, std::size_t from) {
  std::string const key = "\"" + std::string(name) + "\"";
  std::size_t const at = text.find('"', text.find(':', text.find(key, from)));
  return std::string(text.substr(at + 1, text.find('"', at + 1) - at - 1));
}

struct Vector {
  Bytes key, iv, aad, plain, cipher, tag;
  bool valid = false;
  std::string id;
};

/// The rows ESP could use: 256-bit key, 96-bit IV, 128-bit tag.
std::vector<Vector> load_wycheproof() {
  auto text =
      read_text_file(SHAMON_SOURCE_DIR "/../shared/testdata/esp/wycheproof_aes_gcm_test.json");
  std::vector<Vector> rows;
  if (!text) return rows;
  for (std::size_t at = text->find("\"tcId\""); at != std::string::npos;
       at = text->find("\"tcId\"", at + 1)) {
    auto bytes = [&](char const* name) { return *from_hex(field(*text, name, at)); };
    Vector row{bytes("key"),
               bytes("iv"),
               bytes("aad"),
               bytes("msg"),
               bytes("ct"),
               bytes("tag"),
               field(*text, "result", at) == "valid",
               text->substr(at, 12)};
    if (row.key.size() == 32 && row.iv.size() == 12 && row.tag.size() == 16) {
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

TEST(Aead, both_engines_agree_with_wycheproof) {
  std::vector<Vector> const rows = load_wycheproof();
  if (rows.empty()) GTEST_SKIP() << "no shared/testdata/esp/wycheproof_aes_gcm_test.json";
  EXPECT_EQ(rows.size(), 66u);
  for (AeadEngine engine : kEngines) {
    if (!aead_engine_available(engine)) continue;
    for (Vector const& row : rows) {
      SCOPED_TRACE(std::string(aead_engine_name(engine)) + " " + row.id);
      ByteView const iv(row.iv);
      auto cipher = make_cipher(engine, row.key, iv.first(4));
      ASSERT_TRUE(cipher);
      Bytes data = row.cipher;
      Bytes tag = row.tag;
      AeadJob job{row.aad, iv.subspan(4), data, tag};
      cipher->open({&job, 1});
      EXPECT_EQ(job.ok, row.valid);
      EXPECT_EQ(data, row.valid ? row.plain : Bytes(row.cipher.size()));
      if (!row.valid) continue;
      data = row.plain;
      std::fill(tag.begin(), tag.end(), std::uint8_t{0});
      cipher->seal({&job, 1});
      EXPECT_EQ(data, row.cipher);
      EXPECT_EQ(tag, row.tag);
    }
  }
}

TEST(Aead, a_changed_bit_anywhere_is_refused_and_the_data_wiped) {
  Bytes const key = random_bytes(32), salt = random_bytes(4);
  for (AeadEngine engine : kEngines) {
    if (!aead_engine_available(engine)) continue;
    SCOPED_TRACE(aead_engine_name(engine));
    auto cipher = make_cipher(engine, key, salt);
    Bytes const plain(100, 0x42);
    Bytes aad(8, 1), iv(8, 2), sealed = plain, tag(16);
    AeadJob job{aad, iv, sealed, tag};
    cipher->seal({&job, 1});
    Bytes const* whole[] = {&aad, &iv, &sealed, &tag};
    for (Bytes const* changed : whole) {
      for (std::size_t bit = 0; bit < changed->size() * 8; ++bit) {
        Bytes parts[4] = {aad, iv, sealed, tag};
        for (std::size_t i = 0; i < 4; ++i) {
          if (whole[i] == changed) parts[i][bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
        }
        AeadJob hostile{parts[0], parts[1], parts[2], parts[3], true};
        cipher->open({&hostile, 1});
        ASSERT_FALSE(hostile.ok) << bit;
        ASSERT_EQ(parts[2], Bytes(plain.size())) << bit;
      }
    }
    cipher->open({&job, 1});
    EXPECT_TRUE(job.ok);
    EXPECT_EQ(sealed, plain);
  }
}

TEST(Aead, batches_of_every_packet_size_pass_from_one_engine_to_the_other) {
  if (!aead_engine_available(AeadEngine::ipsec_mb)) {
    GTEST_SKIP() << "this processor has no AES-NI; only the OpenSSL engine runs here";
  }
  Bytes const key = random_bytes(32), salt = random_bytes(4);
  auto a = make_cipher(AeadEngine::ipsec_mb, key, salt);
  auto b = make_cipher(AeadEngine::openssl, key, salt);
  std::vector<Bytes> plain, data, iv, tag;
  for (std::size_t size : {0, 1, 15, 16, 17, 63, 64, 255, 1400, 9000, 65'535}) {
    plain.push_back(random_bytes(size));
    iv.push_back(random_bytes(8));
    tag.emplace_back(16);
  }
  data = plain;
  Bytes const aad(8, 9);
  std::vector<AeadJob> batch;
  for (std::size_t i = 0; i < plain.size(); ++i) batch.push_back({aad, iv[i], data[i], tag[i]});
  for (auto [from, to] : {std::pair{a.get(), b.get()}, std::pair{b.get(), a.get()}}) {
    from->seal(batch);
    EXPECT_NE(data.back(), plain.back());
    tag[3][0] ^= 1;  // one bad packet must not spoil its neighbours
    to->open(batch);
    for (std::size_t i = 0; i < plain.size(); ++i) {
      EXPECT_EQ(batch[i].ok, i != 3) << i;
      EXPECT_EQ(data[i], i == 3 ? Bytes(plain[i].size()) : plain[i]) << i;
    }
    data[3].assign(plain[3].begin(), plain[3].end());
  }
}

TEST(Aead, a_moved_key_still_opens_what_it_sealed) {
  Secret<kAeadKeyBytes> secret;
  fill_random(secret.expose_mutable());
  std::array<std::uint8_t, kAeadSaltBytes> const salt{1, 2, 3, 4};
  auto created = AeadKey::create(secret, salt);
  ASSERT_TRUE(created) << created.error().describe();
  AeadKey key = std::move(*created);
  Bytes const aad(8), iv(8);
  Bytes data = to_bytes("text"), tag(16);
  AeadJob job{aad, iv, data, tag};
  key.seal({&job, 1});
  EXPECT_NE(data, to_bytes("text"));
  AeadKey moved = std::move(key);
  moved.open({&job, 1});
  EXPECT_TRUE(job.ok);
  EXPECT_EQ(data, to_bytes("text"));
  EXPECT_EQ(aead_implementation(), aead_engine_name(preferred_aead_engine()));
}

}  // namespace
}  // namespace shamon

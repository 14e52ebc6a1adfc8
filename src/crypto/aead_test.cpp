#include "crypto/aead.hpp"

#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/aead_engine.hpp"
#include "crypto/hash.hpp"

namespace shamon {
namespace {

constexpr AeadEngine kEngines[] = {AeadEngine::ipsec_mb, AeadEngine::openssl};

std::unique_ptr<AeadCipher> make_cipher(AeadEngine engine, AeadAlgorithm algorithm,
                                        ByteView material) {
  auto cipher = create_aead_cipher(engine, algorithm, material);
  EXPECT_TRUE(cipher) << cipher.error().describe();
  return cipher ? std::move(*cipher) : nullptr;
}

Bytes random_material(AeadAlgorithm algorithm) {
  return random_bytes(aead_material_bytes(algorithm));
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

/// Both engines open the row as it says, and seal what it calls valid to the same bytes.
void expect_row(AeadAlgorithm algorithm, Vector const& row) {
  for (AeadEngine engine : kEngines) {
    if (!aead_engine_available(engine)) continue;
    SCOPED_TRACE(std::string(aead_engine_name(engine)) + " " + row.id);
    ByteView const iv(row.iv);
    Bytes material = row.key;
    append(material, iv.first(kAeadSaltBytes));
    auto cipher = make_cipher(engine, algorithm, material);
    ASSERT_TRUE(cipher);
    Bytes data = row.cipher;
    Bytes tag = row.tag;
    AeadJob job{row.aad, iv.subspan(kAeadSaltBytes), data, tag};
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

/// The rows ESP could use: 128- or 256-bit key, 96-bit IV, 128-bit tag.
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
    bool const has_key = row.key.size() == 16 || row.key.size() == 32;
    if (has_key && row.iv.size() == 12 && row.tag.size() == 16) {
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

TEST(Aead, both_engines_agree_with_wycheproof_on_aes_gcm) {
  std::vector<Vector> const rows = load_wycheproof();
  if (rows.empty()) GTEST_SKIP() << "no shared/testdata/esp/wycheproof_aes_gcm_test.json";
  EXPECT_EQ(rows.size(), 66u + 67u) << "of 256 and of 128 bits";
  for (Vector const& row : rows) {
    expect_row(row.key.size() == 32 ? AeadAlgorithm::encr_aes_gcm_16_256
                                    : AeadAlgorithm::encr_aes_gcm_16_128,
               row);
  }
}

/// 0x80 0x81 … 0x9f, the key of the examples in RFC 7634 and RFC 8439.
constexpr char kCountingKey[] = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";

TEST(Aead, both_engines_seal_the_esp_packet_of_rfc_7634_appendix_a) {
  expect_row(AeadAlgorithm::encr_chacha20_poly1305,
             {*from_hex(kCountingKey), *from_hex("a0a1a2a31011121314151617"),
              *from_hex("0102030400000005"),
              *from_hex("45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10"
                        "0007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
                        "2425262728292a2b2c2d2e2f303132333435363701020204"),
              *from_hex("24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6"
                        "14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3"
                        "cbec163fac469b502773f6fb94e664da9165b82829f641e0"),
              *from_hex("76aaa8266b7fb0f7b11b369907e1ad43"), true, "RFC 7634 A"});
}

/// Its additional data has 12 bytes, as that of ESP with extended sequence numbers.
TEST(Aead, both_engines_agree_with_the_example_of_rfc_8439_section_2_8_2) {
  Vector row{*from_hex(kCountingKey),
             *from_hex("070000004041424344454647"),
             *from_hex("50515253c0c1c2c3c4c5c6c7"),
             to_bytes("Ladies and Gentlemen of the class of '99: If I could offer you only one "
                      "tip for the future, sunscreen would be it."),
             *from_hex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                       "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                       "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                       "3ff4def08e4b7a9de576d26586cec64b6116"),
             *from_hex("1ae10b594f09e26a7e902ecbd0600691"),
             true,
             "RFC 8439 2.8.2"};
  expect_row(AeadAlgorithm::encr_chacha20_poly1305, row);
  row.valid = false;
  row.aad[4] ^= 1;
  expect_row(AeadAlgorithm::encr_chacha20_poly1305, row);
}

TEST(Aead, key_material_of_another_length_than_the_ciphers_is_refused) {
  for (AeadEngine engine : kEngines) {
    if (!aead_engine_available(engine)) continue;
    for (AeadAlgorithm algorithm : kAeadAlgorithms) {
      std::size_t const right = aead_material_bytes(algorithm);
      for (std::size_t bytes : {std::size_t{0}, std::size_t{4}, right - 4, right - 1, right + 1,
                                std::size_t{20}, std::size_t{36}, std::size_t{64}}) {
        auto const cipher = create_aead_cipher(engine, algorithm, Bytes(bytes, 1));
        EXPECT_EQ(cipher.has_value(), bytes == right) << to_string(algorithm) << " " << bytes;
        if (!cipher) {
          EXPECT_EQ(cipher.error().code, Errc::invalid);
        }
      }
    }
    auto const none = create_aead_cipher(engine, AeadAlgorithm{}, Bytes(36, 1));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::invalid);
  }
}

TEST(Aead, the_ciphers_seal_the_same_data_differently) {
  std::set<Bytes> sealed;
  Bytes const aad(8), iv(8);
  for (AeadAlgorithm algorithm : kAeadAlgorithms) {
    auto key = AeadKey::create(algorithm, Bytes(aead_material_bytes(algorithm), 5));
    ASSERT_TRUE(key);
    Bytes data = to_bytes("one text"), tag(16);
    AeadJob job{aad, iv, data, tag};
    key->seal({&job, 1});
    sealed.insert(data);
  }
  EXPECT_EQ(sealed.size(), kAeadAlgorithms.size());
}

/// Every bit of the four parts of one sealed packet, changed one by one.
void expect_every_bit_to_count(AeadCipher& cipher, std::size_t aad_bytes) {
  Bytes const plain(100, 0x42);
  Bytes aad(aad_bytes, 1), iv(8, 2), sealed = plain, tag(16);
  AeadJob job{aad, iv, sealed, tag};
  cipher.seal({&job, 1});
  Bytes const* whole[] = {&aad, &iv, &sealed, &tag};
  for (Bytes const* changed : whole) {
    for (std::size_t bit = 0; bit < changed->size() * 8; ++bit) {
      Bytes parts[4] = {aad, iv, sealed, tag};
      for (std::size_t i = 0; i < 4; ++i) {
        if (whole[i] == changed) parts[i][bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      }
      AeadJob hostile{parts[0], parts[1], parts[2], parts[3], true};
      cipher.open({&hostile, 1});
      ASSERT_FALSE(hostile.ok) << bit;
      ASSERT_EQ(parts[2], Bytes(plain.size())) << bit;
    }
  }
  cipher.open({&job, 1});
  EXPECT_TRUE(job.ok);
  EXPECT_EQ(sealed, plain);
}

TEST(Aead, a_changed_bit_anywhere_is_refused_and_the_data_wiped) {
  for (AeadEngine engine : kEngines) {
    if (!aead_engine_available(engine)) continue;
    for (AeadAlgorithm algorithm : kAeadAlgorithms) {
      for (std::size_t aad_bytes : {8u, 12u}) {
        SCOPED_TRACE(std::string(aead_engine_name(engine)) + " " + to_string(algorithm));
        auto cipher = make_cipher(engine, algorithm, random_material(algorithm));
        ASSERT_TRUE(cipher);
        expect_every_bit_to_count(*cipher, aad_bytes);
      }
    }
  }
}

/// Packets of every size, sealed by one and opened by the other.
void expect_to_pass(AeadCipher& from, AeadCipher& to, std::size_t aad_bytes) {
  std::vector<Bytes> plain, iv, tag;
  for (std::size_t size : {0, 1, 15, 16, 17, 63, 64, 255, 256, 257, 1400, 9000, 65'535}) {
    plain.push_back(random_bytes(size));
    iv.push_back(random_bytes(8));
    tag.emplace_back(16);
  }
  std::vector<Bytes> data = plain;
  Bytes const aad = random_bytes(aad_bytes);
  std::vector<AeadJob> batch;
  for (std::size_t i = 0; i < plain.size(); ++i) batch.push_back({aad, iv[i], data[i], tag[i]});
  from.seal(batch);
  EXPECT_NE(data.back(), plain.back());
  tag[3][0] ^= 1;  // one bad packet must not spoil its neighbours
  to.open(batch);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(batch[i].ok, i != 3) << i;
    EXPECT_EQ(data[i], i == 3 ? Bytes(plain[i].size()) : plain[i]) << i;
  }
}

TEST(Aead, batches_of_every_packet_size_pass_from_one_engine_to_the_other) {
  if (!aead_engine_available(AeadEngine::ipsec_mb)) {
    GTEST_SKIP() << "this processor has no AES-NI; only the OpenSSL engine runs here";
  }
  for (AeadAlgorithm algorithm : kAeadAlgorithms) {
    Bytes const material = random_material(algorithm);
    auto a = make_cipher(AeadEngine::ipsec_mb, algorithm, material);
    auto b = make_cipher(AeadEngine::openssl, algorithm, material);
    ASSERT_TRUE(a && b);
    for (std::size_t aad_bytes : {8u, 12u}) {
      SCOPED_TRACE(std::string(to_string(algorithm)) + ", AAD " + std::to_string(aad_bytes));
      expect_to_pass(*a, *b, aad_bytes);
      expect_to_pass(*b, *a, aad_bytes);
    }
  }
}

TEST(Aead, a_moved_key_still_opens_what_it_sealed) {
  auto const algorithm = AeadAlgorithm::encr_aes_gcm_16_256;
  auto created = AeadKey::create(algorithm, random_material(algorithm));
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

TEST(AeadAlgorithm, has_the_names_and_numbers_of_iana) {
  struct Row {
    AeadAlgorithm algorithm;
    char const* name;
    unsigned transform;
    std::size_t key_bytes, material_bytes;
  };
  constexpr Row kRows[] = {
      {AeadAlgorithm::encr_aes_gcm_16_256, "ENCR_AES_GCM_16-256", 20, 32, 36},
      {AeadAlgorithm::encr_aes_gcm_16_128, "ENCR_AES_GCM_16-128", 20, 16, 20},
      {AeadAlgorithm::encr_chacha20_poly1305, "ENCR_CHACHA20_POLY1305", 28, 32, 36},
  };
  for (Row const& row : kRows) {
    EXPECT_STREQ(to_string(row.algorithm), row.name);
    EXPECT_EQ(parse_aead_algorithm(row.name), row.algorithm);
    EXPECT_EQ(to_aead_algorithm(static_cast<std::uint32_t>(row.algorithm)), row.algorithm);
    EXPECT_EQ(aead_transform_id(row.algorithm), row.transform);
    EXPECT_EQ(aead_key_bytes(row.algorithm), row.key_bytes);
    EXPECT_EQ(aead_material_bytes(row.algorithm), row.material_bytes);
  }
  EXPECT_EQ(kAeadAlgorithms.front(), AeadAlgorithm::encr_aes_gcm_16_256);
  for (char const* name : {"", "ENCR_AES_GCM_16", "encr_aes_gcm_16-256", "ENCR_AES_GCM_16-192"}) {
    EXPECT_FALSE(parse_aead_algorithm(name)) << name;
  }
  for (std::uint32_t number : {0u, 4u, 255u, 257u, 0xffffffffu}) {
    EXPECT_FALSE(to_aead_algorithm(number)) << number;
  }
}

TEST(AeadAlgorithm, is_the_first_wish_that_is_possible) {
  auto const gcm = AeadAlgorithm::encr_aes_gcm_16_256;
  auto const chacha = AeadAlgorithm::encr_chacha20_poly1305;
  auto const small = AeadAlgorithm::encr_aes_gcm_16_128;
  using List = std::vector<AeadAlgorithm>;
  EXPECT_EQ(choose_aead_algorithm(List{gcm, chacha}, List{chacha, gcm}), gcm);
  EXPECT_EQ(choose_aead_algorithm(List{chacha, gcm}, List{gcm, chacha}), chacha);
  EXPECT_EQ(choose_aead_algorithm(List{gcm, small}, List{chacha, small}), small);
  EXPECT_FALSE(choose_aead_algorithm(List{gcm}, List{chacha, small}));
  EXPECT_FALSE(choose_aead_algorithm(List{}, List{gcm}));
  EXPECT_FALSE(choose_aead_algorithm(List{gcm}, List{}));
  std::vector<std::string> const names = {"ENCR_CAMELLIA_CCM_16", to_string(chacha), to_string(gcm),
                                          to_string(chacha)};
  EXPECT_EQ(known_aead_algorithms(names), (List{chacha, gcm}));
  EXPECT_FALSE(parse_aead_algorithms(names)) << "an unknown one, and one twice";
  EXPECT_FALSE(parse_aead_algorithms({}));
  EXPECT_EQ(*parse_aead_algorithms(to_names(kAeadAlgorithms)), every_aead_algorithm());
  EXPECT_EQ(to_names(List{chacha, gcm}),
            (std::vector<std::string>{"ENCR_CHACHA20_POLY1305", "ENCR_AES_GCM_16-256"}));
}

}  // namespace
}  // namespace shamon

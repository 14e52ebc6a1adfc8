#include "measurement/ima_log.hpp"

#include <gtest/gtest.h>

#include "base/byte_writer.hpp"
#include "base/encoding.hpp"
#include "measurement/event_log.hpp"
#include "measurement/limits.hpp"
#include "measurement/testdata.hpp"

namespace shamon {
namespace {

Digest zero(HashAlgorithm bank) {
  return Digest::zero(bank);
}

Bytes ng_data(std::string_view algorithm, Bytes const& digest, std::string_view path) {
  Bytes field = to_bytes(algorithm);
  field.push_back(0);
  append(field, digest);
  ByteWriter data;
  data.u32le(static_cast<std::uint32_t>(field.size())).bytes(field);
  data.u32le(static_cast<std::uint32_t>(path.size() + 1)).bytes(as_bytes(path)).u8(0);
  return std::move(data).take();
}

Bytes binary_entry(std::uint32_t pcr, Digest const& digest, std::string_view name,
                   Bytes const& data) {
  ByteWriter out;
  out.u32le(pcr).bytes(digest.bytes());
  out.u32le(static_cast<std::uint32_t>(name.size())).bytes(as_bytes(name));
  out.u32le(static_cast<std::uint32_t>(data.size())).bytes(data);
  return std::move(out).take();
}

Bytes ng_entry(std::string_view path) {
  Bytes const data = ng_data("sha256:", Bytes(32, 5), path);
  return binary_entry(10, hash(HashAlgorithm::sha1, data), "ima-ng", data);
}

std::string captured_pcr10(std::string const& folder) {
  std::string const text(as_text(testdata::captured(folder + "/pcrs.txt")));
  std::size_t const at = text.find("10: 0x");
  std::string value = text.substr(at + 6, 64);
  for (char& c : value) c = static_cast<char>(std::tolower(c));
  return value;
}

TEST(ImaLog, CapturedLogsReplayToThePcr10TheTpmHeldInBothForms) {
  struct Row {
    char const* folder;
    std::size_t entries;
  };
  for (Row const row : {Row{"clean/quote1", 41}, Row{"clean/quote2", 41},
                        Row{"untrusted/quote1", 41}, Row{"untrusted/quote2", 42}}) {
    SCOPED_TRACE(row.folder);
    std::string const folder = row.folder;
    for (std::string const form : {"/binary_runtime_measurements", "/ascii_runtime_measurements"}) {
      SCOPED_TRACE(form);
      Bytes const bytes = testdata::captured(folder + form);
      auto const log = parse_ima(bytes);
      ASSERT_TRUE(log) << log.error().describe();
      EXPECT_EQ(log->entries.size(), row.entries);
      EXPECT_EQ(log->end_offset, bytes.size());
      EXPECT_EQ(log->entries.front().path, "boot_aggregate");
      EXPECT_EQ(log->entries.front().template_name, "ima-sig");
      auto const value = fold_ima(log->entries, HashAlgorithm::sha256, zero(HashAlgorithm::sha256));
      ASSERT_TRUE(value) << value.error().describe();
      EXPECT_EQ(value->hex(), captured_pcr10(folder));
    }
  }
}

TEST(ImaLog, AsciiAndBinaryOfOneLogAreTheSameEntries) {
  auto const binary =
      parse_ima_binary(testdata::captured("untrusted/quote2/binary_runtime_measurements"));
  auto const ascii =
      parse_ima_ascii(as_text(testdata::captured("untrusted/quote2/ascii_runtime_measurements")));
  ASSERT_TRUE(binary && ascii);
  ASSERT_EQ(binary->entries.size(), ascii->entries.size());
  for (std::size_t i = 0; i < binary->entries.size(); ++i) {
    ImaEntry const& a = binary->entries[i];
    ImaEntry const& b = ascii->entries[i];
    EXPECT_EQ(a.path, b.path);
    EXPECT_EQ(a.file_digest, b.file_digest);
    EXPECT_EQ(to_hex(a.template_data), to_hex(b.template_data));
    EXPECT_EQ(to_hex(a.signature), to_hex(b.signature));
  }
}

TEST(ImaLog, ASuffixFoldsOntoWhatWasRemembered) {
  Bytes const bytes = testdata::captured("untrusted/quote2/binary_runtime_measurements");
  auto const whole = parse_ima_binary(bytes);
  ASSERT_TRUE(whole);
  std::uint64_t const cut = whole->entries[41].offset;
  auto const first = parse_ima_binary(ByteView(bytes).first(cut));
  auto const rest = parse_ima_binary(ByteView(bytes).subspan(cut), cut);
  ASSERT_TRUE(first && rest);
  EXPECT_EQ(rest->entries.size(), 1u);
  EXPECT_EQ(rest->entries.front().offset, cut);
  EXPECT_EQ(rest->entries.front().path, "/usr/bin/untrusted");
  EXPECT_EQ(rest->end_offset, bytes.size());
  using enum HashAlgorithm;
  auto const remembered = fold_ima(first->entries, sha256, zero(sha256));
  ASSERT_TRUE(remembered);
  EXPECT_EQ(fold_ima(rest->entries, sha256, *remembered)->hex(),
            captured_pcr10("untrusted/quote2"));
}

TEST(ImaLog, A826LineAsciiLogOfAnotherProjectReplays) {
  auto const text = testdata::shared("ima/ascii_826_sha256ng.txt");
  SHAMON_SKIP_WITHOUT(text, "ima/ascii_826_sha256ng.txt");
  auto const log = parse_ima(*text);
  ASSERT_TRUE(log) << log.error().describe();
  EXPECT_EQ(log->entries.size(), 826u);
  for (HashAlgorithm bank : {HashAlgorithm::sha1, HashAlgorithm::sha256}) {
    auto const value = fold_ima(log->entries, bank, zero(bank));
    EXPECT_TRUE(value) << value.error().describe();
  }
}

TEST(ImaLog, LogsCutInsideAnEntrySayWhereAndKeepWhatWasWhole) {
  struct Row {
    char const* file;
    std::size_t entries;
    std::uint64_t offset;
  };
  for (Row const row :
       {Row{"ima/sml-ima-ng-sha1.bin", 6, 558}, Row{"ima/sml-ima-sig-sha256.bin", 9, 987}}) {
    SCOPED_TRACE(row.file);
    auto const bytes = testdata::shared(row.file);
    SHAMON_SKIP_WITHOUT(bytes, row.file);
    ImaReading const reading = read_ima(*bytes);
    ASSERT_TRUE(reading.offence);
    EXPECT_EQ(reading.offence->code, Errc::truncated);
    EXPECT_EQ(reading.offence->offset, row.offset);
    EXPECT_EQ(reading.log.entries.size(), row.entries);
    EXPECT_EQ(reading.log.end_offset, row.offset);
    EXPECT_TRUE(fold_ima(reading.log.entries, HashAlgorithm::sha256, zero(HashAlgorithm::sha256)));
    EXPECT_FALSE(parse_ima(*bytes));
  }
}

TEST(ImaLog, BootAggregateIsTheDigestOfPcrsZeroToNine) {
  auto const boot = testdata::shared("ima/boot_aggregate/sample-binary_bios_measurements-pcrs-8-9");
  auto const list =
      testdata::shared("ima/boot_aggregate/sample-ascii_runtime_measurements-pcrs-8-9");
  SHAMON_SKIP_WITHOUT(boot && list, "ima/boot_aggregate");
  auto const log = parse_event_log(*boot);
  ASSERT_TRUE(log);
  auto const bank = replay(*log, HashAlgorithm::sha256);
  ASSERT_TRUE(bank);
  Hasher hasher(HashAlgorithm::sha256);
  for (std::uint8_t pcr = 0; pcr <= 9; ++pcr) hasher.update(bank->value(PcrIndex{pcr}).bytes());
  auto const ima = parse_ima(*list);
  ASSERT_TRUE(ima) << ima.error().describe();
  ASSERT_EQ(ima->entries.size(), 1u);
  EXPECT_EQ(ima->entries.front().file_digest, hasher.finish());
}

TEST(ImaLog, AnEmptyLogIsValidAndEmpty) {
  auto const log = parse_ima({});
  ASSERT_TRUE(log);
  EXPECT_TRUE(log->entries.empty());
  EXPECT_EQ(*fold_ima(log->entries, HashAlgorithm::sha256, zero(HashAlgorithm::sha256)),
            zero(HashAlgorithm::sha256));
}

TEST(ImaLog, AViolationExtendsAllOnesInEveryBank) {
  // Older kernels leave twenty zero bytes for the digest, whatever its algorithm.
  Bytes const data = ng_data("sha256:", Bytes(20, 0), "/var/log/x");
  Bytes const bytes = binary_entry(10, zero(HashAlgorithm::sha1), "ima-ng", data);
  auto const log = parse_ima_binary(bytes);
  ASSERT_TRUE(log) << log.error().describe();
  EXPECT_TRUE(log->entries.front().violation);
  for (HashAlgorithm bank : {HashAlgorithm::sha1, HashAlgorithm::sha256, HashAlgorithm::sha384}) {
    EXPECT_EQ(*fold_ima(log->entries, bank, zero(bank)),
              hash_pair(bank, zero(bank).bytes(), Digest::ones(bank).bytes()));
  }
  std::string const line =
      "10 " + std::string(40, '0') + " ima-ng sha1:" + std::string(40, '0') + " /x\n";
  auto const ascii = parse_ima_ascii(line);
  ASSERT_TRUE(ascii) << ascii.error().describe();
  EXPECT_TRUE(ascii->entries.front().violation);
}

TEST(ImaLog, TheOldTemplateHashesAPaddedName) {
  Bytes const digest(20, 0xab);
  Bytes hashed = digest;
  append(hashed, as_bytes("/sbin/init"));
  hashed.resize(20 + 256, 0);
  Digest const template_digest = hash(HashAlgorithm::sha1, hashed);
  ByteWriter binary;
  binary.u32le(10).bytes(template_digest.bytes()).u32le(3).bytes(as_bytes("ima"));
  binary.bytes(digest).u32le(10).bytes(as_bytes("/sbin/init"));
  std::string const ascii =
      "10 " + template_digest.hex() + " ima " + to_hex(digest) + " /sbin/init\n";
  for (Bytes const& bytes : {binary.view(), to_bytes(ascii)}) {
    auto const log = parse_ima(bytes);
    ASSERT_TRUE(log) << log.error().describe();
    ASSERT_EQ(log->entries.size(), 1u);
    EXPECT_EQ(log->entries.front().path, "/sbin/init");
    EXPECT_TRUE(fold_ima(log->entries, HashAlgorithm::sha256, zero(HashAlgorithm::sha256)));
  }
}

TEST(ImaLog, AListWithDigestsOfAnotherBankIsRecognised) {
  Bytes const data = ng_data("sha512:", Bytes(64, 1), "/a b");
  for (HashAlgorithm a : {HashAlgorithm::sha256, HashAlgorithm::sha384, HashAlgorithm::sha512}) {
    Bytes bytes = binary_entry(10, hash(a, data), "ima-ng", data);
    append(bytes, binary_entry(10, hash(a, data), "ima-ng", data));
    auto const log = parse_ima(bytes);
    ASSERT_TRUE(log) << log.error().describe();
    EXPECT_EQ(log->entries.size(), 2u);
    EXPECT_EQ(log->entries[1].path, "/a b");
    EXPECT_EQ(log->entries[1].template_digest.algorithm(), a);
    EXPECT_TRUE(fold_ima(log->entries, HashAlgorithm::sha256, zero(HashAlgorithm::sha256)));
  }
}

TEST(ImaLog, AnAlteredEntryIsFoundByItsOwnDigest) {
  Bytes bytes = testdata::captured("clean/quote1/binary_runtime_measurements");
  std::uint64_t const third = parse_ima(bytes)->entries[2].offset;
  bytes[parse_ima(bytes)->entries[3].offset - 6] ^= 1;  // in the path of the third entry
  auto const log = parse_ima(bytes);
  ASSERT_TRUE(log);
  auto const value = fold_ima(log->entries, HashAlgorithm::sha256, zero(HashAlgorithm::sha256));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, Errc::malformed);
  EXPECT_EQ(value.error().offset, third);
}

TEST(ImaLog, MalformedBinaryEntriesAreRefusedWithTheirOffset) {
  Bytes const good = ng_entry("/bin/sh");
  std::uint64_t const second = good.size();
  Digest const d = hash(HashAlgorithm::sha1, {});
  auto const behind = [&](Bytes const& more) {
    Bytes all = good;
    append(all, more);
    return all;
  };
  Bytes no_zero = ng_data("sha256:", Bytes(32, 5), "/x");
  no_zero.back() = 'y';
  Bytes extra = ng_data("sha256:", Bytes(32, 5), "/x");
  extra.push_back(0);
  ByteWriter endless;
  endless.u32le(10).bytes(d.bytes()).u32le(0xffffffff);
  ByteWriter huge;
  huge.u32le(10)
      .bytes(d.bytes())
      .u32le(6)
      .bytes(as_bytes("ima-ng"))
      .u32le(kImaTemplateBytesMax + 1);
  struct Row {
    char const* what;
    Bytes bytes;
    Errc code;
  };
  Row const rows[] = {
      {"one byte", behind({10}), Errc::truncated},
      {"PCR 24", behind(binary_entry(24, d, "ima-ng", ng_data("sha1:", Bytes(20, 1), "/x"))),
       Errc::malformed},
      {"an unknown template", behind(binary_entry(10, d, "ima-nq", {})), Errc::unsupported},
      {"an endless name", behind(endless.view()), Errc::malformed},
      {"data past the bound", behind(huge.view()), Errc::too_large},
      {"a digest cut short",
       behind(binary_entry(10, d, "ima-ng", ng_data("sha256:", Bytes(31, 1), "/x"))),
       Errc::malformed},
      {"an unknown algorithm",
       behind(binary_entry(10, d, "ima-ng", ng_data("md4:", Bytes(16, 1), "/x"))),
       Errc::unsupported},
      {"an algorithm without colon",
       behind(binary_entry(10, d, "ima-ng", ng_data("sha256", Bytes(32, 1), "/x"))),
       Errc::malformed},
      {"a path without its zero", behind(binary_entry(10, d, "ima-ng", no_zero)), Errc::malformed},
      {"a byte too many", behind(binary_entry(10, d, "ima-ng", extra)), Errc::malformed},
      {"a field too few",
       behind(binary_entry(10, d, "ima-sig", ng_data("sha256:", Bytes(32, 1), "/x"))),
       Errc::malformed},
  };
  for (Row const& row : rows) {
    SCOPED_TRACE(row.what);
    auto const log = parse_ima_binary(row.bytes, 1000);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, row.code) << log.error().describe();
    EXPECT_EQ(log.error().offset, 1000 + second);
  }
}

TEST(ImaLog, MalformedAsciiLinesAreRefusedWithTheirOffset) {
  std::string const digest(40, 'a');
  std::string const good = "10 " + digest + " ima-ng sha1:" + digest + " /bin/a b\n";
  ASSERT_TRUE(parse_ima_ascii(good + good));
  EXPECT_EQ(parse_ima_ascii(good)->entries.front().path, "/bin/a b");
  struct Row {
    std::string line;
    Errc code;
  };
  Row const rows[] = {
      {"\n", Errc::malformed},
      {"24 " + digest + " ima-ng sha1:" + digest + " /x", Errc::malformed},
      {"1x " + digest + " ima-ng sha1:" + digest + " /x", Errc::malformed},
      {"10 " + digest + "a ima-ng sha1:" + digest + " /x", Errc::malformed},
      {"10 " + digest + "aa ima-ng sha1:" + digest + " /x", Errc::malformed},
      {"10 " + digest + " ima-nq sha1:" + digest + " /x", Errc::unsupported},
      {"10 " + digest + " ima-ng " + digest + " /x", Errc::malformed},
      {"10 " + digest + " ima-ng sha1:" + digest, Errc::malformed},
      {"10 " + digest + " ima-ng sha1:" + digest + " ", Errc::malformed},
      {"10 " + digest + " ima-ng sha256:" + digest + " /x", Errc::malformed},
      {"10 " + digest + " ima-sig sha1:" + digest + " /x", Errc::malformed},
      {"10 " + digest + " ima-sig sha1:" + digest + " /x abc", Errc::malformed},
      {"10 " + digest + " ima sha1:" + digest + " /x", Errc::malformed},
      {"10 " + digest + " ima " + digest + " /" + std::string(255, 'x'), Errc::malformed},
  };
  for (Row const& row : rows) {
    SCOPED_TRACE(row.line);
    auto const log = parse_ima_ascii(good + row.line);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, row.code) << log.error().describe();
    EXPECT_EQ(log.error().offset, good.size());
  }
}

TEST(ImaLog, AsciiSignaturesAreBytesAgain) {
  std::string const digest(40, 'a');
  auto const log = parse_ima_ascii("10 " + digest + " ima-sig sha1:" + digest + " /x y 030204ff");
  ASSERT_TRUE(log) << log.error().describe();
  EXPECT_EQ(log->entries.front().path, "/x y");
  EXPECT_EQ(to_hex(log->entries.front().signature), "030204ff");
}

TEST(ImaLog, EntriesOfOtherPcrsAreNotFoldedSilently) {
  Bytes const data = ng_data("sha256:", Bytes(32, 5), "/x");
  auto const log =
      parse_ima_binary(binary_entry(11, hash(HashAlgorithm::sha1, data), "ima-ng", data));
  ASSERT_TRUE(log);
  auto const value = fold_ima(log->entries, HashAlgorithm::sha256, zero(HashAlgorithm::sha256));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, Errc::unsupported);
}

}  // namespace
}  // namespace shamon

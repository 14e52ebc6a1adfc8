#include "operator/cli/measure_verbs.hpp"

#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/folder_fixture.hpp"
#include "operator/cli/attest_verify.hpp"
#include "operator/cli/verbs_fixture.hpp"

namespace shamon {
namespace {

using nlohmann::json;

/// Runs the verbs as `shamon` would, with the given words behind its name.
Outcome run(std::vector<std::string> words) {
  auto const add = [](CLI::App& app, int& exit_code) {
    add_attest_verify(*app.add_subcommand("attest"), exit_code);
    add_measure_verbs(app, exit_code);
  };
  return run_verbs(add, std::move(words));
}

std::string captured(std::string const& name) {
  return fmt::format("{}/tests/data/captured/{}", SHAMON_SOURCE_DIR, name);
}
std::string shared(std::string const& name) {
  return fmt::format("{}/../shared/testdata/{}", SHAMON_SOURCE_DIR, name);
}

class MeasureVerbs : public FolderTest {
 protected:
  std::string write(std::string const& name, ByteView content) {
    return FolderTest::write(name, as_text(content));
  }
  /// `attest verify` over one captured quote; `more` may override options by coming first.
  Outcome verify(std::string const& set, std::string const& quote, std::string const& key,
                 std::vector<std::string> const& more) {
    std::string const folder = set + "/" + quote;
    std::vector<std::string> words{"attest",  "verify",
                                   "--quote", captured(folder + "/quote-" + key + ".msg"),
                                   "--sig",   captured(folder + "/quote-" + key + ".sig")};
    auto const given = [&](char const* option) {
      return std::find(more.begin(), more.end(), option) != more.end();
    };
    if (!given("--ak")) words.insert(words.end(), {"--ak", captured(set + "/ak-" + key + ".tpub")});
    if (!given("--nonce")) words.insert(words.end(), {"--nonce", captured(folder + "/nonce")});
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  std::vector<std::string> logs(std::string const& folder) {
    return {"--eventlog", captured(folder + "/binary_bios_measurements"), "--ima",
            captured(folder + "/binary_runtime_measurements")};
  }
};

TEST_F(MeasureVerbs, EventlogPrintsPcrsAndCountsAsJson) {
  Outcome const ran =
      run({"measure", "eventlog", captured("clean/quote1/binary_bios_measurements"), "--json"});
  EXPECT_EQ(ran.exit_code, 0);
  json const j = ran.parsed();
  EXPECT_EQ(j["schema"], "shamon.measure.eventlog/1");
  EXPECT_EQ(j["data"]["events"], 25);
  EXPECT_EQ(j["data"]["pcrs"]["sha256"]["0"],
            "d8279ad1f8ff0acfc4215a908d3bea9c32c09e763c621a4e9c97e2a62da6c164");
  EXPECT_FALSE(j["data"]["pcrs"]["sha256"].contains("10"));
  EXPECT_FALSE(j.contains("error"));
  EXPECT_EQ(ran.err, "");
}

TEST_F(MeasureVerbs, EventlogPrintsATableForPeople) {
  Outcome const ran =
      run({"measure", "eventlog", captured("clean/quote1/binary_bios_measurements")});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_NE(ran.out.find("events  25"), std::string::npos);
  EXPECT_NE(ran.out.find("sha256  9    4e4ada02"), std::string::npos) << ran.out;
}

TEST_F(MeasureVerbs, EveryExpectedPcrOfTheThirdPartyLogsIsPrinted) {
  auto const text = read_text_file(shared("eventlog/expected-pcrs.json"));
  if (!text) GTEST_SKIP() << "third-party inputs are not in ../shared/testdata";
  json const expected = json::parse(*text);
  for (auto const& [file, banks] : expected.items()) {
    json const j = run({"measure", "eventlog", shared("eventlog/" + file), "--json"}).parsed();
    for (auto const& [bank, values] : banks.items()) {
      EXPECT_EQ(j["data"]["pcrs"][bank], values) << file << ' ' << bank;
    }
  }
}

TEST_F(MeasureVerbs, ImaPrintsPcr10OfTheBanksAsked) {
  std::string const log = captured("untrusted/quote2/binary_runtime_measurements");
  Outcome const both = run({"measure", "ima", log, "--json"});
  EXPECT_EQ(both.exit_code, 0);
  json const data = both.parsed()["data"];
  EXPECT_EQ(data["entries"], 42);
  EXPECT_EQ(data["violations"], 0);
  EXPECT_EQ(data["pcr10"].size(), 2u);
  EXPECT_EQ(data["pcr10"]["sha256"].get<std::string>().size(), 64u);
  json const one = run({"measure", "ima", log, "--bank", "sha384", "--json"}).parsed()["data"];
  EXPECT_EQ(one["pcr10"].size(), 1u);
  EXPECT_EQ(one["pcr10"]["sha384"].get<std::string>().size(), 96u);
  json const ascii =
      run({"measure", "ima", captured("untrusted/quote2/ascii_runtime_measurements"), "--json"})
          .parsed()["data"];
  EXPECT_EQ(ascii, data);
}

TEST_F(MeasureVerbs, AnEmptyLogIsValidAndEmpty) {
  std::string const empty = write("empty", {});
  Outcome const eventlog = run({"measure", "eventlog", empty, "--json"});
  EXPECT_EQ(eventlog.exit_code, 0);
  EXPECT_EQ(eventlog.parsed()["data"]["events"], 0);
  EXPECT_EQ(eventlog.parsed()["data"]["pcrs"], json::object());
  Outcome const ima = run({"measure", "ima", empty, "--json"});
  EXPECT_EQ(ima.exit_code, 0);
  EXPECT_EQ(ima.parsed()["data"]["entries"], 0);
  EXPECT_EQ(ima.parsed()["data"]["pcr10"]["sha256"], std::string(64, '0'));
}

TEST_F(MeasureVerbs, AMalformedLogExitsTwoWithOffsetAndReasonAndWhatStoodBefore) {
  Bytes boot = *read_file(captured("clean/quote1/binary_bios_measurements"));
  boot.resize(boot.size() - 1);
  Outcome const eventlog = run({"measure", "eventlog", write("boot", boot), "--json"});
  EXPECT_EQ(eventlog.exit_code, 2);
  json const j = eventlog.parsed();
  EXPECT_TRUE(j["error"]["offset"].is_number());
  EXPECT_FALSE(j["error"]["reason"].get<std::string>().empty());
  EXPECT_EQ(j["data"]["events"], 24);
  EXPECT_NE(eventlog.err.find("at offset"), std::string::npos);

  Bytes ima = *read_file(captured("clean/quote1/binary_runtime_measurements"));
  std::size_t const whole = ima.size();
  ima.insert(ima.end(), {10, 0, 0});
  Outcome const cut = run({"measure", "ima", write("ima", ima), "--json"});
  EXPECT_EQ(cut.exit_code, 2);
  EXPECT_EQ(cut.parsed()["error"]["offset"], whole);
  EXPECT_EQ(cut.parsed()["data"]["entries"], 41);

  ima.resize(whole);
  ima[ima.size() - 8] ^= 1;  // in the name of the last entry: parses, but contradicts its digest
  Outcome const altered = run({"measure", "ima", write("altered", ima), "--json"});
  EXPECT_EQ(altered.exit_code, 2);
  EXPECT_LT(altered.parsed()["error"]["offset"], whole);
}

TEST_F(MeasureVerbs, AMissingFileExitsThree) {
  for (std::string const verb : {"eventlog", "ima"}) {
    Outcome const ran = run({"measure", verb, folder_ + "/none"});
    EXPECT_EQ(ran.exit_code, 3);
    EXPECT_NE(ran.err.find("none"), std::string::npos);
  }
  EXPECT_EQ(verify("clean", "quote1", "ecc", {"--ima", folder_ + "/none"}).exit_code, 3);
}

TEST_F(MeasureVerbs, EveryCapturedQuoteVerifiesWithItsLogs) {
  for (std::string const set : {"clean", "untrusted"}) {
    for (std::string const quote : {"quote1", "quote2"}) {
      for (std::string const key : {"ecc", "rsa"}) {
        SCOPED_TRACE(set + "/" + quote + "/" + key);
        Outcome const ran = verify(set, quote, key, logs(set + "/" + quote));
        EXPECT_EQ(ran.exit_code, 0) << ran.err;
        EXPECT_EQ(ran.err, "");
        std::vector<std::string> more = logs(set + "/" + quote);
        more.insert(more.end(), {"--ak", captured(set + "/ak-" + key + ".pem"), "--pcrs",
                                 captured(set + "/" + quote + "/pcrs.txt"), "--json"});
        Outcome const pem = verify(set, quote, key, more);
        EXPECT_EQ(pem.exit_code, 0) << pem.err;
        EXPECT_EQ(pem.parsed()["data"]["verified"], true);
        EXPECT_EQ(pem.parsed()["data"]["pcrs"]["sha256"].size(), 11u);
      }
    }
  }
}

TEST_F(MeasureVerbs, ALongerImaLogVerifiesByItsPrefix) {
  std::vector<std::string> more = logs("untrusted/quote1");
  more[3] = captured("untrusted/quote2/ascii_runtime_measurements");
  more.push_back("--json");
  Outcome const ran = verify("untrusted", "quote1", "ecc", more);
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.parsed()["data"]["ima_entries"], 41);
}

TEST_F(MeasureVerbs, WhatDoesNotAgreeExitsTenAndSaysWhich) {
  Bytes message = *read_file(captured("clean/quote1/quote-ecc.msg"));
  message.back() ^= 1;
  Bytes boot = *read_file(captured("clean/quote1/binary_bios_measurements"));
  boot.resize(boot.size() - 1);
  std::vector<std::string> const good = logs("clean/quote1");
  std::string const other_nonce(64, '0');
  struct Row {
    char const* check;
    char const* set;
    char const* quote;
    std::vector<std::string> more;
  };
  Row const rows[] = {
      {"pcr_digest", "clean", "quote1", {}},
      {"nonce", "clean", "quote1", {"--nonce", other_nonce, "--ima", good[3]}},
      {"signature",
       "clean",
       "quote1",
       {"--ak", captured("untrusted/ak-ecc.pem"), "--ima", good[3]}},
      {"key", "clean", "quote1", {"--ak", captured("clean/quote1/nonce"), "--ima", good[3]}},
      {"pcr_digest", "clean", "quote1", {"--ima", good[3]}},
      {"pcr_digest", "clean", "quote1", {"--eventlog", good[1]}},
      {"pcr_digest", "untrusted", "quote2", {"--eventlog", good[1], "--ima", good[3]}},
      {"pcr_digest", "untrusted", "quote2", {"--pcrs", captured("untrusted/quote1/pcrs.txt")}},
      {"event_log", "clean", "quote1", {"--eventlog", write("cut", boot), "--ima", good[3]}},
      {"ima_log", "clean", "quote1", {"--eventlog", good[1], "--ima", good[1]}},
      {"pcrs", "clean", "quote1", {"--pcrs", good[1]}},
  };
  for (Row row : rows) {
    SCOPED_TRACE(row.check);
    row.more.push_back("--json");
    Outcome const ran = verify(row.set, row.quote, "ecc", row.more);
    EXPECT_EQ(ran.exit_code, 10);
    EXPECT_EQ(ran.parsed()["data"]["verified"], false);
    EXPECT_EQ(ran.parsed()["data"]["check"], row.check) << ran.out;
    EXPECT_NE(ran.err, "");
  }
}

TEST_F(MeasureVerbs, ANonceMayBeTypedOrStandInAFileInEitherForm) {
  Bytes const text = *read_file(captured("clean/quote1/nonce"));
  std::string const typed(as_text(ByteView(text).first(64)));
  std::string const raw = write("raw", *from_hex(typed));
  for (std::string const& nonce : {typed, raw}) {
    std::vector<std::string> more = logs("clean/quote1");
    more.insert(more.end(), {"--nonce", nonce});
    EXPECT_EQ(verify("clean", "quote1", "ecc", more).exit_code, 0) << nonce;
  }
}

}  // namespace
}  // namespace shamon

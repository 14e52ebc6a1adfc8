// The fuzz corpora hold one example of each message. They are made by this test when it is asked
// to (SHAMON_WRITE_CORPUS=1), and checked by it otherwise, so that they follow the messages.
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "coalition/bridge_frame.hpp"
#include "coalition/messages/every_message.hpp"
#include "coalition/messages/examples.hpp"

namespace shamon {
namespace {

/// Writes a seed, or checks that it is there and the same.
void keep_seed(std::string const& target, std::string const& name, Bytes const& content) {
  std::string const folder = std::string(SHAMON_SOURCE_DIR) + "/fuzz/corpus/" + target;
  std::string const path = folder + "/" + name;
  if (std::getenv("SHAMON_WRITE_CORPUS") != nullptr) {
    std::filesystem::create_directories(folder);
    ASSERT_TRUE(write_file_atomically(path, content, 0644));
    return;
  }
  auto const kept = read_file(path);
  ASSERT_TRUE(kept) << path << ": run with SHAMON_WRITE_CORPUS=1";
  EXPECT_EQ(*kept, content) << path << " is of an older message: run with SHAMON_WRITE_CORPUS=1";
}

TEST(Corpus, HasAnExampleOfEachMessageInBothForms) {
  for (std::uint8_t number = 0; number < kEveryMessageCount; ++number) {
    with_message(number, [&]<class Message>() {
      Message const message = example<Message>();
      Bytes cbor{number};
      append(cbor, encode_cbor(message));
      keep_seed("message_cbor_fuzz", "message-" + std::to_string(number), cbor);
      Bytes json{number};
      append(json, as_bytes(encode_json(message)));
      keep_seed("message_json_fuzz", "message-" + std::to_string(number), json);
    });
  }
}

TEST(Corpus, HasAnExampleOfEachFrameAndOfANegotiation) {
  BridgeHello hello = example<BridgeHello>();
  hello.host = HostName("shype1");
  hello.policy_revision = Revision(0);
  hello.spi_in = 0x2000;
  hello.nonce = Bytes(32, 7);
  hello.want = "both";
  hello.ciphers = to_names(kAeadAlgorithms);
  BridgeHello rekey = hello;
  rekey.nonce = Bytes(32, 8);
  rekey.spi_in = 0x2001;
  bridge::Frame const frames[] = {
      hello,
      example<BridgeEvidence>(),
      bridge::Established{},
      bridge::Rekey{rekey},
      example<BridgeChallenge>(),
      example<BridgeAnswer>(),
      bridge::HelloReply{hello},
      example<BridgeRefused>(),
      bridge::CloseNotice{example<BridgeRefused>()},
  };
  Bytes all;
  for (bridge::Frame const& frame : frames) {
    Bytes const written = bridge::write_frame(frame);
    keep_seed("bridge_frame_fuzz", "frame-" + std::to_string(written[0]), written);
    all.push_back(static_cast<std::uint8_t>(written.size() >> 8));
    all.push_back(static_cast<std::uint8_t>(written.size() & 0xff));
    append(all, written);
  }
  keep_seed("bridge_frame_fuzz", "negotiation", all);
}

TEST(Corpus, HasAnExampleOfEachStatementOfTheFeed) {
  auto keep = [](char kind, char const* name, Bytes const& payload) {
    Bytes seed{static_cast<std::uint8_t>(kind)};
    append(seed, payload);
    keep_seed("feed_fuzz", name, seed);
  };
  StatusChange change = example<StatusChange>();
  change.revision = Revision(1);
  keep(0, "change", encode_cbor(change));
  keep(1, "heartbeat", encode_cbor(Heartbeat{Revision(0), WallTime{2000}, 1, 3000}));
  FeedChallenge challenge = example<FeedChallenge>();
  challenge.challenge.nonce = Bytes(32, 1);
  keep(2, "challenge", encode_cbor(challenge));
}

}  // namespace
}  // namespace shamon

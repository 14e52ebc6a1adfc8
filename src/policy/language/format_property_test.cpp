// Any policy, however it is spelled and cut into files: formatting settles and changes no meaning.
#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "policy/source.hpp"
#include "policy/tables.hpp"

namespace shamon {
namespace {

using Words = std::vector<std::string>;
using Files = std::map<std::string, std::string>;

/// Writes policies at random, and each statement in a random spelling.
class Scribbler {
 public:
  explicit Scribbler(std::uint32_t seed) : random_(seed) {}

  /// A policy of one to four files; the first is "top".
  Files files() {
    Files out;
    out["top"] = line({"coalition", "c", "revision", std::to_string(1 + pick(9)), "\"a  term\""});
    Words open = {"top"};
    for (auto const& words : statements()) {
      if (pick(12) == 0 && out.size() < 4) {
        std::string const name = "f" + std::to_string(out.size());
        out[open.back()] += line({"include", "\"" + name + "\""});
        out[name] = "";
        open.push_back(name);
      }
      if (pick(12) == 0 && open.size() > 1) open.pop_back();
      out[open.back()] += line(words);
    }
    return out;
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  std::string label() { return quoted("l" + std::to_string(pick(6))); }
  std::string type() { return quoted("t" + std::to_string(pick(5))); }
  std::string quoted(std::string const& name) { return pick(5) == 0 ? "\"" + name + "\"" : name; }
  std::string one_of(std::initializer_list<char const*> words) {
    return *(words.begin() + pick(words.size()));
  }

  std::vector<Words> statements() {
    std::vector<Words> out;
    out.push_back({"type", "t0", ",", "t1", "t2", ",", "\"t3\"", "t4"});
    out.push_back({"category", "k0", ",", "k1", ","});
    for (int i = 0; i < 6; ++i) out.push_back(label_statement("l" + std::to_string(i)));
    out.push_back({"label", "g", "{", "guard", "}"});
    out.push_back({"wall", "w", "{", "t0", ",", "t1", "}"});
    for (std::size_t i = pick(6); i > 0; --i) out.push_back(allow());
    out.push_back({"member", "host", "when", "location", "in", "{", "x", ",", "y", "}", "and",
                   "attested", "within", one_of({"60s", "1m", "60000ms", "90s", "24h"})});
    out.push_back({"member", "vm", label(), "when", "image", "in", "{", "i", "j", ",", "}"});
    out.push_back({"goal", "l0", "never", "reaches", "\"l1\"", "except", "through", "{", "g", "}"});
    out.push_back({"goal", "internet", "never", "reaches", "l1"});
    out.push_back({"map", "s", "{", "a", "=", label(), ",", "\"b c\"", "=", label(), "}"});
    std::shuffle(out.begin(), out.end(), random_);
    return out;
  }

  Words label_statement(std::string const& name) {
    std::vector<Words> attributes;
    if (pick(3) > 0) attributes.push_back({"share", type()});
    attributes.push_back(pick(2) == 0 ? Words{"wall", "none"} : Words{"wall", type()});
    if (pick(2) == 0) attributes.push_back({"secrecy", one_of({"open", "secret"}), "{", "k1", "}"});
    if (pick(2) == 0) attributes.push_back({"integrity", one_of({"low", "high"})});
    if (pick(4) == 0) attributes.push_back({"guard"});
    std::shuffle(attributes.begin(), attributes.end(), random_);
    Words out = {"label", name, "{"};
    for (auto const& words : attributes) out.insert(out.end(), words.begin(), words.end());
    out.push_back("}");
    return out;
  }

  Words allow() {
    if (pick(2) == 0) return {"allow", label(), "->", label(), "udp/9-10", ",", "icmp"};
    return {"allow", label(), "<->", label(), one_of({"tcp", "tcp/443", "udp/1-65535"})};
  }

  /// The words with random blanks, now and then a comment, now and then blank lines around.
  std::string line(Words const& words) {
    std::string out = blank(pick(3));
    for (auto const& word : words) {
      bool const sign = word.find_first_not_of("{},=<->") == std::string::npos;
      bool const after_sign = !out.empty() && std::string("{},=>").find(out.back()) != out.npos;
      out += blank(sign || after_sign ? pick(3) : 1 + pick(3)) + word;
    }
    if (pick(4) == 0)
      out += blank(pick(3)) + "#" + blank(pick(2)) + "why  \xc3\xa4" + blank(pick(3));
    for (std::size_t i = pick(8); i > 5; --i) out += "\n" + blank(pick(3));
    if (pick(10) == 0) out += "\n" + blank(pick(2)) + "# alone";
    return out + (pick(6) == 0 ? "\r\n" : "\n");
  }
  std::string blank(std::size_t count) {
    std::string out;
    while (out.size() < count) out += pick(5) == 0 ? '\t' : ' ';
    return out;
  }

  std::mt19937 random_;
};

PolicyReader reader_of(Files const& files) {
  return [&files](std::string const& file) -> Result<std::string> {
    auto const at = files.find(file);
    if (at == files.end()) return fail(Errc::not_found, file);
    return at->second;
  };
}

/// What a policy decides by, without where it was written: its image with empty origins.
std::string meaning(Files const& files) {
  auto const build = build_policy("top", files.at("top"), reader_of(files));
  if (!build) return build.error().front().describe();
  PolicyRules rules = build->compiled.tables().rules;
  for (auto& origin : rules.statements) origin = {};
  auto const image = compile(std::move(rules)).value().image();
  return std::string(as_text(image));
}

TEST(FormatProperty, FormattingSettlesAndChangesNoMeaningInOneFileOrMany) {
  std::size_t right = 0;
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Files const files = Scribbler(seed).files();
    Files formatted;
    for (auto const& [name, text] : files) {
      auto const once = format_policy(name, text);
      ASSERT_TRUE(once) << once.error().message << "\n" << text;
      EXPECT_EQ(format_policy(name, *once).value(), *once);
      formatted[name] = *once;
    }
    auto const flat = flatten_policy("top", files.at("top"), reader_of(files));
    auto const flat_of_formatted = flatten_policy("top", formatted.at("top"), reader_of(formatted));
    ASSERT_TRUE(flat && flat_of_formatted);
    EXPECT_EQ(*flat_of_formatted, *flat) << "so the digest does not depend on formatting";
    EXPECT_EQ(format_policy("flat", *flat).value(), *flat);

    if (!build_policy("top", files.at("top"), reader_of(files))) continue;
    ++right;
    EXPECT_EQ(meaning(formatted), meaning(files));
    EXPECT_EQ(meaning({{"top", *flat}}), meaning(files));
  }
  EXPECT_GT(right, 150u) << "the scribbler writes nonsense";
}

}  // namespace
}  // namespace shamon

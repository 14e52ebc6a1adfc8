// The byte image of a compiled policy. It carries the rules, not the tables: the receiver checks
// the rules and builds its own tables, so no byte of an image is ever used as an index unchecked.
//
//   u32 magic "SHPI"  u16 version  u32 size of the whole image        (all little-endian)
//   text coalition    u64 revision u16 types
//   u16 labels  × { text name, types share, types wall, level secrecy, level integrity, u8 guard,
//                   u32 statement }
//   u16 walls   × { types, u32 statement }
//   u32 allows  × { u16 from, u16 to, u8 two_way, u8 protocol, u16 low, u16 high, u32 statement }
//   u32 statements × { text file, u32 line, text text }
//
//   text: u16 bytes, then the bytes.  types: u16 count, then strictly rising u16 indexes.
//   level: u8 rank, u64 categories.
#include "base/cursor.hpp"
#include "policy/tables.hpp"

namespace shamon {
namespace {

constexpr std::uint32_t kMagic = 0x49504853;  // "SHPI"
constexpr std::uint16_t kVersion = 2;
constexpr std::size_t kHeaderBytes = 10;

void write_text(ByteWriter& out, std::string_view text) {
  out.u16le(static_cast<std::uint16_t>(text.size())).bytes(as_bytes(text));
}

void write_types(ByteWriter& out, TypeSet const& set) {
  out.u16le(static_cast<std::uint16_t>(set.count()));
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (set.test(i)) out.u16le(static_cast<std::uint16_t>(i));
  }
}

void write_level(ByteWriter& out, Level level) {
  out.u8(level.rank).u64le(level.categories);
}

void write_rules(ByteWriter& out, PolicyRules const& rules) {
  write_text(out, rules.coalition.value());
  out.u64le(rules.revision.value()).u16le(rules.type_count);
  out.u16le(static_cast<std::uint16_t>(rules.labels.size()));
  for (auto const& [label, statement] : rules.labels) {
    write_text(out, label.name.value());
    write_types(out, label.share);
    write_types(out, label.wall);
    write_level(out, label.levels.secrecy);
    write_level(out, label.levels.integrity);
    out.u8(label.guard ? 1 : 0).u32le(statement.value());
  }
  out.u16le(static_cast<std::uint16_t>(rules.walls.size()));
  for (auto const& wall : rules.walls) {
    write_types(out, wall.types);
    out.u32le(wall.statement.value());
  }
  out.u32le(static_cast<std::uint32_t>(rules.allows.size()));
  for (auto const& allow : rules.allows) {
    out.u16le(allow.from.value()).u16le(allow.to.value()).u8(allow.two_way ? 1 : 0);
    out.u8(allow.protocol).u16le(allow.port_low).u16le(allow.port_high);
    out.u32le(allow.statement.value());
  }
  out.u32le(static_cast<std::uint32_t>(rules.statements.size()));
  for (auto const& origin : rules.statements) {
    write_text(out, origin.file);
    out.u32le(origin.line);
    write_text(out, origin.text);
  }
}

std::string read_text(Cursor& in) {
  return std::string(as_text(in.take(in.u16le())));
}

bool read_bool(Cursor& in) {
  std::uint8_t const value = in.u8();
  if (value > 1) in.fail();
  return value == 1;
}

/// Only rising indexes, so that a set has one spelling and an image one meaning.
TypeSet read_types(Cursor& in) {
  TypeSet set;
  std::size_t next = 0;
  for (std::uint16_t left = in.u16le(); left > 0 && in.ok(); --left) {
    std::uint16_t const index = in.u16le();
    if (index < next || index >= kTypesMax) {
      in.fail();
      break;
    }
    set.set(index);
    next = index + std::size_t{1};
  }
  return set;
}

Level read_level(Cursor& in) {
  std::uint8_t const rank = in.u8();
  return {rank, in.u64le()};
}

// Readers of one row each. They never reserve by a count that the input claims: a row that is not
// there fails the cursor and ends the loop.
LabelRule read_label(Cursor& in) {
  LabelRule rule;
  rule.label.name = LabelName(read_text(in));
  rule.label.share = read_types(in);
  rule.label.wall = read_types(in);
  rule.label.levels.secrecy = read_level(in);
  rule.label.levels.integrity = read_level(in);
  rule.label.guard = read_bool(in);
  rule.statement = StatementId(in.u32le());
  return rule;
}

WallRule read_wall(Cursor& in) {
  TypeSet const types = read_types(in);
  return {types, StatementId(in.u32le())};
}

AllowRule read_allow(Cursor& in) {
  AllowRule rule;
  rule.from = LabelId(in.u16le());
  rule.to = LabelId(in.u16le());
  rule.two_way = read_bool(in);
  rule.protocol = in.u8();
  rule.port_low = in.u16le();
  rule.port_high = in.u16le();
  rule.statement = StatementId(in.u32le());
  return rule;
}

StatementOrigin read_origin(Cursor& in) {
  StatementOrigin origin;
  origin.file = read_text(in);
  origin.line = in.u32le();
  origin.text = read_text(in);
  return origin;
}

template <class Row>
void read_rows(Cursor& in, std::size_t count, std::size_t max, std::vector<Row>& rows,
               Row (*read)(Cursor&)) {
  if (count > max) in.fail();
  for (std::size_t i = 0; i < count && in.ok(); ++i) rows.push_back(read(in));
}

PolicyRules read_rules(Cursor& in) {
  PolicyRules rules;
  rules.coalition = CoalitionName(read_text(in));
  rules.revision = Revision(in.u64le());
  rules.type_count = in.u16le();
  read_rows(in, in.u16le(), kLabelsMax, rules.labels, read_label);
  read_rows(in, in.u16le(), kWallsMax, rules.walls, read_wall);
  read_rows(in, in.u32le(), kAllowRulesMax, rules.allows, read_allow);
  read_rows(in, in.u32le(), kStatementsMax, rules.statements, read_origin);
  return rules;
}

}  // namespace

Bytes CompiledPolicy::image() const {
  ByteWriter body;
  write_rules(body, tables_->rules);
  ByteWriter out;
  out.u32le(kMagic).u16le(kVersion);
  out.u32le(static_cast<std::uint32_t>(kHeaderBytes + body.view().size())).bytes(body.view());
  return std::move(out).take();
}

Result<CompiledPolicy> CompiledPolicy::from_image(ByteView image) {
  if (image.size() > kImageBytesMax) return fail(Errc::too_large, "policy image");
  Cursor in(image);
  if (in.u32le() != kMagic) return fail_at(Errc::malformed, 0, "not a policy image");
  if (in.u16le() != kVersion) return fail_at(Errc::unsupported, 4, "version of the policy image");
  if (in.u32le() != image.size()) return fail_at(Errc::malformed, 6, "size of the policy image");
  PolicyRules rules = read_rules(in);
  if (!in.ok() || !in.at_end()) {
    return fail_at(Errc::malformed, in.offset(), "policy image breaks its format");
  }
  auto compiled = compile(std::move(rules));
  if (!compiled && compiled.error().code == Errc::invalid) {
    return fail_at(Errc::malformed, in.offset(), compiled.error().message);
  }
  return compiled;
}

}  // namespace shamon

// Reads the byte image of a compiled policy (image_format.hpp).
#include "base/cursor.hpp"
#include "policy/image_format.hpp"
#include "policy/tables.hpp"

namespace shamon {
namespace {

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

Result<CompiledPolicy> CompiledPolicy::from_image(ByteView image) {
  if (image.size() > kImageBytesMax) return fail(Errc::too_large, "policy image");
  Cursor in(image);
  if (in.u32le() != kImageMagic) return fail_at(Errc::malformed, 0, "not a policy image");
  if (in.u16le() != kImageVersion)
    return fail_at(Errc::unsupported, 4, "version of the policy image");
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

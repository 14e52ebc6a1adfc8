// Writes the byte image of a compiled policy (image_format.hpp). The gate has no use for it.
#include "base/byte_writer.hpp"
#include "policy/image_format.hpp"
#include "policy/tables.hpp"

namespace shamon {
namespace {

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

}  // namespace

Bytes CompiledPolicy::image() const {
  ByteWriter body;
  write_rules(body, tables_->rules);
  ByteWriter out;
  out.u32le(kImageMagic).u16le(kImageVersion);
  out.u32le(static_cast<std::uint32_t>(kImageHeaderBytes + body.view().size())).bytes(body.view());
  return std::move(out).take();
}

}  // namespace shamon

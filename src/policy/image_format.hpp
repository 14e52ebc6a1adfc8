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
#pragma once

#include <cstddef>
#include <cstdint>

namespace shamon {

inline constexpr std::uint32_t kImageMagic = 0x49504853;  // "SHPI"
inline constexpr std::uint16_t kImageVersion = 2;
inline constexpr std::size_t kImageHeaderBytes = 10;

}  // namespace shamon

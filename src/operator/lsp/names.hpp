// Every place in a policy where a name stands: what it names, and whether it defines it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/document.hpp"

namespace shamon::lsp {

enum class NameKind : std::uint8_t { label, type, category, wall, file };

struct NameUse {
  NameKind kind = NameKind::label;
  std::string name;  ///< of a file: the path of the file it names
  bool defines = false;
  std::string file;          ///< where it stands
  std::uint32_t line = 0;    ///< from 1
  std::uint32_t column = 0;  ///< from 1, in bytes
  std::uint32_t length = 0;  ///< as written, quotes included
};

/// In the order of the statement lists, not of the text. `internet` is no name.
std::vector<NameUse> names_of(PolicyDocument const& document);

/// The name that the place is in or right behind.
std::optional<NameUse> name_at(std::vector<NameUse> const& names, std::string const& file,
                               std::uint32_t line, std::uint32_t column);

}  // namespace shamon::lsp

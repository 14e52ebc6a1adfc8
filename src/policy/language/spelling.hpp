// Names and texts as a policy spells them: bare where they can be, in quotes where they must.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace shamon {

/// Words with a meaning where a name could stand. In quotes they are names like any other.
bool is_reserved_word(std::string_view text) noexcept;

/// True if the text may name a type, a label or a wall: 1..63 bytes of valid UTF-8 without control
/// characters and without those that change how the text around them is shown (line separators,
/// bidirectional marks). None at either end is a blank.
bool is_policy_name(std::string_view text) noexcept;

/// `name` as a policy writes it: bare if it is a valid name (base/ids.hpp) and no reserved word,
/// otherwise in quotes.
std::string spell_name(std::string_view name);

/// `text` in quotes. Printable ASCII stands for itself; \" and \\ for " and \; any other byte is
/// \xHH. So a policy file stays printable ASCII whatever it names.
std::string quote_text(std::string_view text);

/// The length of the text in quotes at the start of `text`, quotes included; 0 if there is none or
/// it is not well formed.
std::size_t quoted_length(std::string_view text) noexcept;

/// What a well-formed text in quotes stands for.
std::string unquote_text(std::string_view quoted);

}  // namespace shamon

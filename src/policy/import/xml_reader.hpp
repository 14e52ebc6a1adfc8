// XML into a small tree in which everything knows its place. Strict: a document is well formed or
// refused. No document type declaration, so no entities but the five that XML itself has: nothing
// expands, nothing is fetched.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/source.hpp"

namespace shamon {

struct XmlPlace {
  std::uint32_t line = 1;    ///< from 1
  std::uint32_t column = 1;  ///< from 1, in characters
};

struct XmlAttribute {
  std::string name;   ///< local name; with its namespace and a '|' in front if it has one
  std::string value;  ///< UTF-8
};

struct XmlElement {
  std::string name;     ///< as an attribute's
  std::string text;     ///< UTF-8, without blanks and line ends around it
  XmlPlace place;       ///< of its '<'
  XmlPlace text_place;  ///< of the first character that is no blank; `place` if there is none
  std::vector<XmlAttribute> attributes;
  std::vector<XmlElement> children;
};

/// The root element. Errors: one diagnostic where the document stops being well formed, is not in
/// UTF-8, UTF-16, ISO-8859-1 or ASCII as it says, declares a document type, or exceeds a bound of
/// import/limits.hpp.
tl::expected<XmlElement, Diagnostic> read_xml(std::string const& file_name, std::string_view bytes);

}  // namespace shamon

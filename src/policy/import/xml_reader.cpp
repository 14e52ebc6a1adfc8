#include "policy/import/xml_reader.hpp"

#include <memory>
#include <optional>

#include <expat.h>

#include "policy/import/limits.hpp"

namespace shamon {
namespace {

constexpr char kNamespaceEnd = '|';

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// What Expat calls back into. Elements are built on a stack, so that no recursion is as deep as
/// the document.
class Builder {
 public:
  Builder(std::string const& file_name, XML_Parser parser) : file_(file_name), parser_(parser) {}

  void open(XML_Char const* name, XML_Char const** attributes) {
    if (refused_) return;
    if (open_.size() == kXmlDepthMax) {
      return refuse("elements may stand " + std::to_string(kXmlDepthMax) + " deep");
    }
    if (++elements_ > kXmlElementsMax) {
      return refuse("a document may have " + std::to_string(kXmlElementsMax) + " elements");
    }
    XmlElement element;
    element.name = name;
    element.place = element.text_place = here();
    for (; *attributes != nullptr; attributes += 2) {
      element.attributes.push_back({attributes[0], attributes[1]});
    }
    open_.push_back(std::move(element));
  }

  void text(std::string_view more) {
    if (refused_) return;
    XmlElement& element = open_.back();
    if (element.text.empty()) {
      XmlPlace place = here();
      while (!more.empty() && is_blank(more.front())) {
        // Expat gives line ends by themselves, so only the column can move within one piece.
        ++place.column;
        more.remove_prefix(1);
      }
      if (more.empty()) return;
      element.text_place = place;
    }
    if (element.text.size() + more.size() > kXmlTextBytesMax) {
      return refuse("text may have " + std::to_string(kXmlTextBytesMax) + " bytes");
    }
    element.text += more;
  }

  void close() {
    if (refused_) return;
    XmlElement element = std::move(open_.back());
    open_.pop_back();
    while (!element.text.empty() && is_blank(element.text.back())) element.text.pop_back();
    if (open_.empty()) {
      root_ = std::move(element);
    } else {
      open_.back().children.push_back(std::move(element));
    }
  }

  /// The first refusal counts.
  void refuse(std::string message) {
    if (refused_) return;
    Diagnostic diagnostic;
    diagnostic.file = file_;
    diagnostic.line = here().line;
    diagnostic.column = here().column;
    diagnostic.message = std::move(message);
    refused_ = std::move(diagnostic);
    XML_StopParser(parser_, XML_FALSE);
  }

  tl::expected<XmlElement, Diagnostic> finish() && {
    if (refused_) return tl::unexpected(std::move(*refused_));
    return std::move(root_);
  }

 private:
  XmlPlace here() const {
    return {static_cast<std::uint32_t>(XML_GetCurrentLineNumber(parser_)),
            static_cast<std::uint32_t>(XML_GetCurrentColumnNumber(parser_) + 1)};
  }

  std::string file_;
  XML_Parser parser_;
  std::vector<XmlElement> open_;
  XmlElement root_;
  std::size_t elements_ = 0;
  std::optional<Diagnostic> refused_;
};

Builder& builder(void* user) {
  return *static_cast<Builder*>(user);
}

void set_handlers(XML_Parser parser) {
  XML_SetElementHandler(
      parser,
      [](void* user, XML_Char const* name, XML_Char const** attributes) {
        builder(user).open(name, attributes);
      },
      [](void* user, XML_Char const*) { builder(user).close(); });
  XML_SetCharacterDataHandler(parser, [](void* user, XML_Char const* text, int size) {
    builder(user).text({text, static_cast<std::size_t>(size)});
  });
  XML_SetStartDoctypeDeclHandler(
      parser, [](void* user, XML_Char const*, XML_Char const*, XML_Char const*, int) {
        builder(user).refuse(
            "a document type declaration is refused: a policy needs no entities of its own");
      });
}

}  // namespace

tl::expected<XmlElement, Diagnostic> read_xml(std::string const& file_name,
                                              std::string_view bytes) {
  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> const parser(
      XML_ParserCreateNS(nullptr, kNamespaceEnd), &XML_ParserFree);
  if (parser == nullptr) {
    Diagnostic diagnostic;
    diagnostic.file = file_name;
    diagnostic.line = diagnostic.column = 1;
    diagnostic.message = "there is not enough memory to read this file";
    return tl::unexpected(std::move(diagnostic));
  }
  Builder out(file_name, parser.get());
  XML_SetUserData(parser.get(), &out);
  set_handlers(parser.get());
  if (bytes.size() > kXmlBytesMax) {
    out.refuse("a document may have " + std::to_string(kXmlBytesMax) + " bytes");
    return std::move(out).finish();
  }
  int const size = static_cast<int>(bytes.size());
  if (XML_Parse(parser.get(), bytes.data(), size, XML_TRUE) != XML_STATUS_OK) {
    out.refuse("not well-formed XML: " +
               std::string(XML_ErrorString(XML_GetErrorCode(parser.get()))));
  }
  return std::move(out).finish();
}

}  // namespace shamon

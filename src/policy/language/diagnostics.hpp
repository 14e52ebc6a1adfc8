// Collects what is wrong with a policy text, and words it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/diagnostic.hpp"
#include "policy/document.hpp"

namespace shamon {

/// A stretch of one line of one file.
struct Place {
  std::string file;
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::size_t length = 0;  ///< bytes; 0: the place before `column`
  std::string source;      ///< the line, for showing
};
/// The whole statement.
Place place_of(Origin const& origin);
/// A name in a statement.
Place place_of(Origin const& origin, Name const& name);
/// "line 4", or "b.policy:4" from a statement of another file.
std::string seen_from(Origin const& here, Origin const& there);

class Diagnostics {
 public:
  explicit Diagnostics(Severity severity = Severity::error) : severity_(severity) {}

  /// Says that a file is read from here on: `take` tells files in this order.
  void open(std::string const& file);
  /// Keeps the first kDiagnosticsMax.
  void add(Place place, PolicyCode code, std::string message, std::string suggestion = {});
  bool none() const noexcept { return found_.empty(); }
  bool full() const noexcept;
  /// In the order of the text, file by file.
  std::vector<Diagnostic> take() &&;

 private:
  Severity severity_;
  std::vector<std::string> files_;
  std::vector<Diagnostic> found_;
};

/// The text in quotes, cut to a readable length, without unprintable bytes.
std::string quoted(std::string_view text);

/// The candidate nearest in spelling, or nothing if none is near.
std::string nearest(std::string_view written, std::span<const std::string_view> candidates);

/// "; did you mean 'green'?", or nothing for nothing.
std::string did_you_mean(std::string_view suggestion);

}  // namespace shamon

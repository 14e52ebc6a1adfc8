// Collects what is wrong with a policy text, and words it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/source.hpp"

namespace shamon {

class Diagnostics {
 public:
  explicit Diagnostics(std::string file) : file_(std::move(file)) {}

  /// Keeps the first kDiagnosticsMax.
  void add(std::uint32_t line, std::uint32_t column, std::string message);
  bool none() const noexcept { return found_.empty(); }
  bool full() const noexcept;
  /// In the order of the text.
  std::vector<Diagnostic> take() &&;

 private:
  std::string file_;
  std::vector<Diagnostic> found_;
};

/// The text in quotes, cut to a readable length, without unprintable bytes.
std::string quoted(std::string_view text);

/// "; did you mean 'green'?" for the candidate nearest in spelling, or nothing if none is near.
std::string did_you_mean(std::string_view written, std::span<const std::string_view> candidates);

}  // namespace shamon

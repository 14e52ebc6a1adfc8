#include "policy/language/diagnostics.hpp"

#include <algorithm>
#include <tuple>

#include "policy/limits.hpp"

namespace shamon {
namespace {

constexpr std::size_t kQuotedBytesMax = 64;
constexpr std::size_t kShownBytesMax = 120;    // of a line, around what is meant
constexpr std::size_t kComparedBytesMax = 63;  // as long as a name can be

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t const change = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

char const* to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::error: return "error";
    case Severity::note: return "note";
  }
  return "?";
}

std::string to_string(PolicyCode code) {
  std::string const digits = std::to_string(static_cast<unsigned>(code));
  return "P" + std::string(digits.size() < 3 ? 3 - digits.size() : 0, '0') + digits;
}

std::string Diagnostic::describe() const {
  return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + message;
}

std::string Diagnostic::show() const {
  std::string out = file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " +
                    to_string(severity) + ": " + message + " [" + to_string(code) + "]\n";
  if (source.empty() || column == 0) return out;
  std::size_t const at = column - 1;
  std::size_t const begin = at > kShownBytesMax / 2 ? at - kShownBytesMax / 2 : 0;
  std::size_t const end = std::min(source.size(), begin + kShownBytesMax);
  std::string const number = std::to_string(line);
  std::string text = number + " | ";
  std::string carets = std::string(number.size(), ' ') + " | ";
  for (std::size_t i = begin; i < std::max(end, at + 1); ++i) {
    char const c = i < source.size() ? source[i] : ' ';
    bool const tab = c == '\t';
    // Bytes beyond ASCII stay: the line is the user's own, in the user's own script.
    text += (c >= 0 && c < 0x20 && !tab) || c == 0x7f ? '?' : c;
    if (static_cast<unsigned char>(c) >= 0x80 && static_cast<unsigned char>(c) < 0xc0) continue;
    bool const marked = i >= at && i < std::max<std::size_t>(end_column - 1, at + 1);
    if (i <= at || marked) carets += marked ? (i == at ? '^' : '~') : (tab ? '\t' : ' ');
  }
  auto const trim = [](std::string& t) { t.erase(t.find_last_not_of(" \t") + 1); };
  trim(text);
  trim(carets);
  return out + text + "\n" + carets + "\n";
}

Place place_of(Origin const& origin) {
  // Origins keep a statement without what stands before it: blanks fill its place.
  return {origin.file, origin.line, origin.column, origin.text.size(),
          std::string(origin.column - std::min(origin.column, 1u), ' ') + origin.text};
}

Place place_of(Origin const& origin, Name const& name) {
  Place place = place_of(origin);
  place.column = name.column;
  place.length = name.length;
  return place;
}

std::string seen_from(Origin const& here, Origin const& there) {
  std::string const line = std::to_string(there.line);
  return here.file == there.file ? "line " + line : there.file + ":" + line;
}

bool Diagnostics::full() const noexcept {
  return found_.size() >= kDiagnosticsMax;
}

void Diagnostics::open(std::string const& file) {
  files_.push_back(file);
}

void Diagnostics::add(Place place, PolicyCode code, std::string message, std::string suggestion) {
  if (full()) return;
  auto const end = place.column + static_cast<std::uint32_t>(place.length);
  found_.push_back({std::move(place.file), place.line, place.column, end, severity_, code,
                    std::move(message), std::move(suggestion), std::move(place.source)});
}

std::vector<Diagnostic> Diagnostics::take() && {
  auto const file = [&](Diagnostic const& d) {
    return std::find(files_.begin(), files_.end(), d.file) - files_.begin();
  };
  std::stable_sort(found_.begin(), found_.end(), [&](auto const& a, auto const& b) {
    return std::tuple(file(a), a.line, a.column) < std::tuple(file(b), b.line, b.column);
  });
  return std::move(found_);
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text.substr(0, kQuotedBytesMax)) out += c < 0x20 || c > 0x7e ? '?' : c;
  if (text.size() > kQuotedBytesMax) out += "...";
  return out + "'";
}

std::string nearest(std::string_view written, std::span<const std::string_view> candidates) {
  if (written.size() > kComparedBytesMax) return "";
  // A third of the letters may be wrong: more would suggest strangers.
  std::size_t best_distance = std::max<std::size_t>(1, (written.size() + 1) / 3) + 1;
  std::string_view best;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kComparedBytesMax) continue;
    std::size_t const distance = edit_distance(written, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return std::string(best);
}

std::string did_you_mean(std::string_view suggestion) {
  return suggestion.empty() ? "" : "; did you mean " + quoted(suggestion) + "?";
}

}  // namespace shamon

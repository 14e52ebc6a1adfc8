#include "policy/language/include.hpp"

#include <algorithm>
#include <map>

#include "policy/limits.hpp"

namespace shamon {
namespace {

/// "a/b/c.policy" -> "a/b/", "c.policy" -> "".
std::string folder_of(std::string const& path) {
  return path.substr(0, path.rfind('/') + 1);
}

class Walk {
 public:
  Walk(std::string const& top, PolicyReader const& reader, Diagnostics& diagnostics,
       SourceVisitor const& visitor)
      : folder_(folder_of(top)), reader_(reader), diagnostics_(diagnostics), visitor_(visitor) {
    std::string const name = top.substr(folder_.size());
    open_.push_back(name);
    included_[name] = {};
  }

  /// Recursion is bounded by kIncludeDepthMax.
  std::uint32_t read(std::string const& file, std::string_view text) {
    diagnostics_.open(file);
    std::uint32_t last = 1;
    bytes_ += text.size();
    if (bytes_ > kPolicyBytesMax) {
      diagnostics_.add({file, 1, 1, 0, ""}, PolicyCode::too_many_bytes,
                       "a policy may have " + std::to_string(kPolicyBytesMax) + " bytes");
      return last;
    }
    for_each_line(text, [&](std::string_view line_text, std::uint32_t number) {
      last = number;
      if (diagnostics_.full()) return;
      SourceLine const line{file, number, line_text};
      ParsedLine parsed = parse_line(line, diagnostics_);
      auto* include =
          parsed.statement ? std::get_if<IncludeStatement>(&*parsed.statement) : nullptr;
      if (include == nullptr) return visitor_.line(line, std::move(parsed));
      auto const path = accept(*include);
      auto const included = path ? fetch(*path, *include) : std::nullopt;
      visitor_.line(line, std::move(parsed));
      if (!included) return;
      open_.push_back(*path);
      read(name_of(*path), *included);
      open_.pop_back();
      visitor_.leave(*path);
    });
    return last;
  }

 private:
  std::string name_of(std::string const& path) const { return folder_ + path; }

  void refuse(IncludeStatement const& include, PolicyCode code, std::string message) {
    diagnostics_.add(place_of(include.origin, include.path), code, std::move(message));
  }

  /// "a.policy -> b.policy -> a.policy"
  std::string chain(std::string const& path) const {
    std::string out;
    for (auto const& open : open_) out += open + " -> ";
    return out + path;
  }

  /// The path from the top folder, if this file may be read now.
  std::optional<std::string> accept(IncludeStatement const& include) {
    if (!reader_) {
      refuse(include, PolicyCode::includes_refused,
             "this text stands alone and cannot include files; send what 'shamon policy flatten' "
             "prints");
      return std::nullopt;
    }
    auto const path = resolve_include(folder_of(open_.back()), include.path.text);
    if (!path) {
      refuse(include, PolicyCode::include_path,
             "an included file is named by its path from the folder of the file that includes it, "
             "and not above the folder of the first file");
    } else if (std::find(open_.begin(), open_.end(), *path) != open_.end()) {
      refuse(include, PolicyCode::include_cycle, "a file includes itself: " + chain(*path));
    } else if (auto const first = included_.find(*path); first != included_.end()) {
      refuse(include, PolicyCode::included_twice,
             quoted(*path) + " is already included at " + first->second);
    } else if (open_.size() == kIncludeDepthMax) {
      refuse(
          include, PolicyCode::include_depth,
          "includes may be " + std::to_string(kIncludeDepthMax) + " files deep: " + chain(*path));
    } else if (included_.size() > kIncludedFilesMax) {
      refuse(include, PolicyCode::too_many,
             "a policy may include " + std::to_string(kIncludedFilesMax) + " files");
    } else {
      included_[*path] = include.origin.file + ":" + std::to_string(include.origin.line);
      return path;
    }
    return std::nullopt;
  }

  std::optional<std::string> fetch(std::string const& path, IncludeStatement& include) {
    auto text = reader_(folder_ + path);
    if (!text) {
      refuse(include, PolicyCode::include_unreadable,
             "cannot read " + quoted(path) + ": " + text.error().message);
      return std::nullopt;
    }
    include.file = name_of(path);
    return std::move(*text);
  }

  std::string const folder_;  ///< of the top file, as the caller names it; empty or ending in '/'
  PolicyReader const& reader_;
  Diagnostics& diagnostics_;
  SourceVisitor const& visitor_;
  std::vector<std::string> open_;                ///< paths from the top folder, the top file first
  std::map<std::string, std::string> included_;  ///< path -> where
  std::size_t bytes_ = 0;
};

}  // namespace

std::optional<std::string> resolve_include(std::string const& folder, std::string_view path) {
  if (path.empty() || path.front() == '/' || path.back() == '/') return std::nullopt;
  std::string out = folder;
  while (!path.empty()) {
    std::string_view const step = path.substr(0, path.find('/'));
    bool const last = step.size() == path.size();
    path.remove_prefix(last ? step.size() : step.size() + 1);
    if (step == "..") {
      if (out.empty() || last) return std::nullopt;
      out.pop_back();
      out.erase(out.rfind('/') + 1);
    } else if (step.empty() || step == ".") {
      if (last) return std::nullopt;
    } else {
      out += std::string(step) + (last ? "" : "/");
    }
  }
  return out.size() <= kFileNameBytesMax ? std::optional(out) : std::nullopt;
}

std::uint32_t walk_sources(std::string const& file_name, std::string_view text,
                           PolicyReader const& reader, Diagnostics& diagnostics,
                           SourceVisitor const& visitor) {
  return Walk(file_name, reader, diagnostics, visitor).read(file_name, text);
}

}  // namespace shamon

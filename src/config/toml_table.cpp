#include "config/toml_table.hpp"

#include <set>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "base/file.hpp"

namespace shamon {
namespace {

/// Shared by all tables of one file.
struct Document {
  std::string file_name;
  toml::table root;
  std::vector<std::string> errors;
};

std::string place(Document const& document, toml::source_region const& region) {
  std::string out = document.file_name;
  if (region.begin.line > 0) {
    out += ":" + std::to_string(region.begin.line) + ":" + std::to_string(region.begin.column);
  }
  return out;
}

}  // namespace

struct TomlTable::Node {
  std::shared_ptr<Document> document;
  toml::table const* table = nullptr;
  toml::source_region where;
  std::string path;  ///< "[host]" for messages
  std::set<std::string> asked;
  std::vector<std::shared_ptr<Node>> children;

  toml::node const* find(std::string const& key) {
    asked.insert(key);
    return table == nullptr ? nullptr : table->get(key);
  }
  void error(toml::source_region const& region, std::string const& message) const {
    document->errors.push_back(place(*document, region) + ": " + message);
  }
  void missing(std::string const& key) const {
    error(where, "'" + key + "' is missing" + (path.empty() ? "" : " in " + path));
  }
  std::shared_ptr<Node> child(toml::table const* inner, std::string const& inner_path) {
    auto node = std::make_shared<Node>();
    node->document = document;
    node->table = inner;
    node->where = inner == nullptr ? where : inner->source();
    node->path = inner_path;
    children.push_back(node);
    return node;
  }
  void refuse_unknown() const {
    if (table != nullptr) {
      for (auto const& [key, value] : *table) {
        if (!asked.contains(std::string(key.str()))) {
          error(value.source(), "'" + std::string(key.str()) + "' is not a known key" +
                                    (path.empty() ? "" : " in " + path));
        }
      }
    }
    for (auto const& inner : children) inner->refuse_unknown();
  }
};

Result<TomlTable> TomlTable::parse_file(std::string const& path) {
  auto text = read_text_file(path);
  if (!text) return pass(text);
  return parse(path, *text);
}

Result<TomlTable> TomlTable::parse(std::string const& file_name, std::string const& text) {
  auto document = std::make_shared<Document>();
  document->file_name = file_name;
  toml::parse_result parsed = toml::parse(std::string_view(text), std::string_view(file_name));
  if (!parsed) {
    return fail(Errc::malformed, place(*document, parsed.error().source()) + ": " +
                                     std::string(parsed.error().description()));
  }
  document->root = std::move(parsed).table();
  auto node = std::make_shared<Node>();
  node->document = document;
  node->table = &document->root;
  return TomlTable(std::move(node));
}

std::string TomlTable::string(std::string const& key) {
  if (node_->find(key) == nullptr) node_->missing(key);
  return string_or(key, "");
}

std::string TomlTable::string_or(std::string const& key, std::string fallback) {
  toml::node const* found = node_->find(key);
  if (found == nullptr) return fallback;
  if (auto const* value = found->as_string()) return value->get();
  node_->error(found->source(), "'" + key + "' must be a string");
  return fallback;
}

std::uint64_t TomlTable::integer(std::string const& key) {
  if (node_->find(key) == nullptr) node_->missing(key);
  return integer_or(key, 0);
}

std::uint64_t TomlTable::integer_or(std::string const& key, std::uint64_t fallback) {
  toml::node const* found = node_->find(key);
  if (found == nullptr) return fallback;
  auto const* value = found->as_integer();
  if (value != nullptr && value->get() >= 0) return static_cast<std::uint64_t>(value->get());
  node_->error(found->source(), "'" + key + "' must be a whole number, not negative");
  return fallback;
}

bool TomlTable::boolean_or(std::string const& key, bool fallback) {
  toml::node const* found = node_->find(key);
  if (found == nullptr) return fallback;
  if (auto const* value = found->as_boolean()) return value->get();
  node_->error(found->source(), "'" + key + "' must be true or false");
  return fallback;
}

std::vector<std::string> TomlTable::strings_or(std::string const& key,
                                               std::vector<std::string> fallback) {
  toml::node const* found = node_->find(key);
  if (found == nullptr) return fallback;
  std::vector<std::string> out;
  toml::array const* list = found->as_array();
  bool good = list != nullptr;
  if (good) {
    for (auto const& element : *list) {
      auto const* value = element.as_string();
      good = good && value != nullptr;
      if (value != nullptr) out.push_back(value->get());
    }
  }
  if (!good) node_->error(found->source(), "'" + key + "' must be a list of strings");
  return out;
}

TomlTable TomlTable::table(std::string const& key) {
  toml::node const* found = node_->find(key);
  toml::table const* inner = found == nullptr ? nullptr : found->as_table();
  if (found != nullptr && inner == nullptr) {
    node_->error(found->source(), "'" + key + "' must be a table");
  }
  return TomlTable(node_->child(inner, "[" + key + "]"));
}

bool TomlTable::has(std::string const& key) const {
  return node_->table != nullptr && node_->table->contains(key);
}

std::vector<TomlTable> TomlTable::tables(std::string const& key) {
  std::vector<TomlTable> out;
  toml::node const* found = node_->find(key);
  if (found == nullptr) return out;
  toml::array const* list = found->as_array();
  if (list == nullptr) {
    node_->error(found->source(), "'" + key + "' must be written as [[" + key + "]]");
    return out;
  }
  for (auto const& element : *list) {
    if (toml::table const* inner = element.as_table()) {
      out.emplace_back(node_->child(inner, "[[" + key + "]]"));
    } else {
      node_->error(element.source(), "'" + key + "' must hold tables");
    }
  }
  return out;
}

void TomlTable::complain(std::string const& key, std::string const& message) {
  toml::node const* found = node_->find(key);
  node_->error(found == nullptr ? node_->where : found->source(), key + ": " + message);
}

Status TomlTable::finish() {
  node_->refuse_unknown();
  if (node_->document->errors.empty()) return {};
  std::string all;
  for (auto const& error : node_->document->errors) all += (all.empty() ? "" : "\n") + error;
  return fail(Errc::malformed, all);
}

}  // namespace shamon

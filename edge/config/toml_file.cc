// Reading of TOML. toml++ is used header-only: Debian's library is built with exceptions. Without
// its assertions: version 3.3.0 asserts of "[$" what its next lines refuse with an error, and a
// slip in a file must not end a node that reloads it. (They are no assumptions either: NDEBUG is
// not set.)
#include "edge/config/toml_file.h"

#ifdef NDEBUG
#error "toml++ would take its assertions for granted: build with b_ndebug=false"
#endif
#define TOML_ASSERT(condition) static_assert(true)  // as the library itself has it with NDEBUG
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <sstream>
#include <utility>

namespace nodex::config {
namespace {

constexpr Error bad_configuration{ErrorCode::bad_configuration, ErrorSource::configuration};

constexpr std::size_t compared_bytes_max = 64;  // of a wrong name
constexpr std::size_t suggested_edits_max = 3;  // a name that is further off was hardly meant

const toml::node* node_of(const void* found) noexcept {
    return static_cast<const toml::node*>(found);
}

// "line 7: ", or nothing where the parser does not know.
std::string place_of(const toml::node* node) {
    const unsigned line = node == nullptr ? 0 : node->source().begin.line;
    return line == 0 ? "" : "line " + std::to_string(line) + ": ";
}

// Insertions, deletions and replacements between two words (Levenshtein), a row at a time.
std::size_t edits_between(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
        }
    }
    return row.back();
}

// "; did you mean NAME?" for the nearest of the known names, if any is so near that it may be
// meant.
template <class Names>
std::string suggestion(std::string_view wrong, const Names& known) {
    std::size_t least = suggested_edits_max + 1;
    std::string_view nearest;
    for (const std::string_view name : known) {
        const std::size_t edits = edits_between(wrong.substr(0, compared_bytes_max), name);
        if (edits >= least) continue;
        least = edits;
        nearest = name;
    }
    return nearest.empty() ? "" : "; did you mean " + std::string(nearest) + "?";
}

}  // namespace

const void* Section::find(std::string_view key) {
    known_.emplace(key);
    return table_ == nullptr ? nullptr : static_cast<const toml::table*>(table_)->get(key);
}

void Section::text(std::string_view key, std::string& target) {
    const toml::node* node = node_of(find(key));
    if (node == nullptr) return;
    if (const auto value = node->value_exact<std::string>())
        target = *value;
    else
        fail(key, "must be a string");
}

void Section::texts(std::string_view key, std::vector<std::string>& target) {
    const toml::node* node = node_of(find(key));
    if (node == nullptr) return;
    const auto* array = node->as_array();
    if (array == nullptr) return fail(key, "must be an array of strings");
    target.clear();
    for (const auto& item : *array) {
        const auto value = item.value_exact<std::string>();
        if (!value) return fail(key, "must be an array of strings");
        target.push_back(*value);
    }
}

void Section::flag(std::string_view key, bool& target) {
    const toml::node* node = node_of(find(key));
    if (node == nullptr) return;
    if (const auto value = node->value_exact<bool>())
        target = *value;
    else
        fail(key, "must be true or false");
}

std::optional<std::int64_t> Section::whole_number(std::string_view key, std::int64_t least,
                                                  std::int64_t most) {
    const toml::node* node = node_of(find(key));
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<std::int64_t>();
    if (value && *value >= least && *value <= most) return *value;
    fail(key, "must be an integer from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
}

void Section::milliseconds(std::string_view key, Nanoseconds& target, std::int64_t least_ms,
                           std::int64_t most_ms) {
    if (const auto value = whole_number(key, least_ms, most_ms)) target = *value * millisecond;
}

void Section::one_of(std::string_view key, std::initializer_list<int> values, int& target) {
    const toml::node* node = node_of(find(key));
    if (node == nullptr) return;
    const auto value = node->value_exact<std::int64_t>();
    std::string expected;
    for (const int& one : values) {
        if (value == one) {
            target = one;
            return;
        }
        add_alternative(expected, std::to_string(one), "", &one + 1 == values.end());
    }
    fail(key, "must be " + expected);
}

void Section::add_alternative(std::string& sentence, const std::string& value,
                              std::string_view meaning, bool last) {
    if (!sentence.empty()) sentence += last ? " or " : ", ";
    sentence += value;
    if (!meaning.empty()) sentence.append(" (").append(meaning).append(")");
}

void Section::text_map(std::string_view key, const char* what,
                       std::map<std::string, std::string>& target) {
    const toml::node* node = node_of(find(key));
    if (node == nullptr) return;
    const auto* table = node->as_table();
    if (table == nullptr) return fail(key, "must be a table");
    for (const auto& [name, item] : *table) {
        const auto value = item.value_exact<std::string>();
        if (!value) return fail(key, what);
        target.insert_or_assign(std::string(name.str()), *value);
    }
}

bool Section::has(std::string_view key) const {
    return table_ != nullptr && static_cast<const toml::table*>(table_)->contains(key);
}

void Section::require(std::string_view key) {
    if (!has(key)) fail(key, "is missing");
}

void Section::fail(std::string_view key, const std::string& what) {
    if (!problem_.empty()) return;
    const auto* table = static_cast<const toml::table*>(table_);
    const toml::node* node = has(key) ? table->get(key) : table;
    problem_ = place_of(node) + path_ + "." + std::string(key) + " " + what;
}

Section::~Section() {
    if (table_ == nullptr) return;
    for (const auto& [key, value] : *static_cast<const toml::table*>(table_))
        if (!known_.contains(key.str()))
            fail(key.str(), "is not a known setting" + suggestion(key.str(), known_));
}

struct File::Parsed {
    toml::table root;
};

File::File(std::unique_ptr<Parsed> parsed, std::string& problem)
    : parsed_(std::move(parsed)), problem_(problem) {}
File::~File() = default;

Result<std::unique_ptr<File>> File::load(const std::string& path, std::string& problem) {
    problem.clear();
    std::ifstream file(path);
    if (!file) {
        problem = "cannot read the configuration file " + path;
        return bad_configuration;
    }
    std::stringstream text;
    text << file.rdbuf();
    toml::parse_result parsed = toml::parse(text.str(), path);
    if (!parsed) {
        std::ostringstream where;
        where << parsed.error().description() << " at line " << parsed.error().source().begin.line;
        problem = where.str();
        return bad_configuration;
    }
    auto contents = std::make_unique<Parsed>(Parsed{std::move(parsed).table()});
    return std::unique_ptr<File>(new File(std::move(contents), problem));
}

void File::only(std::initializer_list<std::string_view> names) {
    for (const auto& [key, value] : parsed_->root)
        if (problem_.empty() && std::find(names.begin(), names.end(), key.str()) == names.end())
            problem_ = place_of(&value) + std::string(key.str()) + " is not a known section" +
                       suggestion(key.str(), names);
}

Section File::section(std::string_view name) {
    const toml::node* node = parsed_->root.get(name);
    if (node != nullptr && !node->is_table() && problem_.empty())
        problem_ = place_of(node) + std::string(name) + " must be one section, [" +
                   std::string(name) + "]";
    return {parsed_->root[name].as_table(), std::string(name), problem_};
}

unsigned File::each(std::string_view name, const std::function<void(Section& section)>& read) {
    const toml::node* node = parsed_->root.get(name);
    if (node != nullptr && !node->is_array_of_tables() && problem_.empty())
        problem_ = place_of(node) + std::string(name) +
                   " must be a list of sections: each begins with [[" + std::string(name) + "]]";
    const auto* array = parsed_->root[name].as_array();
    if (array == nullptr) return 0;
    unsigned count = 0;
    for (const auto& item : *array) {
        Section section(item.as_table(), std::string(name), problem_);
        read(section);
        ++count;
    }
    return count;
}

}  // namespace nodex::config

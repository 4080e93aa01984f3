// Reading of TOML. toml++ is used header-only: Debian's library is built with exceptions. Without its
// assertions: version 3.3.0 asserts of "[$" what its next lines refuse with an error, and a slip in
// a file must not end a node that reloads it. (They are no assumptions either: NDEBUG is not set.)
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
#include <sstream>

namespace nodex::config {
namespace {

constexpr Error bad_configuration{ErrorCode::bad_configuration, ErrorSource::configuration};

const toml::node* node_of(const void* found) noexcept {
    return static_cast<const toml::node*>(found);
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

void Section::require(std::string_view key) {
    if (table_ == nullptr || !static_cast<const toml::table*>(table_)->contains(key))
        fail(key, "is missing");
}

void Section::fail(std::string_view key, const std::string& what) {
    if (problem_.empty()) problem_ = path_ + "." + std::string(key) + " " + what;
}

Section::~Section() {
    if (table_ == nullptr) return;
    for (const auto& [key, value] : *static_cast<const toml::table*>(table_))
        if (!known_.contains(key.str())) fail(key.str(), "is not a known setting");
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
            problem_ = std::string(key.str()) + " is not a known section";
}

Section File::section(std::string_view name) {
    return {parsed_->root[name].as_table(), std::string(name), problem_};
}

unsigned File::each(std::string_view name, const std::function<void(Section& section)>& read) {
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

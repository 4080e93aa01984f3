// A TOML file, read and checked: values of known keys with bounds, every other key refused (a
// misspelt limit must not silently be the default). The first problem is kept as a sentence that
// names line and key, and what is expected: "line 7: limits.body_byte is not a known setting; did
// you mean body_bytes?"
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/clock.h"
#include "edge/base/result.h"

namespace nodex::config {

// A word that a key may have, and what it stands for.
template <class Value>
struct Choice {
    std::string_view word;
    Value value;
    std::string_view meaning = "";  // said in brackets behind the word
};

// One table. A key that is absent leaves its target alone; keys that nobody asked for are a problem
// when the section is destroyed.
class Section {
  public:
    ~Section();
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

    void text(std::string_view key, std::string& target);
    void texts(std::string_view key, std::vector<std::string>& target);
    void flag(std::string_view key, bool& target);
    template <class Integer>
    void integer(std::string_view key, Integer& target, std::int64_t least, std::int64_t most) {
        if (const auto value = whole_number(key, least, most))
            target = static_cast<Integer>(*value);
    }
    void milliseconds(std::string_view key, Nanoseconds& target, std::int64_t least_ms,
                      std::int64_t most_ms);
    // One of these integers.
    void one_of(std::string_view key, std::initializer_list<int> values, int& target);
    // One of these words.
    template <class Value>
    void choice(std::string_view key, std::initializer_list<Choice<Value>> choices, Value& target) {
        std::string word, expected;
        text(key, word);
        if (word.empty() && !has(key)) return;
        for (const Choice<Value>& one : choices) {
            if (one.word == word) {
                target = one.value;
                return;
            }
            add_alternative(expected, "\"" + std::string(one.word) + "\"", one.meaning,
                            &one + 1 == choices.end());
        }
        fail(key, "must be " + expected);
    }
    // A table of strings; `what`: the sentence when it is something else.
    void text_map(std::string_view key, const char* what,
                  std::map<std::string, std::string>& target);

    void require(std::string_view key);
    void fail(std::string_view key, const std::string& what);
    [[nodiscard]] bool present() const noexcept { return table_ != nullptr; }

  private:
    friend class File;
    Section(const void* table, std::string path, std::string& problem)
        : table_(table), path_(std::move(path)), problem_(problem) {}
    std::optional<std::int64_t> whole_number(std::string_view key, std::int64_t least,
                                             std::int64_t most);
    [[nodiscard]] const void* find(std::string_view key);
    [[nodiscard]] bool has(std::string_view key) const;
    static void add_alternative(std::string& sentence, const std::string& value,
                                std::string_view meaning, bool last);

    const void* table_;  // toml::table, null: absent
    const std::string path_;
    std::string& problem_;
    std::set<std::string, std::less<>> known_;
};

class File {
  public:
    // `problem` outlives the file and its sections; it is emptied first. bad_configuration when the
    // file cannot be read or is no TOML.
    static Result<std::unique_ptr<File>> load(const std::string& path, std::string& problem);
    ~File();

    // Refuses tables beside these.
    void only(std::initializer_list<std::string_view> names);
    // [name]; a problem when the file has something else of that name.
    [[nodiscard]] Section section(std::string_view name);
    // Each of [[name]], in their order; answers how many. A problem as above.
    unsigned each(std::string_view name, const std::function<void(Section& section)>& read);
    [[nodiscard]] std::string& problem() noexcept { return problem_; }

  private:
    struct Parsed;
    explicit File(std::unique_ptr<Parsed> parsed, std::string& problem);
    std::unique_ptr<Parsed> parsed_;
    std::string& problem_;
};

}  // namespace nodex::config

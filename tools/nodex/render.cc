// Flattening JSON into cells, and laying the cells out.
#include "tools/nodex/render.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "tools/nodex/readable.h"

namespace nodex::cli {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::size_t cell_columns_max = 60;

// Octets of the well-formed UTF-8 sequence that starts `text`; 0 when there is none.
std::size_t sequence_octets(std::string_view text) {
    const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = octet(0);
    if (lead < 0x80) return 1;
    const std::size_t size = lead >= 0xF0 && lead <= 0xF4 ? 4
                             : lead >= 0xE0               ? 3
                             : lead >= 0xC2               ? 2
                                                          : 0;
    if (size == 0 || lead > 0xF4 || text.size() < size) return 0;
    for (std::size_t i = 1; i < size; ++i)
        if ((octet(i) & 0xC0) != 0x80) return 0;
    // Overlong forms, surrogates and values above U+10FFFF (RFC 3629 section 4).
    const std::uint8_t second = octet(1);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) return 0;
    if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return 0;
    return size;
}

bool is_control(std::string_view sequence) {
    const auto lead = static_cast<std::uint8_t>(sequence[0]);
    if (sequence.size() == 1) return lead < 0x20 || lead == 0x7F;
    return lead == 0xC2 && static_cast<std::uint8_t>(sequence[1]) < 0xA0;  // U+0080..U+009F
}

// Code points: good enough a width for columns of identifiers and numbers.
std::size_t columns(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<std::uint8_t>(c) & 0xC0) != 0x80;
    }));
}

std::string cut(std::string text) {
    if (columns(text) <= cell_columns_max) return text;
    std::size_t octets = 0;
    for (std::size_t shown = 0; shown < cell_columns_max - 3; ++shown)
        octets += std::max<std::size_t>(sequence_octets(std::string_view(text).substr(octets)), 1);
    text.resize(octets);
    return text + "...";
}

using Cells = std::vector<std::pair<std::string, std::string>>;  // name, text

bool is_list_of_scalars(const Json& value) {
    return value.kind() == Json::Kind::array &&
           std::all_of(value.items().begin(), value.items().end(),
                       [](const Json& item) { return item.is_scalar(); });
}

// Appends the scalars below `value`; lists of objects are the caller's.
void flatten(const Json& value, const std::string& prefix, Cells& cells) {
    for (const JsonMember& member : value.members()) {
        const std::string_view name = member.name;
        if (name.ends_with("_nano") && value.find(name.substr(0, name.size() - 5)) != nullptr)
            continue;
        if (is_noise(member)) continue;
        const std::string own = readable_name(member);
        const std::string full = printable(prefix.empty() ? own : prefix + "." + own, false);
        if (member.value.is_scalar() || is_list_of_scalars(member.value))
            cells.emplace_back(full, printable(readable(member), false));
        else if (member.value.kind() == Json::Kind::object)
            flatten(member.value, full, cells);
    }
}

const Json* list_of_objects(const Json& value) {
    if (value.kind() == Json::Kind::array) return is_list_of_scalars(value) ? nullptr : &value;
    for (const JsonMember& member : value.members())
        if (member.value.kind() == Json::Kind::array && !is_list_of_scalars(member.value))
            return &member.value;
    return nullptr;
}

void append_padded(std::string& line, const std::string& text, std::size_t width) {
    line += text;
    line.append(width - columns(text) + 2, ' ');
}

void append_line(std::string& target, std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    target += line + '\n';
}

std::string table(const Json& list) {
    std::vector<Cells> rows;
    std::vector<std::pair<std::string, std::size_t>> heads;  // name, width
    for (const Json& item : list.items()) {
        Cells& row = rows.emplace_back();
        flatten(item, "", row);
        for (auto& [name, text] : row) {
            text = cut(std::move(text));
            auto head = std::find_if(heads.begin(), heads.end(),
                                     [&](const auto& h) { return h.first == name; });
            if (head == heads.end()) head = heads.insert(heads.end(), {name, columns(name)});
            head->second = std::max(head->second, columns(text));
        }
    }
    std::string target;
    std::string line;
    for (const auto& [name, width] : heads) append_padded(line, name, width);
    append_line(target, std::move(line));
    for (const Cells& row : rows) {
        line.clear();
        for (const auto& [name, width] : heads) {
            const auto cell = std::find_if(row.begin(), row.end(),
                                           [&](const auto& c) { return c.first == name; });
            append_padded(line, cell == row.end() ? std::string() : cell->second, width);
        }
        append_line(target, std::move(line));
    }
    return target;
}

std::string name_value_lines(const Cells& cells) {
    std::size_t width = 0;
    for (const auto& [name, text] : cells) width = std::max(width, columns(name));
    std::string target;
    for (const auto& [name, text] : cells) {
        std::string line;
        append_padded(line, name, width);
        append_line(target, line + text);
    }
    return target;
}

constexpr std::array paging{"has_more", "next_cursor", "first_id", "last_id"};

bool is_of_paging(std::string_view name) {
    return std::find(paging.begin(), paging.end(), name) != paging.end();
}

// How to get the rows after these; nothing when there are none. Lists are paged by a cursor, or by
// the identifier that stands first in a row.
std::string page_after(const Json& value, const Json& list) {
    const std::string_view next = value.text_of("next_cursor");
    if (!next.empty()) return "--cursor " + printable(next, false);
    if (value.text_of("has_more") != "true" || list.items().empty()) return {};
    const Json& last = list.items().back();
    return last.members().empty()
               ? std::string()
               : "--after " + printable(last.members().front().value.text(), false);
}

}  // namespace

std::string printable(std::string_view text, bool lines) {
    std::string target;
    target.reserve(text.size());
    while (!text.empty()) {
        const std::size_t octets = sequence_octets(text);
        const std::string_view sequence = text.substr(0, std::max<std::size_t>(octets, 1));
        const bool kept_control = lines && (sequence == "\n" || sequence == "\t");
        const bool unfit = octets == 0 || (is_control(sequence) && !kept_control);
        target += unfit ? replacement : sequence;
        text.remove_prefix(sequence.size());
    }
    return target;
}

std::string people(const Json& value) {
    if (value.is_scalar()) return printable(value.text(), true) + '\n';
    const Json* list = list_of_objects(value);
    Cells beside;
    flatten(value, "", beside);
    if (list == nullptr) return beside.empty() ? "nothing\n" : name_value_lines(beside);
    const std::string more = page_after(value, *list);
    std::erase_if(beside, [](const auto& cell) { return is_of_paging(cell.first); });
    std::string text = list->items().empty() ? "nothing\n" : table(*list);
    if (!beside.empty()) text += '\n' + name_value_lines(beside);
    if (!more.empty()) text += "\nThere is more: " + more + '\n';
    return text;
}

}  // namespace nodex::cli

// Days are counted by the standard's calendar; only the digits are ours.
#include "tools/nodex/times.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace nodex::cli {

namespace {

constexpr std::size_t seconds_digits_max = 11;  // up to the year 5138
constexpr std::int64_t seconds_a_day = 86'400;

// A field of exactly so many digits, which it takes off; below zero when there is none.
int take_digits(std::string_view& text, std::size_t count) {
    int value = -1;
    if (text.size() < count) return -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + count, value);
    if (error != std::errc() || end != text.data() + count || text.front() == '-') return -1;
    text.remove_prefix(count);
    return value;
}

bool take(std::string_view& text, char wanted) {
    if (!text.starts_with(wanted)) return false;
    text.remove_prefix(1);
    return true;
}

std::optional<std::int64_t> take_day(std::string_view& text) {
    const int year = take_digits(text, 4);
    if (year < 1970 || !take(text, '-')) return std::nullopt;
    const int month = take_digits(text, 2);
    if (month < 0 || !take(text, '-')) return std::nullopt;
    const int day = take_digits(text, 2);
    if (day < 0) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date).time_since_epoch().count() * seconds_a_day;
}

std::optional<std::int64_t> take_time_of_day(std::string_view& text) {
    const int hour = take_digits(text, 2);
    if (hour < 0 || hour > 23 || !take(text, ':')) return std::nullopt;
    const int minute = take_digits(text, 2);
    if (minute < 0 || minute > 59 || !take(text, ':')) return std::nullopt;
    const int second = take_digits(text, 2);
    if (second < 0 || second > 59) return std::nullopt;
    return hour * 3'600 + minute * 60 + second;
}

}  // namespace

std::optional<std::int64_t> unix_seconds(std::string_view text) {
    if (text.size() <= seconds_digits_max && text.find_first_not_of("0123456789") == text.npos) {
        std::int64_t seconds = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
        return error == std::errc() ? std::optional(seconds) : std::nullopt;
    }
    const std::optional<std::int64_t> day = take_day(text);
    if (!day || text.empty()) return day;
    if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
    const std::optional<std::int64_t> time = take_time_of_day(text);
    if (!time || text != "Z") return std::nullopt;
    return *day + *time;
}

std::optional<std::string> utc_text(std::int64_t seconds) {
    constexpr std::int64_t year_10000 = 253'402'300'800;
    if (seconds < 0 || seconds >= year_10000) return std::nullopt;
    const std::chrono::sys_days day{std::chrono::days(seconds / seconds_a_day)};
    const std::chrono::year_month_day date(day);
    const auto second_of_day = static_cast<unsigned>(seconds % seconds_a_day);
    std::array<char, 32> text{};
    const int size = std::snprintf(
        text.data(), text.size(), "%04d-%02u-%02u %02u:%02u:%02uZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        second_of_day / 3'600, second_of_day / 60 % 60, second_of_day % 60);
    return std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace nodex::cli

// The Date field: IMF-fixdate of RFC 9110 section 5.6.7.
#include "edge/http/http_date.h"

#include <array>
#include <chrono>
#include <cstdio>

#include "edge/base/result.h"

namespace nodex::http {

std::string http_date(std::int64_t unix_s) {
    NX_ASSERT(unix_s >= 0 && unix_s < 253'402'300'800);
    static constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::chrono::sys_seconds instant{std::chrono::seconds(unix_s)};
    const auto day = std::chrono::floor<std::chrono::days>(instant);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(instant - day);
    std::array<char, 40> text;
    const int size =
        std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                      days[std::chrono::weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                      months[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                      static_cast<int>(time.seconds().count()));
    NX_ASSERT(size == 29);
    return std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace nodex::http

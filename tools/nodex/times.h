// Times as people type and read them. Always UTC: operators of several regions read the same line.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nodex::cli {

// What to tell who typed none of these.
inline constexpr std::string_view time_forms =
    "a day such as 2026-11-30, a time such as 2026-11-30T08:00:00Z, or seconds since 1970";

// Seconds since 1970 of a day (its first second), of an RFC 3339 time in UTC to the second, or of
// digits that are such seconds already (at most 11). Nothing for any other text, and for days that
// no month has.
std::optional<std::int64_t> unix_seconds(std::string_view text);

// "2026-11-30 08:00:00Z" (RFC 3339, section 5.6, with a space for the T). Nothing past the year
// 9999 or before 1970.
std::optional<std::string> utc_text(std::int64_t seconds);

}  // namespace nodex::cli

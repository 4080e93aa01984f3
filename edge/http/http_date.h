// The Date field: IMF-fixdate of RFC 9110 section 5.6.7. Pure, and free of the C library's locale and time
// zone.
#pragma once
#include <cstdint>
#include <string>

namespace nodex::http {

// 784111777 -> "Sun, 06 Nov 1994 08:49:37 GMT". `unix_s` not negative, before the year 10000.
std::string http_date(std::int64_t unix_s);

}  // namespace nodex::http

// The process log: one JSON object a line on standard error, each an event name and fields. Client
// text is escaped; secrets, prompts and keys never go in (a key is named by its KeyId).
// Thread-safe, written by a background thread, bounded: when the queue is full the oldest entries
// are dropped and counted.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "edge/base/result.h"

namespace nodex::log {

enum class Level : std::uint8_t { debug, info, warning, error };

// A named value; text is copied before write() returns.
struct Field {
    std::string_view name;
    std::string text;
    bool quoted;
    Field(std::string_view field_name, std::string_view value)
        : name(field_name), text(value), quoted(true) {}
    Field(std::string_view field_name, const char* value)
        : name(field_name), text(value), quoted(true) {}
    Field(std::string_view field_name, const std::string& value)
        : name(field_name), text(value), quoted(true) {}
    Field(std::string_view field_name, std::int64_t value)
        : name(field_name), text(std::to_string(value)), quoted(false) {}
    Field(std::string_view field_name, std::uint64_t value)
        : name(field_name), text(std::to_string(value)), quoted(false) {}
    Field(std::string_view field_name, int value)
        : name(field_name), text(std::to_string(value)), quoted(false) {}
    Field(std::string_view field_name, unsigned value)
        : name(field_name), text(std::to_string(value)), quoted(false) {}
    Field(std::string_view field_name, Error error)
        : name(field_name), text(nodex::name(error.code)), quoted(true) {}
};

// Before start() and after stop() lines are written directly. `level` is the least that is written.
void start(Level level);
void stop();  // no other thread may write any more
void set_level(Level level) noexcept;  // any thread
// Waits until what was written before is out, at most 2 s: for a process that ends without stop(), because
// threads of it still write.
void flush() noexcept;
void write(Level level, std::string_view event, std::initializer_list<Field> fields = {});

inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
    write(Level::info, event, fields);
}
inline void warning(std::string_view event, std::initializer_list<Field> fields = {}) {
    write(Level::warning, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
    write(Level::error, event, fields);
}

// One finished request, already a JSON line without its newline: to the access log file or, where
// none is configured, nowhere. Called on loops: gathers a block of lines a thread, gives it to the
// background thread when it is full, never blocks. When that one's queue is full the oldest blocks
// are dropped and counted.
// Any thread, after start(); "-" is standard output, "" none. A file is appended to; opening the same path
// again goes on in a new file where the old one was renamed. io_failure(kernel): nothing changes.
Status open_access_log(const std::string& path);
void access(std::string_view line) noexcept;
// What the calling thread has gathered, to the file, soon. Every thread that calls access() calls it
// about once a second and before it ends.
void flush_access() noexcept;
[[nodiscard]] std::uint64_t dropped_count() noexcept;

// Appends `text` with JSON string escapes (everything below 0x20, '"', '\\', 0x7f and up as
// \u00XX).
void append_escaped(std::string& target, std::string_view text);

}  // namespace nodex::log

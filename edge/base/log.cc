// The process log and the access log, on spdlog's background thread.
#include "edge/base/log.h"

#include <spdlog/async.h>

#include <atomic>
#include <memory>

#include "edge/base/log_sink.h"
#include "edge/base/thread_role.h"

namespace nodex::log {
namespace {

// Entries waiting for the background thread; the oldest are overwritten beyond it, and counted. With full
// blocks of access lines that is 64 MiB at most.
constexpr std::size_t queue_entries = 4'096;
constexpr std::size_t access_block_bytes = 16 * 1024;
// For flush(): the most that a start which failed waits for its own last lines.
constexpr Nanoseconds flush_limit = 2 * second;

// Access lines of this thread that the background thread has not been given yet. In blocks, because each
// entry of its queue wakes it, which costs more than writing a line.
thread_local std::string access_block;

// Shared by the writers of a process. The loggers are replaced only by start() and stop(), which run before
// the other threads start and after they have ended; level and files change at any time.
struct Sinks {
    std::shared_ptr<spdlog::details::thread_pool> pool;
    std::shared_ptr<FileSink> process_file;
    std::shared_ptr<FileSink> access_file;
    std::shared_ptr<spdlog::logger> process;
    std::shared_ptr<spdlog::logger> access;
    std::atomic<bool> access_wanted{false};
    std::atomic<Level> level{Level::info};
};
Sinks& sinks() {
    static Sinks instance;
    return instance;
}

const char* name(Level level) noexcept {
    switch (level) {
        case Level::debug: return "debug";
        case Level::info: return "info";
        case Level::warning: return "warning";
        case Level::error: return "error";
    }
    return "unknown";
}

std::shared_ptr<spdlog::logger> make_logger(const char* logger_name, spdlog::sink_ptr sink) {
    auto logger = std::make_shared<spdlog::async_logger>(
        logger_name, std::move(sink), sinks().pool, spdlog::async_overflow_policy::overrun_oldest);
    logger->set_level(spdlog::level::trace);
    return logger;
}

void hand_over_access() noexcept {
    sinks().access->log(spdlog::level::debug,
                        spdlog::string_view_t(access_block.data(), access_block.size()));
    access_block.clear();
}

}  // namespace

void start(Level level) {
    Sinks& all = sinks();
    all.level = level;
    all.pool = std::make_shared<spdlog::details::thread_pool>(
        queue_entries, 1, [] { begin_helper_thread("nodex-log"); });
    all.process_file = std::make_shared<FileSink>(FileSink::Flushing::each_line);
    all.process_file->use_standard_error();
    all.process = make_logger("process", all.process_file);
    all.access_file = std::make_shared<FileSink>(FileSink::Flushing::when_told);
    all.access = make_logger("access", all.access_file);
}

void set_level(Level level) noexcept {
    sinks().level.store(level, std::memory_order_relaxed);
}

void flush() noexcept {
    if (!sinks().process) return;
    const std::uint64_t seen = sinks().process_file->flushes();
    sinks().process->flush();
    sinks().process_file->wait_flushed(seen, flush_limit);
}

void stop() {
    flush_access();
    sinks().access_wanted = false;
    sinks().pool.reset();  // joins the thread after the queue is written: nobody else uses the loggers then
    sinks().access.reset();
    sinks().process.reset();
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
    if (level < sinks().level.load(std::memory_order_relaxed)) return;
    std::string line = "{\"time\":";
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    line += std::to_string(now.tv_sec);
    const std::string millis = std::to_string(now.tv_nsec / 1'000'000);
    line += '.';
    line.append(3 - millis.size(), '0').append(millis);
    line += ",\"level\":\"";
    line += name(level);
    line += "\",\"event\":\"";
    append_escaped(line, event);
    line += '"';
    for (const Field& field : fields) {
        line += ",\"";
        append_escaped(line, field.name);
        line += "\":";
        if (field.quoted) line += '"';
        append_escaped(line, field.text);
        if (field.quoted) line += '"';
    }
    line += '}';
    if (sinks().process)
        sinks().process->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
    else
        std::fprintf(stderr, "%s\n", line.c_str());
}

Status open_access_log(const std::string& path) {
    NX_ASSERT(sinks().pool != nullptr);
    Status opened = sinks().access_file->open(path);
    if (opened) sinks().access_wanted = !path.empty();
    return opened;
}

void access(std::string_view line) noexcept {
    if (!sinks().access_wanted.load(std::memory_order_relaxed)) return;
    if (!access_block.empty()) access_block += '\n';
    access_block += line;
    if (access_block.size() >= access_block_bytes) hand_over_access();
}

void flush_access() noexcept {
    if (!sinks().access_wanted.load(std::memory_order_relaxed)) return access_block.clear();
    if (!access_block.empty()) hand_over_access();
    sinks().access->flush();
}

std::uint64_t dropped_count() noexcept {
    return sinks().pool ? sinks().pool->overrun_counter() : 0;
}

void append_escaped(std::string& target, std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            target.push_back('\\');
            target.push_back(c);
        } else if (octet < 0x20 || octet >= 0x7f) {
            target += "\\u00";
            target.push_back(digits[octet >> 4]);
            target.push_back(digits[octet & 15]);
        } else {
            target.push_back(c);
        }
    }
}

}  // namespace nodex::log

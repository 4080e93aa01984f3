// The process log and the access log, on spdlog's background thread.
#include "edge/base/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>
#include <mutex>

#include "edge/base/thread_role.h"

namespace nodex::log {
namespace {

// Entries waiting for the background thread; the oldest are overwritten beyond it, and counted. With full
// blocks of access lines that is 64 MiB at most.
constexpr std::size_t queue_entries = 4'096;
constexpr std::size_t access_block_bytes = 16 * 1024;

// Access lines of this thread that the background thread has not been given yet. In blocks, because each
// entry of its queue wakes it, which costs more than writing a line.
thread_local std::string access_block;

// Shared by the writers of a process; replaced only by start(), stop() and open_access_log(), which
// run before the loops start and after they have ended.
struct Sinks {
    std::shared_ptr<spdlog::details::thread_pool> pool;
    std::shared_ptr<spdlog::logger> process;
    std::shared_ptr<spdlog::logger> access;
    Level level = Level::info;
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
    logger->set_pattern("%v");
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
    sinks().level = level;
    sinks().pool = std::make_shared<spdlog::details::thread_pool>(
        queue_entries, 1, [] { begin_helper_thread("nodex-log"); });
    sinks().process = make_logger("process", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    sinks().process->flush_on(spdlog::level::info);
}

void stop() {
    flush_access();
    sinks().pool.reset();  // joins the thread after the queue is written: nobody else uses the loggers then
    sinks().access.reset();
    sinks().process.reset();
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
    if (level < sinks().level) return;
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

void open_access_log(const std::string& path) {
    NX_ASSERT(sinks().pool != nullptr);
    spdlog::sink_ptr sink;
    if (path == "-")
        sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
    else
        sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    sinks().access = make_logger("access", std::move(sink));
}

void access(std::string_view line) noexcept {
    if (!sinks().access) return;
    if (!access_block.empty()) access_block += '\n';
    access_block += line;
    if (access_block.size() >= access_block_bytes) hand_over_access();
}

void flush_access() noexcept {
    if (!sinks().access) return;
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

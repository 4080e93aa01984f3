// FileSink: where the log's thread writes lines. Its file can be exchanged while lines are being written, so
// a reload needs no other logger. Private to log.cc.
#pragma once
#include <spdlog/sinks/sink.h>

#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>

#include "edge/base/clock.h"
#include "edge/base/result.h"

namespace nodex::log {

class FileSink final : public spdlog::sinks::sink {
  public:
    enum class Flushing { each_line, when_told };
    explicit FileSink(Flushing flushing) noexcept : flushing_(flushing) {}

    // "-": standard output; "": nowhere; else a file that is appended to, made with mode 0640. The same path
    // opens it anew, which is what a rotation by renaming needs. Any thread. io_failure(kernel): the
    // file that was open stays in use.
    Status open(const std::string& path);
    void use_standard_error() noexcept;
    // Waits until the log's thread has come to a flush() that was asked for after `seen` of them, or for
    // `limit`: where the queue is full that request itself may be lost.
    [[nodiscard]] std::uint64_t flushes() const noexcept;
    void wait_flushed(std::uint64_t seen, Nanoseconds limit) noexcept;

    // The log's thread.
    void log(const spdlog::details::log_msg& message) override;
    void flush() override;
    void set_pattern(const std::string&) override {}  // lines come whole
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  private:
    struct Close {
        void operator()(std::FILE* file) const noexcept {
            if (file != stdout && file != stderr) std::fclose(file);
        }
    };
    const Flushing flushing_;
    mutable std::mutex mutex_;
    std::condition_variable flushed_;
    std::unique_ptr<std::FILE, Close> file_;  // null: lines are dropped
    std::uint64_t flushes_count_ = 0;
};

}  // namespace nodex::log

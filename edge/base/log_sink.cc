// Files of log lines.
#include "edge/base/log_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace nodex::log {

Status FileSink::open(const std::string& path) {
    std::FILE* opened = nullptr;
    if (path == "-") {
        opened = stdout;
    } else if (!path.empty()) {
        constexpr mode_t mode = S_IRUSR | S_IWUSR | S_IRGRP;
        const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode);
        if (fd >= 0) opened = ::fdopen(fd, "a");
        if (opened == nullptr) {
            const int os_errno = errno;
            if (fd >= 0) ::close(fd);
            return Error{ErrorCode::io_failure, ErrorSource::kernel, false, os_errno};
        }
    }
    const std::lock_guard guard(mutex_);
    file_.reset(opened);  // what the old one had buffered is written by its close
    return {};
}

void FileSink::use_standard_error() noexcept {
    const std::lock_guard guard(mutex_);
    file_.reset(stderr);
}

void FileSink::log(const spdlog::details::log_msg& message) {
    const std::lock_guard guard(mutex_);
    if (file_ == nullptr) return;
    // A full disk loses lines, never the process.
    (void)std::fwrite(message.payload.data(), 1, message.payload.size(), file_.get());
    (void)std::fputc('\n', file_.get());
    if (flushing_ == Flushing::each_line) (void)std::fflush(file_.get());
}

void FileSink::flush() {
    {
        const std::lock_guard guard(mutex_);
        if (file_ != nullptr) (void)std::fflush(file_.get());
        ++flushes_count_;
    }
    flushed_.notify_all();
}

std::uint64_t FileSink::flushes() const noexcept {
    const std::lock_guard guard(mutex_);
    return flushes_count_;
}

void FileSink::wait_flushed(std::uint64_t seen, Nanoseconds limit) noexcept {
    std::unique_lock guard(mutex_);
    flushed_.wait_for(guard, std::chrono::nanoseconds(limit), [&] { return flushes_count_ > seen; });
}

}  // namespace nodex::log

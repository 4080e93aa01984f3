// Result, Error and NX_ASSERT: how every folder reports failure.
// An expected failure (anything a client, provider, disk, centre or operator can cause) is a
// Result; our own mistake is NX_ASSERT, which stays on in release builds.
#pragma once
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#define NX_ASSERT(cond) ((cond) ? (void)0 : ::nodex::assert_failed(#cond, __FILE__, __LINE__))

namespace nodex {

[[noreturn]] void assert_failed(const char* condition, const char* file, int line) noexcept;

// What failed. The text for people is in error_text(); the HTTP status of a client error is
// api/errors.h.
enum class ErrorCode : std::uint16_t {
    none,
    cancelled,           // we asked for it to stop
    timed_out,           // a deadline of ours passed
    peer_closed,         // orderly end of the byte stream
    connection_reset,    // RST, or TLS ended without close_notify in the middle of a message
    connection_refused,  // nobody listens, or no route
    name_not_found,      // DNS has no address
    limit_exceeded,      // one of ours, see limits.h
    malformed,           // bytes that break their grammar
    unsupported,         // understood and refused
    not_found,
    already_exists,
    forbidden,
    overflow,  // integer arithmetic would overflow
    insufficient_funds,
    stale,    // an older generation, epoch or version
    corrupt,  // stored bytes fail their check
    storage_full,
    storage_failed,  // write or fsync failed: the store refuses everything from here on
    tls_handshake_failed,
    tls_certificate_invalid,
    no_buffers,  // the provided-buffer ring is empty: re-arm later
    out_of_descriptors,
    io_failure,  // an errno nobody listed; see os_errno
    bad_configuration,
    unavailable,  // the other side cannot be reached now
};

// Whose fault it was: decides who is told and whether a retry elsewhere makes sense.
enum class ErrorSource : std::uint8_t {
    self,
    client,
    provider,
    central,
    kernel,
    tls,
    storage,
    configuration
};

// 8 bytes, trivially copyable: passing one costs a register. Text is made when it is logged.
struct Error {
    ErrorCode code = ErrorCode::none;
    ErrorSource source = ErrorSource::self;
    bool retryable = false;
    std::int32_t os_errno = 0;  // the kernel's errno if the kernel said so, else 0
};
static_assert(sizeof(Error) == 8);
static_assert(std::is_trivially_copyable_v<Error>);

// Stable snake_case names for logs and metrics; static storage.
const char* name(ErrorCode code) noexcept;
const char* name(ErrorSource source) noexcept;

// Either a T or an Error. Member names follow std::expected, so that a later compiler can replace
// it by an alias. Move-only; reading the absent side is an assertion.
template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) noexcept : has_value_(true) { new (&value_) T(std::move(value)); }
    Result(Error error) noexcept : has_value_(false), error_(error) {}
    Result(Result&& other) noexcept : has_value_(other.has_value_) {
        if (has_value_)
            new (&value_) T(std::move(other.value_));
        else
            error_ = other.error_;
    }
    Result& operator=(Result&& other) noexcept {
        if (this == &other) return *this;
        this->~Result();
        return *new (this) Result(std::move(other));
    }
    Result(const Result&) = delete;
    Result& operator=(const Result&) = delete;
    ~Result() {
        if (has_value_) value_.~T();
    }

    [[nodiscard]] bool has_value() const noexcept { return has_value_; }
    explicit operator bool() const noexcept { return has_value_; }
    [[nodiscard]] T& operator*() & noexcept {
        NX_ASSERT(has_value_);
        return value_;
    }
    [[nodiscard]] const T& operator*() const& noexcept {
        NX_ASSERT(has_value_);
        return value_;
    }
    [[nodiscard]] T&& operator*() && noexcept {
        NX_ASSERT(has_value_);
        return std::move(value_);
    }
    [[nodiscard]] T* operator->() noexcept {
        NX_ASSERT(has_value_);
        return &value_;
    }
    [[nodiscard]] const T* operator->() const noexcept {
        NX_ASSERT(has_value_);
        return &value_;
    }
    [[nodiscard]] Error error() const noexcept {
        NX_ASSERT(!has_value_);
        return error_;
    }

  private:
    bool has_value_;
    union {
        T value_;
        Error error_;
    };
};

// A Result without a value: success or an Error.
template <>
class [[nodiscard]] Result<void> {
  public:
    Result() noexcept = default;
    Result(Error error) noexcept : error_(error) { NX_ASSERT(error.code != ErrorCode::none); }
    [[nodiscard]] bool has_value() const noexcept { return error_.code == ErrorCode::none; }
    explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] Error error() const noexcept {
        NX_ASSERT(!has_value());
        return error_;
    }

  private:
    Error error_{};
};
using Status = Result<void>;

}  // namespace nodex

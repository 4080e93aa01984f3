// Knows where the body of one message ends.
#include "edge/http/body_framing.h"

#include <algorithm>

#include "edge/base/limits.h"
#include "edge/http/field_lines.h"

namespace nodex::http {
namespace {

constexpr unsigned size_digits_max = 8;

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::size_t ChunkFraming::take(Bytes bytes) noexcept {
    std::size_t index = 0;
    while (index < bytes.size() && phase_ != Phase::complete && phase_ != Phase::malformed) {
        if (phase_ == Phase::data) {
            const std::uint64_t taken = std::min<std::uint64_t>(size_, bytes.size() - index);
            index += taken;
            size_ -= taken;
            if (size_ == 0) phase_ = Phase::data_cr;
            continue;
        }
        phase_ = after(bytes[index++]);
    }
    return index;
}

ChunkFraming::Phase ChunkFraming::after(char c) noexcept {
    switch (phase_) {
        case Phase::size: return after_size(c);
        case Phase::extension: return after_extension(c);
        case Phase::size_lf: return c == '\n' ? after_size_line() : Phase::malformed;
        case Phase::data_cr: return c == '\r' ? Phase::data_lf : Phase::malformed;
        case Phase::data_lf: return c == '\n' ? Phase::size : Phase::malformed;
        case Phase::last_lf: return c == '\n' ? Phase::complete : Phase::malformed;
        case Phase::trailer_start:
        case Phase::trailer_name:
        case Phase::trailer_value:
        case Phase::trailer_lf: return after_trailer(c);
        case Phase::data:
        case Phase::complete:
        case Phase::malformed: break;
    }
    NX_ASSERT(false);
    return Phase::malformed;
}

ChunkFraming::Phase ChunkFraming::after_size(char c) noexcept {
    const int digit = hex_digit(c);
    if (digit >= 0) {
        if (digits_count_ == size_digits_max) return Phase::malformed;
        ++digits_count_;
        size_ = size_ * 16 + static_cast<std::uint64_t>(digit);
        return Phase::size;
    }
    if (digits_count_ == 0) return Phase::malformed;
    if (c == '\r') return Phase::size_lf;
    if (c != ';') return Phase::malformed;
    extension_line_bytes_ = 0;
    return after_extension(c);
}

ChunkFraming::Phase ChunkFraming::after_size_line() noexcept {
    digits_count_ = 0;
    return size_ == 0 ? Phase::trailer_start : Phase::data;
}

// Ignored, as RFC 9112 section 7.1.1 asks, but neither free of form nor of bounds.
ChunkFraming::Phase ChunkFraming::after_extension(char c) noexcept {
    if (c == '\r') return Phase::size_lf;
    if (!is_field_value(Bytes(&c, 1))) return Phase::malformed;
    ++extension_line_bytes_;
    ++extension_body_bytes_;
    if (extension_line_bytes_ > limits::chunk_extension_line_bytes_max) return Phase::malformed;
    if (extension_body_bytes_ > limits::chunk_extension_body_bytes_max) return Phase::malformed;
    return Phase::extension;
}

ChunkFraming::Phase ChunkFraming::after_trailer(char c) noexcept {
    if (phase_ == Phase::trailer_start && c == '\r') return Phase::last_lf;
    if (++trailer_bytes_ > limits::trailer_bytes_max) return Phase::malformed;
    if (phase_ == Phase::trailer_lf) return c == '\n' ? Phase::trailer_start : Phase::malformed;
    if (phase_ == Phase::trailer_value) {
        if (c == '\r') return Phase::trailer_lf;
        return is_field_value(Bytes(&c, 1)) ? Phase::trailer_value : Phase::malformed;
    }
    if (phase_ == Phase::trailer_name && c == ':') return Phase::trailer_value;
    return is_token(Bytes(&c, 1)) ? Phase::trailer_name : Phase::malformed;
}

void BodyFraming::begin(Kind kind, std::uint64_t length) noexcept {
    NX_ASSERT(kind == Kind::length || length == 0);
    kind_ = kind;
    remaining_bytes_ = length;
    chunks_ = ChunkFraming();
}

BodyFraming::Step BodyFraming::take(Bytes bytes) noexcept {
    switch (kind_) {
        case Kind::none: return {0, Verdict::complete};
        case Kind::until_end: return {bytes.size(), Verdict::need_more};
        case Kind::length: {
            const std::uint64_t taken = std::min<std::uint64_t>(remaining_bytes_, bytes.size());
            remaining_bytes_ -= taken;
            return {taken, remaining_bytes_ == 0 ? Verdict::complete : Verdict::need_more};
        }
        case Kind::chunked: {
            const std::size_t taken = chunks_.take(bytes);
            if (chunks_.phase() == ChunkFraming::Phase::complete) return {taken, Verdict::complete};
            const bool bad = chunks_.phase() == ChunkFraming::Phase::malformed;
            return {taken, bad ? Verdict::malformed : Verdict::need_more};
        }
    }
    NX_ASSERT(false);
    return {};
}

}  // namespace nodex::http

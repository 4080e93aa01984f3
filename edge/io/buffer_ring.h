// BufferRing: the receive buffers of one loop, lent to the kernel and handed out by it, one a receive.
// Taken once at start-up: count times size octets of address space, touched as they are used.
#pragma once
#include <cstddef>
#include <cstdint>

#include "edge/base/bytes.h"
#include "edge/base/result.h"

struct io_uring_buf_ring;

namespace nodex {

class Ring;

class BufferRing {
  public:
    // Registers `count` (a power of two, at most 32,768) buffers of `size` octets as `group`; before the
    // ring is restricted. Errors: limit_exceeded(kernel), unsupported(kernel), both logged.
    static Result<BufferRing> create(Ring& ring, std::uint16_t group, unsigned count,
                                     std::size_t size) noexcept;
    ~BufferRing();
    BufferRing(BufferRing&& other) noexcept;
    BufferRing& operator=(BufferRing&&) = delete;

    // What the kernel wrote into buffer `index`.
    [[nodiscard]] Bytes view(std::uint16_t index, std::size_t size) const noexcept;
    // Gives a buffer back; the kernel sees it after publish(), once a turn for all of them.
    void give_back(std::uint16_t index) noexcept;
    void publish() noexcept;

  private:
    BufferRing() = default;
    io_uring_buf_ring* entries_ = nullptr;  // shared with the kernel; null when moved from
    char* memory_ = nullptr;
    unsigned count_ = 0;
    std::size_t size_ = 0;
    int unpublished_ = 0;
};

}  // namespace nodex

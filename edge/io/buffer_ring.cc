// Mapping and registering the buffers. liburing 2.3 knows io_uring_register_buf_ring but not the later
// io_uring_setup_buf_ring, so the shared ring is mapped here.
#include "edge/io/buffer_ring.h"

#include <liburing.h>
#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <utility>

#include "edge/base/log.h"
#include "edge/io/ring.h"

namespace nodex {
namespace {

void* map_pages(std::size_t size) noexcept {
    void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    return pages == MAP_FAILED ? nullptr : pages;
}

}  // namespace

Result<BufferRing> BufferRing::create(Ring& ring, std::uint16_t group, unsigned count,
                                      std::size_t size) noexcept {
    NX_ASSERT(std::has_single_bit(count) && count <= 32'768);
    NX_ASSERT(size > 0 && size <= UINT32_MAX);
    BufferRing made;
    made.count_ = count;
    made.size_ = size;
    made.entries_ = static_cast<io_uring_buf_ring*>(map_pages(count * sizeof(io_uring_buf)));
    made.memory_ = static_cast<char*>(map_pages(count * size));
    if (made.entries_ == nullptr || made.memory_ == nullptr) {
        log::error("io_uring_unusable", {{"reason", "no memory for the receive buffers"}});
        return Error{ErrorCode::limit_exceeded, ErrorSource::kernel, false, ENOMEM};
    }
    io_uring_buf_ring_init(made.entries_);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(made.entries_);
    registration.ring_entries = count;
    registration.bgid = group;
    const int failed = io_uring_register_buf_ring(&ring.native(), &registration, 0);
    if (failed < 0) {
        log::error("io_uring_unusable",
                   {{"reason", "provided buffer rings are missing (Linux 5.19)"}, {"errno", -failed}});
        const ErrorCode code = failed == -ENOMEM ? ErrorCode::limit_exceeded : ErrorCode::unsupported;
        return Error{code, ErrorSource::kernel, false, -failed};
    }
    for (unsigned i = 0; i < count; ++i) made.give_back(static_cast<std::uint16_t>(i));
    made.publish();
    return made;
}

BufferRing::BufferRing(BufferRing&& other) noexcept
    : entries_(std::exchange(other.entries_, nullptr)),
      memory_(std::exchange(other.memory_, nullptr)),
      count_(other.count_),
      size_(other.size_),
      unpublished_(std::exchange(other.unpublished_, 0)) {}

// The owner closes the ring first, which ends the kernel's use of both mappings.
BufferRing::~BufferRing() {
    if (entries_ != nullptr) munmap(entries_, count_ * sizeof(io_uring_buf));
    if (memory_ != nullptr) munmap(memory_, count_ * size_);
}

Bytes BufferRing::view(std::uint16_t index, std::size_t size) const noexcept {
    NX_ASSERT(index < count_ && size <= size_);
    return {memory_ + index * size_, size};
}

void BufferRing::give_back(std::uint16_t index) noexcept {
    NX_ASSERT(index < count_);
    io_uring_buf_ring_add(entries_, memory_ + index * size_, static_cast<unsigned>(size_), index,
                          io_uring_buf_ring_mask(count_), unpublished_);
    ++unpublished_;
}

void BufferRing::publish() noexcept {
    if (unpublished_ == 0) return;
    io_uring_buf_ring_advance(entries_, unpublished_);
    unpublished_ = 0;
}

}  // namespace nodex

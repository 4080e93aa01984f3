// The process-wide secret random source: RAND_bytes, drawn in blocks. One call costs the same for 8 octets as
// for 512, and a paid request draws a dozen times (identifiers, nonces, keys of bodies).
#include <openssl/rand.h>
#include <pthread.h>

#include <atomic>

#include "edge/crypto/crypto.h"

namespace nodex::crypto {
namespace {

constexpr std::size_t block_bytes = 512;

// Counts forks in the child: what the parent has drawn must not be handed out a second time here.
std::atomic<std::uint64_t>& forks() noexcept {
    static std::atomic<std::uint64_t> count{0};
    [[maybe_unused]] static const int watched = ::pthread_atfork(
        nullptr, nullptr, [] { count.fetch_add(1, std::memory_order_relaxed); });
    return count;
}

// RAND_bytes draws from a per-thread generator seeded by the kernel; it ends the process rather than
// return without entropy, so there is no failure to report.
void draw(std::uint8_t* target, std::size_t size) noexcept {
    const int filled = RAND_bytes(target, size);
    NX_ASSERT(filled == 1);
}

// One a thread. An octet is handed out once and overwritten here; what is left is wiped with the thread.
class Block {
  public:
    Block() noexcept = default;
    ~Block() { cleanse(octets_.data(), octets_.size()); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    void take(std::uint8_t* target, std::size_t size) noexcept {
        const std::uint64_t forks_now = forks().load(std::memory_order_relaxed);
        if (left_ < size || drawn_after_forks_ != forks_now) {
            draw(octets_.data(), octets_.size());
            left_ = octets_.size();
            drawn_after_forks_ = forks_now;
        }
        std::uint8_t* const from = octets_.data() + (left_ - size);
        std::memcpy(target, from, size);
        cleanse(from, size);
        left_ -= size;
    }

  private:
    std::array<std::uint8_t, block_bytes> octets_{};
    std::size_t left_ = 0;  // at the front, not handed out yet
    std::uint64_t drawn_after_forks_ = 0;
};

class SecureRandom final : public Random {
  public:
    void fill(void* target, std::size_t size) noexcept override {
        constexpr std::size_t from_block_max = block_bytes / 8;  // more than that is worth a call of its own
        auto* const octets = static_cast<std::uint8_t*>(target);
        if (size > from_block_max) return draw(octets, size);
        thread_local Block block;
        block.take(octets, size);
    }
};

}  // namespace

Random& secure_random() noexcept {
    static SecureRandom random;
    return random;
}

}  // namespace nodex::crypto

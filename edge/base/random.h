// Randomness, injected. crypto/random.h has the real source; SeededRandom is for tests and the
// simulator.
#pragma once
#include <cstddef>
#include <cstdint>

namespace nodex {

class Random {
  public:
    virtual ~Random() = default;
    virtual void fill(void* target, std::size_t size) noexcept = 0;

    std::uint64_t next_u64() noexcept {
        std::uint64_t value = 0;
        fill(&value, sizeof value);
        return value;
    }
    // Uniform enough for jitter and choice: 0 <= result < bound, bound > 0.
    std::uint64_t below(std::uint64_t bound) noexcept {
        __extension__ using Product = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<Product>(next_u64()) * bound) >> 64);
    }
};

// splitmix64: reproducible from its seed, not secret.
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed) noexcept : state_(seed) {}
    void fill(void* target, std::size_t size) noexcept override {
        auto* out = static_cast<unsigned char*>(target);
        while (size > 0) {
            std::uint64_t word = step();
            for (int i = 0; i < 8 && size > 0; ++i, --size, word >>= 8)
                *out++ = static_cast<unsigned char>(word);
        }
    }

  private:
    std::uint64_t step() noexcept {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    std::uint64_t state_;
};

}  // namespace nodex

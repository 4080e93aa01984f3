// The process-wide secret random source.
#include <openssl/rand.h>

#include "edge/crypto/crypto.h"

namespace nodex::crypto {
namespace {

class SecureRandom final : public Random {
  public:
    // RAND_bytes draws from a per-thread generator seeded by the kernel; it ends the process rather than
    // return without entropy, so there is no failure to report.
    void fill(void* target, std::size_t size) noexcept override {
        const int filled = RAND_bytes(static_cast<std::uint8_t*>(target), size);
        NX_ASSERT(filled == 1);
    }
};

}  // namespace

Random& secure_random() noexcept {
    static SecureRandom random;
    return random;
}

}  // namespace nodex::crypto

// Making, recognising and hashing API keys.
#include "edge/crypto/api_key.h"

#include <algorithm>

namespace nodex::crypto {
namespace {

constexpr std::size_t digits_count = 43;
static_assert(api_key_prefix.size() + digits_count == api_key_bytes);
constexpr char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::uint32_t base = sizeof alphabet - 1;
static_assert(base == 62);

bool is_digit(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

}  // namespace

std::string make_api_key(Random& random) {
    std::array<std::uint32_t, 8> number;  // 256 bits, most significant word first
    random.fill(number.data(), sizeof number);
    std::string text(api_key_bytes, alphabet[0]);
    std::copy(api_key_prefix.begin(), api_key_prefix.end(), text.begin());
    for (std::size_t position = api_key_bytes; position-- > api_key_prefix.size();) {
        std::uint64_t remainder = 0;  // long division of `number` by 62, one word at a time
        for (std::uint32_t& word : number) {
            const std::uint64_t part = remainder << 32 | word;
            word = static_cast<std::uint32_t>(part / base);
            remainder = part % base;
        }
        text[position] = alphabet[remainder];
    }
    // 43 digits hold all 256 bits, so nothing may be left over.
    NX_ASSERT(std::all_of(number.begin(), number.end(), [](std::uint32_t word) { return word == 0; }));
    return text;
}

bool has_api_key_shape(Bytes text) noexcept {
    return text.size() == api_key_bytes && text.starts_with(api_key_prefix) &&
           std::all_of(text.begin() + static_cast<std::ptrdiff_t>(api_key_prefix.size()), text.end(),
                       is_digit);
}

KeyHash hash_api_key(const SecretKey& secret, Bytes text) noexcept {
    return KeyHash::from(view(hmac_sha256(secret.view(), text)));
}

}  // namespace nodex::crypto

// Session tickets sealed by keys of our own, which all cores and all reloads share.
//   ticket  key name[16] nonce[24] ciphertext tag[16]      XChaCha20-Poly1305, the key name as associated
//   data
// A random 24-byte nonce, not the 12 of AES-GCM: one key seals the tickets of 12 hours on every core, and
// nobody counts them.
#include "edge/tls/ticket_keys.h"

#include <openssl/aead.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <cstring>
#include <mutex>
#include <optional>

#include "edge/crypto/crypto.h"

namespace nodex::tls {
namespace {

constexpr Nanoseconds rotation_interval = 12 * 3600 * second;
constexpr std::size_t name_bytes = 16;
constexpr std::size_t nonce_bytes = 24;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t overhead_bytes = name_bytes + nonce_bytes + tag_bytes;

struct TicketKey {
    std::array<std::uint8_t, name_bytes> name{};
    crypto::SecretKey key;

    static TicketKey generate(Random& random) {
        TicketKey made;
        random.fill(made.name.data(), made.name.size());
        made.key = crypto::SecretKey::generate(random);
        return made;
    }
};

// One AEAD context on the stack: for ChaCha20 setting it up is a copy of the key.
class TicketCipher {
  public:
    explicit TicketCipher(const crypto::SecretKey& key) noexcept {
        const Bytes octets = key.view();
        const int made = EVP_AEAD_CTX_init(&context_, EVP_aead_xchacha20_poly1305(),
                                           reinterpret_cast<const std::uint8_t*>(octets.data()),
                                           octets.size(), tag_bytes, nullptr);
        NX_ASSERT(made == 1);
    }
    ~TicketCipher() {
        EVP_AEAD_CTX_cleanup(&context_);
        crypto::cleanse(&context_, sizeof context_);
    }
    TicketCipher(const TicketCipher&) = delete;
    TicketCipher& operator=(const TicketCipher&) = delete;
    [[nodiscard]] const EVP_AEAD_CTX* get() const noexcept { return &context_; }

  private:
    EVP_AEAD_CTX context_;
};

}  // namespace

struct TicketKeys::State {
    State(Random& random_source, Clock& clock_source)
        : random(random_source),
          clock(clock_source),
          current(TicketKey::generate(random_source)),
          rotated_ns(clock_source.now_ns()) {}

    // Called with `mutex` held, before every use: the promise of 24 h does not hang on somebody's timer.
    void rotate_if_due() {
        const Nanoseconds age = clock.now_ns() - rotated_ns;
        if (age < rotation_interval) return;
        previous.reset();
        if (age < 2 * rotation_interval) previous = current;
        current = TicketKey::generate(random);
        rotated_ns += age / rotation_interval * rotation_interval;
    }
    TicketKey sealing_key() {
        const std::lock_guard lock(mutex);
        rotate_if_due();
        return current;
    }
    std::optional<TicketKey> opening_key(const std::uint8_t* key_name) {
        const std::lock_guard lock(mutex);
        rotate_if_due();
        if (std::memcmp(key_name, current.name.data(), name_bytes) == 0) return current;
        if (previous && std::memcmp(key_name, previous->name.data(), name_bytes) == 0) return previous;
        return std::nullopt;
    }

    Random& random;  // thread-safe: any core may be the one that rotates
    Clock& clock;
    std::mutex mutex;  // held for a copy of 48 octets, once a handshake: a lock-free scheme would not be seen
    TicketKey current;
    std::optional<TicketKey> previous;
    Nanoseconds rotated_ns;
};

namespace {

int context_index() noexcept {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

TicketKeysAccess::State& state_of(SSL* connection);

std::size_t max_overhead(SSL*) {
    return overhead_bytes;
}

int seal(SSL* connection, std::uint8_t* out, std::size_t* out_bytes, std::size_t out_bytes_max,
         const std::uint8_t* in, std::size_t in_bytes) {
    if (out_bytes_max < in_bytes + overhead_bytes) return 0;
    auto& state = state_of(connection);
    const TicketKey key = state.sealing_key();
    // `in` may be `out`: the plaintext moves behind the prefix before the prefix is written.
    std::memmove(out + name_bytes + nonce_bytes, in, in_bytes);
    std::memcpy(out, key.name.data(), name_bytes);
    state.random.fill(out + name_bytes, nonce_bytes);
    std::uint8_t* body = out + name_bytes + nonce_bytes;
    std::size_t body_bytes = 0;
    const TicketCipher cipher(key.key);
    if (EVP_AEAD_CTX_seal(cipher.get(), body, &body_bytes, in_bytes + tag_bytes, out + name_bytes,
                          nonce_bytes, body, in_bytes, out, name_bytes) != 1)
        return 0;
    *out_bytes = name_bytes + nonce_bytes + body_bytes;
    return 1;
}

// A ticket that does not open is ignored, never an error: the client then does a full handshake.
ssl_ticket_aead_result_t open(SSL* connection, std::uint8_t* out, std::size_t* out_bytes,
                              std::size_t out_bytes_max, const std::uint8_t* in, std::size_t in_bytes) {
    if (in_bytes < overhead_bytes) return ssl_ticket_aead_ignore_ticket;
    const std::optional<TicketKey> key = state_of(connection).opening_key(in);
    if (!key) return ssl_ticket_aead_ignore_ticket;
    std::array<std::uint8_t, name_bytes + nonce_bytes> prefix;  // `out` may be `in`
    std::memcpy(prefix.data(), in, prefix.size());
    const std::size_t body_bytes = in_bytes - prefix.size();
    if (out_bytes_max < body_bytes) return ssl_ticket_aead_ignore_ticket;
    std::memmove(out, in + prefix.size(), body_bytes);
    const TicketCipher cipher(key->key);
    if (EVP_AEAD_CTX_open(cipher.get(), out, out_bytes, out_bytes_max, prefix.data() + name_bytes,
                          nonce_bytes, out, body_bytes, prefix.data(), name_bytes) != 1) {
        ERR_clear_error();
        return ssl_ticket_aead_ignore_ticket;
    }
    return ssl_ticket_aead_success;
}

constexpr SSL_TICKET_AEAD_METHOD ticket_method = {max_overhead, seal, open};

TicketKeysAccess::State& state_of(SSL* connection) {
    void* keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), context_index());
    NX_ASSERT(keys != nullptr);
    return TicketKeysAccess::state(*static_cast<TicketKeys*>(keys));
}

}  // namespace

TicketKeys::TicketKeys(Random& random, Clock& clock) : state_(std::make_unique<State>(random, clock)) {}
TicketKeys::~TicketKeys() = default;

void TicketKeys::rotate_if_due() {
    const std::lock_guard lock(state_->mutex);
    state_->rotate_if_due();
}

void TicketKeysAccess::install(ssl_ctx_st* context, TicketKeys& keys) {
    const int stored = SSL_CTX_set_ex_data(context, context_index(), &keys);
    NX_ASSERT(stored == 1);
    SSL_CTX_set_ticket_aead_method(context, &ticket_method);
}

}  // namespace nodex::tls

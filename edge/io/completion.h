// Completion and Continuation: one kernel operation in flight and what runs when it ends.
#pragma once
#include <cstdint>

#include "edge/base/bytes.h"
#include "edge/base/result.h"

namespace nodex {

// What to run when an operation ends: a plain function and its owner. 16 bytes, never allocates.
//   result   >= 0: the operation's count or descriptor; < 0: minus an errno
struct Continuation {
    void (*run)(void* owner, std::int32_t result) noexcept = nullptr;
    void* owner = nullptr;
};
template <auto Method, class Owner>
Continuation then(Owner* owner) noexcept {
    return {[](void* self, std::int32_t result) noexcept { (static_cast<Owner*>(self)->*Method)(result); },
            owner};
}

enum class Operation : std::uint8_t { none, accept, recv, send, connect, close };
const char* name(Operation operation) noexcept;

// One kernel operation that can be in flight: a member of the object that starts it, so it is never
// allocated and the object's size says how much it can have in flight.
// Invariant: between submit and the last completion the kernel may use the buffer, so the owner outlives it.
// A multishot operation (accept, recv) runs its continuation many times and stays in flight until a run
// in which in_flight() is already false.
class Completion {
  public:
    Completion() = default;
    Completion(const Completion&) = delete;
    Completion& operator=(const Completion&) = delete;
    ~Completion() { NX_ASSERT(!in_flight_); }
    [[nodiscard]] bool in_flight() const noexcept { return in_flight_; }
    // Only inside the continuation of Io::recv with result > 0: the bytes received. The buffer goes back
    // to the ring when the continuation returns, so consume or copy.
    [[nodiscard]] Bytes received() const noexcept { return bytes_; }
    // Of Io::send, also while it is in flight: how many octets the kernel has taken so far (progress).
    [[nodiscard]] std::uint32_t sent() const noexcept { return sent_; }

  private:
    friend class CompletionAccess;  // io/ only
    // A cancel in flight names this object, so the operation ends for its owner only when both have ended.
    enum class Cancel : std::uint8_t { none, asked, answered };

    Continuation next_{};
    Bytes bytes_{};             // recv: what has just arrived; send: what is still to be sent
    std::uint32_t sent_ = 0;    // send: what the kernel has taken
    std::int32_t fd_ = -1;      // what it works on, for going on with it
    std::int32_t result_ = 0;   // valid when ended_: told to the owner once the cancel has been answered
    Operation operation_ = Operation::none;
    Cancel cancel_ = Cancel::none;
    bool in_flight_ = false;
    bool ended_ = false;        // the kernel is done with the operation itself
};

}  // namespace nodex

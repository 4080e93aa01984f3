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
    [[nodiscard]] Bytes received() const noexcept { return received_; }

  private:
    friend class CompletionAccess;  // io/ only
    Continuation next_{};
    Bytes received_{};
    bool in_flight_ = false;
};

}  // namespace nodex

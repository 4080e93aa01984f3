// OperationDone: what runs on the requesting thread when an operation has ended.
#pragma once

namespace nodex::storage {

struct OperationDone {
    void (*run)(void* owner) noexcept = nullptr;
    void* owner = nullptr;
};
template <auto Method, class Owner>
OperationDone when_done(Owner* owner) noexcept {
    return {[](void* self) noexcept { (static_cast<Owner*>(self)->*Method)(); }, owner};
}

}  // namespace nodex::storage

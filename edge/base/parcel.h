// Parcel: the newest value for another thread. Sending again before the receiver has looked
// replaces the value.
#pragma once
#include <mutex>
#include <optional>
#include <utility>

#include "edge/base/mailbox.h"

namespace nodex {

// Receive is called as receive(owner, value) on the thread that owns the mailbox. The lock is held
// for a move.
template <class Value, class Owner, void (Owner::*Receive)(Value)>
class Parcel {
  public:
    Parcel(Mailbox& mailbox, Owner& owner) noexcept : mailbox_(mailbox), mail_(owner, *this) {}

    void send(Value value) {
        const std::lock_guard guard(lock_);
        const bool on_its_way = value_.has_value();
        value_ = std::move(value);
        if (!on_its_way) mailbox_.post(mail_);
    }

  private:
    struct ParcelMail final : Mail {
        ParcelMail(Owner& to, Parcel& in) noexcept
            : Mail([](Mail& mail) noexcept {
                  auto& self = static_cast<ParcelMail&>(mail);
                  (self.owner.*Receive)(self.parcel.take());
              }),
              owner(to),
              parcel(in) {}
        Owner& owner;
        Parcel& parcel;
    };
    Value take() {
        const std::lock_guard guard(lock_);
        Value value = std::move(*value_);
        value_.reset();
        return value;
    }
    Mailbox& mailbox_;
    std::mutex lock_;
    std::optional<Value> value_;
    ParcelMail mail_;
};

}  // namespace nodex

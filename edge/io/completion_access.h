// What io/ may do to a Completion: start it, cancel it, end it. The life of one operation, shared by UringIo
// and SimIo so that both treat cancelling and ending alike.
#pragma once
#include <cerrno>

#include "edge/io/completion.h"

namespace nodex {

class CompletionAccess {
  public:
    static void begin(Completion& completion, Operation operation, int fd, Continuation next) noexcept {
        NX_ASSERT(!completion.in_flight_);
        NX_ASSERT(next.run != nullptr);
        NX_ASSERT(fd >= 0);
        completion.next_ = next;
        completion.bytes_ = {};
        completion.sent_ = 0;
        completion.fd_ = fd;
        completion.operation_ = operation;
        completion.cancel_ = Completion::Cancel::none;
        completion.in_flight_ = true;
        completion.ended_ = false;
    }
    static void begin_send(Completion& completion, int fd, Bytes source, Continuation next) noexcept {
        NX_ASSERT(!source.empty() && source.size() <= INT32_MAX);
        begin(completion, Operation::send, fd, next);
        completion.bytes_ = source;
    }

    static Operation operation(const Completion& completion) noexcept { return completion.operation_; }
    static int fd(const Completion& completion) noexcept { return completion.fd_; }
    static Bytes to_send(const Completion& completion) noexcept { return completion.bytes_; }
    static void took(Completion& completion, std::size_t size) noexcept {
        NX_ASSERT(size <= completion.bytes_.size());
        completion.bytes_.remove_prefix(size);
        completion.sent_ += static_cast<std::uint32_t>(size);
    }

    // True if the caller has to submit a cancel; its answer comes through cancel_answered().
    static bool ask_cancel(Completion& completion) noexcept {
        if (!completion.in_flight_ || completion.ended_) return false;
        if (completion.cancel_ == Completion::Cancel::asked) return false;
        completion.cancel_ = Completion::Cancel::asked;
        return true;
    }
    static bool cancel_wanted(const Completion& completion) noexcept {
        return completion.cancel_ != Completion::Cancel::none;
    }
    // The kernel has answered the cancel. If the operation had ended before, its owner is told now.
    static void cancel_answered(Completion& completion) noexcept {
        NX_ASSERT(completion.in_flight_ && completion.cancel_ == Completion::Cancel::asked);
        completion.cancel_ = Completion::Cancel::answered;
        if (completion.ended_) finish(completion);
    }
    static bool ended(const Completion& completion) noexcept { return completion.ended_; }

    // A multishot result: the operation goes on.
    static void deliver(Completion& completion, std::int32_t result, Bytes received) noexcept {
        NX_ASSERT(completion.in_flight_ && !completion.ended_);
        completion.bytes_ = received;
        completion.next_.run(completion.next_.owner, result);
    }
    // The last result. While a cancel is in flight it names this object, so the owner is told afterwards.
    static void end(Completion& completion, std::int32_t result) noexcept {
        NX_ASSERT(completion.in_flight_ && !completion.ended_);
        completion.ended_ = true;
        completion.result_ = result;
        if (completion.cancel_ != Completion::Cancel::asked) finish(completion);
    }

  private:
    static void finish(Completion& completion) noexcept {
        completion.in_flight_ = false;
        completion.bytes_ = {};
        completion.next_.run(completion.next_.owner, completion.result_);
    }
};

}  // namespace nodex

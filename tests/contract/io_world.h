// A place where sockets live, and one recorded operation in it.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/io/loop.h"

namespace nodex::contract {

// A place where sockets live.
class IoWorld {
  public:
    virtual ~IoWorld() = default;
    virtual Loop& loop() noexcept = 0;
    // A listener, and where to connect to for it.
    virtual int listen(SocketAddress& bound) = 0;
    // An address where nobody listens.
    virtual SocketAddress nowhere() = 0;
};
using MakeIoWorld = std::unique_ptr<IoWorld> (*)();

// One operation and what came of it; stops the loop at every result.
struct Operated {
    explicit Operated(Loop& its_loop) noexcept : loop(its_loop) {}
    Loop& loop;
    Completion completion;
    std::vector<int> results;
    std::string received;
    std::function<void(int)> then_do = [](int) {};

    Continuation next() noexcept { return then<&Operated::done>(this); }
    void done(int result) noexcept {
        if (result > 0) received.append(completion.received());
        results.push_back(result);
        then_do(result);
        loop.stop();
    }
    [[nodiscard]] bool ended() const noexcept { return !results.empty() && !completion.in_flight(); }
    [[nodiscard]] int last() const { return results.empty() ? 1'000'000 : results.back(); }
};

}  // namespace nodex::contract

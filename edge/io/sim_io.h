// SimIo and SimLoop: sockets and time without a kernel. Everything happens in one thread, in an order that
// follows from the seed, so a failing run is repeated by its seed. Held to the same contract as UringIo.
#pragma once
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "edge/base/random.h"
#include "edge/io/io.h"
#include "edge/io/loop.h"

namespace nodex {

// What the simulated network does wrong, each with its own chance in percent, drawn per operation.
struct SimFaults {
    unsigned split_percent = 0;       // a receive gets a part of what is there
    unsigned short_send_percent = 0;  // a send is taken in parts
    unsigned no_buffers_percent = 0;  // -ENOBUFS instead of data
    unsigned reset_percent = 0;       // the connection breaks instead of a receive or send
    unsigned delay_percent = 0;       // bytes arrive later, by up to delay_max_ns
    Nanoseconds delay_max_ns = 20 * millisecond;
};

class SimIo final : public Io {
  public:
    SimIo(Clock& clock, std::uint64_t seed, LoopStats& stats) noexcept
        : clock_(clock), random_(seed), stats_(stats) {}

    // The descriptor of a new listener for `address`; already_exists if there is one.
    Result<int> listen(const SocketAddress& address) noexcept;
    void set_faults(SimFaults faults) noexcept { faults_ = faults; }
    // What a receiver's kernel holds before the sender has to wait.
    void set_pipe_bytes(std::size_t bytes) noexcept { pipe_bytes_ = bytes; }
    void set_descriptors_max(std::size_t count) noexcept { descriptors_max_ = count; }
    // Breaks the connection as a reset by both peers would.
    void reset(int fd) noexcept;
    [[nodiscard]] std::size_t open_descriptors() const noexcept { return sockets_.size(); }

    void accept(Completion& completion, int listener, Continuation next) noexcept override;
    void recv(Completion& completion, int fd, Continuation next) noexcept override;
    void send(Completion& completion, int fd, Bytes source, Continuation next) noexcept override;
    void connect(Completion& completion, int fd, const SocketAddress& address,
                 Continuation next) noexcept override;
    void close(Completion& completion, int fd, Continuation next) noexcept override;
    void shutdown(int fd) noexcept override;
    void end_sending(int fd) noexcept override;
    void reset_on_close(int fd) noexcept override;
    void cancel(Completion& completion) noexcept override;
    Result<int> open_socket(const SocketAddress& address) noexcept override;
    SocketAddress peer_of(int fd) noexcept override;

    // For SimLoop: lets every operation in flight get on once; answers how many results there were.
    std::uint32_t run_round() noexcept;
    // When delayed bytes become visible next; INT64_MAX when none are on their way.
    [[nodiscard]] Nanoseconds next_arrival_ns() const noexcept;

  private:
    static constexpr int nobody = -1;
    enum class Kind : std::uint8_t { fresh, listener, stream };
    struct Socket {
        Kind kind = Kind::fresh;
        SocketAddress address{};    // listener: its own; stream: the other end's
        int peer = nobody;
        std::string inbound;        // arrived or on its way
        Nanoseconds arrives_ns = 0;  // when `inbound` (and the end behind it) can be seen
        bool peer_ended = false;    // FIN behind `inbound`
        bool was_reset = false;
        bool shut = false;          // shutdown() here
        bool ended = false;         // our FIN is out
        bool reset_on_close = false;
        std::deque<int> backlog;    // listener: connected, not accepted
    };

    Socket& socket(int fd) noexcept;
    int add_socket(Socket socket) noexcept;
    void begin(Completion& completion) noexcept { pending_.push_back(&completion); }
    void end(Completion& completion, std::int32_t result) noexcept;
    [[nodiscard]] bool drawn(unsigned percent) noexcept {
        return percent > 0 && random_.below(100) < percent;
    }
    std::uint32_t run(Completion& completion) noexcept;
    std::uint32_t run_cancel(Completion& completion) noexcept;
    std::uint32_t run_accept(Completion& completion) noexcept;
    std::uint32_t run_recv(Completion& completion) noexcept;
    std::uint32_t run_send(Completion& completion) noexcept;
    std::uint32_t run_connect(Completion& completion) noexcept;
    std::uint32_t run_close(Completion& completion) noexcept;
    int listener_of(const SocketAddress& address) const noexcept;
    void send_end(Socket& from) noexcept;

    Clock& clock_;
    SeededRandom random_;
    LoopStats& stats_;
    SimFaults faults_{};
    std::size_t pipe_bytes_ = 64 * 1024;
    std::size_t descriptors_max_ = 1'000'000;
    int next_fd_ = 1'000;                           // never used twice
    std::map<int, Socket> sockets_;
    std::vector<Completion*> pending_;              // in the order they were started
    std::map<Completion*, SocketAddress> targets_;  // of connects in flight
};

// Turns over SimIo and a clock that jumps to the next deadline when nothing else is left to do.
class SimLoop final : public Loop {
  public:
    explicit SimLoop(std::uint64_t seed) noexcept;
    SimIo& io() noexcept override { return io_; }
    ManualClock& clock() noexcept override { return clock_; }
    // One turn. False if nothing happened and nothing ever will without a new verb.
    bool turn() noexcept;
    // As Loop::run(), and also ends when turn() answers false.
    void run() noexcept override;

  private:
    ManualClock clock_;
    SimIo io_;
};

}  // namespace nodex

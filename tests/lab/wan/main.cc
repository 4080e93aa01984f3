// nodex-lab-wan: the world's cables. Reads IPv4 packets from the TUN device of each host and hands
// each to the host that it is addressed to, after the delay and at the rate of the line between the
// two. This kernel family often lacks netem; a user-space router needs nothing but TUN, and keeps
// TCP end to end, so that a cut is silent and a retransmission is the kernel's own.
//
//   nodex-lab-wan CONTROL_FD NAME=TUN_FD=ADDRESS...
//
// Commands are datagrams on CONTROL_FD (a SOCK_SEQPACKET socket), one answer each, "ok" or "error
// ...":
//   line A B DELAY_US BITS_PER_SECOND     one direction; rate 0 is no limit
//   cut A B | heal A B                    one direction
//   count A B                             "ok PASSED DROPPED_CUT DROPPED_FULL"
// The program ends when the control socket is closed.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <queue>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/lab/wan/link.h"

namespace nodex::lab {
namespace {

// What the kernel puts before each packet (struct virtio_net_hdr: how TCP's segments are to be cut, where
// a checksum is missing). The other end's kernel reads it as it is.
constexpr std::size_t virtio_header_bytes = 10;
constexpr std::size_t packet_bytes_max = virtio_header_bytes + 65536;
constexpr std::size_t reads_per_turn =
    64;  // of one device, so that a busy host cannot starve the others
std::int64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * ns_per_second + time.tv_nsec;
}

struct Host {
    std::string name;
    int tun;
    in_addr_t address;
};

// A packet that will arrive: of which line, and when. Lines keep their own order.
struct Arrival {
    std::int64_t due_ns;
    std::size_t line;
    bool operator>(const Arrival& other) const { return due_ns > other.due_ns; }
};

class Wan {
  public:
    Wan(int control, std::vector<Host> hosts)
        : control_(control), hosts_(std::move(hosts)), lines_(hosts_.size() * hosts_.size()) {
        for (std::size_t index = 0; index < hosts_.size(); ++index) {
            by_address_[hosts_[index].address] = index;
            by_name_[hosts_[index].name] = index;
        }
    }

    int run();

  private:
    bool watch(int descriptor, std::uint64_t tag);
    void read_packets(std::size_t from);
    void deliver();
    [[nodiscard]] timespec patience() const;
    bool obey();
    std::string answer(const std::string& command);
    Link* line(const std::string& from, const std::string& to);

    int control_;
    int epoll_ = -1;
    std::vector<Host> hosts_;
    std::vector<Link> lines_;  // from * hosts + to
    std::unordered_map<in_addr_t, std::size_t> by_address_;
    std::map<std::string, std::size_t, std::less<>> by_name_;
    std::priority_queue<Arrival, std::vector<Arrival>, std::greater<>> arrivals_;
};

bool Wan::watch(int descriptor, std::uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    return epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

timespec Wan::patience() const {
    if (arrivals_.empty()) return {.tv_sec = 3600, .tv_nsec = 0};
    const std::int64_t left = std::max<std::int64_t>(0, arrivals_.top().due_ns - now_ns());
    return {.tv_sec = left / ns_per_second, .tv_nsec = left % ns_per_second};
}

int Wan::run() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    const std::uint64_t control_tag = hosts_.size();
    if (epoll_ < 0 || !watch(control_, control_tag)) return 3;
    for (std::size_t index = 0; index < hosts_.size(); ++index)
        if (!watch(hosts_[index].tun, index)) return 3;
    std::array<epoll_event, 64> events{};
    for (;;) {
        const timespec wait = patience();
        const int count = epoll_pwait2(epoll_, events.data(), events.size(), &wait, nullptr);
        if (count < 0 && errno != EINTR) return 3;
        for (int index = 0; index < count; ++index) {
            const std::uint64_t tag = events[static_cast<std::size_t>(index)].data.u64;
            if (tag == control_tag) {
                if (!obey()) return 0;
            } else {
                read_packets(tag);
            }
        }
        deliver();
    }
}

void Wan::read_packets(std::size_t from) {
    static std::array<char, packet_bytes_max> buffer;
    constexpr std::size_t header_bytes = virtio_header_bytes + 20;
    constexpr std::size_t destination_at = virtio_header_bytes + 16;
    for (std::size_t turn = 0; turn < reads_per_turn; ++turn) {
        const ssize_t size = read(hosts_[from].tun, buffer.data(), buffer.size());
        if (size < static_cast<ssize_t>(header_bytes)) return;
        if ((static_cast<unsigned char>(buffer[virtio_header_bytes]) >> 4) != 4)
            continue;  // IPv6 chatter of the kernel
        in_addr_t to{};
        std::memcpy(&to, buffer.data() + destination_at, sizeof to);
        const auto found = by_address_.find(to);
        if (found == by_address_.end()) continue;
        const std::size_t index = from * hosts_.size() + found->second;
        const auto due =
            lines_[index].put(std::string(buffer.data(), static_cast<std::size_t>(size)), now_ns());
        if (due) arrivals_.push({*due, index});
    }
}

void Wan::deliver() {
    const std::int64_t now = now_ns();
    while (!arrivals_.empty() && arrivals_.top().due_ns <= now) {
        const std::size_t index = arrivals_.top().line;
        arrivals_.pop();
        if (const auto packet = lines_[index].take(now)) {
            // A full device queue loses the packet, as any interface does.
            if (write(hosts_[index % hosts_.size()].tun, packet->data(), packet->size()) < 0 &&
                errno != EAGAIN && errno != EIO)
                std::fprintf(stderr, "write: %s\n", std::strerror(errno));
        }
    }
}

// One command; false when the control socket is closed.
bool Wan::obey() {
    std::array<char, 512> buffer;
    const ssize_t size = recv(control_, buffer.data(), buffer.size(), 0);
    if (size <= 0) return false;
    const std::string reply = answer(std::string(buffer.data(), static_cast<std::size_t>(size)));
    return send(control_, reply.data(), reply.size(), MSG_NOSIGNAL) >= 0;
}

Link* Wan::line(const std::string& from, const std::string& to) {
    const auto a = by_name_.find(from), b = by_name_.find(to);
    if (a == by_name_.end() || b == by_name_.end()) return nullptr;
    return &lines_[a->second * hosts_.size() + b->second];
}

std::string Wan::answer(const std::string& command) {
    std::istringstream words(command);
    std::string verb, from, to;
    words >> verb >> from >> to;
    Link* const found = line(from, to);
    if (found == nullptr) return "error no such line: " + command;
    if (verb == "line") {
        std::int64_t delay_us = -1, rate = -1;
        if (!(words >> delay_us >> rate) || delay_us < 0 || rate < 0)
            return "error bad numbers: " + command;
        found->shape({.delay_ns = delay_us * 1000, .bits_per_second = rate});
    } else if (verb == "cut" || verb == "heal") {
        found->cut(verb == "cut");
    } else if (verb == "count") {
        const Link::Counters& counters = found->counters();
        std::ostringstream reply;
        reply << "ok " << counters.passed << ' ' << counters.dropped_cut << ' '
              << counters.dropped_full;
        return reply.str();
    } else {
        return "error no such command: " + command;
    }
    return "ok";
}

bool read_number(std::string_view text, int& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

// NAME=TUN_FD=ADDRESS
bool read_host(std::string_view text, Host& host) {
    const std::size_t first = text.find('='), second = text.rfind('=');
    if (first == std::string_view::npos || first == second) return false;
    host.name = text.substr(0, first);
    const std::string address(text.substr(second + 1));
    return read_number(text.substr(first + 1, second - first - 1), host.tun) &&
           inet_pton(AF_INET, address.c_str(), &host.address) == 1;
}

}  // namespace
}  // namespace nodex::lab

int main(int count, char** arguments) {
    using nodex::lab::Host;
    int control = -1;
    std::vector<Host> hosts;
    bool good = count > 2 && nodex::lab::read_number(arguments[1], control);
    for (int index = 2; good && index < count; ++index) {
        Host host{};
        good = nodex::lab::read_host(arguments[index], host);
        hosts.push_back(host);
    }
    if (!good) {
        std::fprintf(stderr, "usage: nodex-lab-wan CONTROL_FD NAME=TUN_FD=ADDRESS...\n");
        return 2;
    }
    return nodex::lab::Wan(control, std::move(hosts)).run();
}

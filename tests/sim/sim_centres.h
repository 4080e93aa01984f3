// SimCentres: the processes of the centre behind one set of subjects, as a NATS queue group: a
// request goes to one of them by chance. A process that is killed loses what it was doing, one that
// is frozen answers late.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "replication/central/central.h"
#include "replication/transport_sim.h"

namespace nodex::replication {

class SimCentres {
  public:
    // Makes a process that serves at the port.
    using Make = std::function<std::unique_ptr<Central>(TransportServer& port)>;
    // A POP's request was answered.
    using Answered = std::function<void(Bytes subject, Bytes request)>;
    SimCentres(SimNetwork& network, Random& random, unsigned count, Answered answered);
    ~SimCentres();

    void start(unsigned number, const Make& make);  // ends the process that was there
    void kill(unsigned number);
    void kill_all();
    void freeze(unsigned number);
    void wake(unsigned number);  // what came meanwhile is handled now, oldest first
    [[nodiscard]] bool running(unsigned number) const noexcept;  // and not frozen
    [[nodiscard]] bool frozen(unsigned number) const noexcept;
    [[nodiscard]] unsigned running_count() const noexcept;
    void tick();

  private:
    struct Process;
    void deliver(Bytes subject, Bytes request, const TransportServer::Respond& respond);
    void attach(Bytes subject);

    SimNetwork& network_;
    Random& random_;
    Answered answered_;
    std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace nodex::replication

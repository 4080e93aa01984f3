// Reporter: tells the centre every limits::report_interval how this POP is, and takes its orders to
// destroy bodies. A report that is lost is followed by the next.
#pragma once
#include <functional>

#include "replication/body_eraser.h"
#include "replication/pop_link.h"
#include "replication/pop_report.h"

namespace nodex::replication {

class Reporter {
  public:
    // `count` fills in a report, but for its name, version and uptime.
    Reporter(PopLink& link, Clock& clock, BodyEraser& eraser, std::string name, std::string version,
             std::function<void(PopReport&)> count)
        : link_(link),
          clock_(clock),
          eraser_(eraser),
          name_(std::move(name)),
          version_(std::move(version)),
          count_(std::move(count)),
          began_ns_(clock.now_ns()) {}

    void tick();  // registered

  private:
    void replied(std::size_t told, Bytes payload);

    PopLink& link_;
    Clock& clock_;
    BodyEraser& eraser_;
    const std::string name_;
    const std::string version_;
    const std::function<void(PopReport&)> count_;
    const Nanoseconds began_ns_;
    Nanoseconds report_at_ns_ = 0;
    bool in_flight_ = false;
};

}  // namespace nodex::replication

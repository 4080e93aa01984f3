// Keys that the files of several programs have in common.
#pragma once
#include <string>
#include <string_view>

#include "edge/base/log.h"
#include "edge/config/toml_file.h"

namespace nodex::config {

// Of 127.0.0.0/8 or ::1, with a port. Only the text is looked at: whether it can be bound is found
// when it is.
[[nodiscard]] bool is_loopback(std::string_view address) noexcept;

void read_log_level(Section& section, log::Level& target);          // key `level`
void read_metrics_listener(Section& section, std::string& target);  // key `metrics`

}  // namespace nodex::config
